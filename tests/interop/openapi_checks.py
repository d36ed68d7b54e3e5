"""Checks of our own that schemathesis runs on every answer, beside its own ones; it imports this file."""

from typing import Any
from urllib.parse import urlencode

import schemathesis
from schemathesis import Case, CheckContext, HookContext
from schemathesis.core.transport import Response

# A request line that API Gateway itself refuses shows nothing of ours.
_LONGEST_QUERY = 8_000


@schemathesis.hook
def filter_query(ctx: HookContext, query: dict[str, Any] | None) -> bool:
    """Whether to try a query."""
    return len(urlencode(query or {}, errors="replace")) <= _LONGEST_QUERY


@schemathesis.check
def errors_have_one_form(ctx: CheckContext, response: Response, case: Case) -> None:
    """Every 4xx but an offer is ``{error, code}`` and perhaps ``details``, as JSON."""
    if 400 <= response.status_code < 500 and response.status_code != 402 and case.method != "HEAD":
        body = response.json()
        assert {"error", "code"} <= set(body) <= {"error", "code", "details"}, body
        assert all(isinstance(body[name], str) and body[name] for name in ("error", "code")), body


@schemathesis.check
def nobody_comes_in_without_a_key(ctx: CheckContext, response: Response, case: Case) -> None:
    """Where a bearer key is missing or wrong the answer is 401, whatever else is wrong."""
    if case.path.endswith(("/verify", "/settle")) and case.method == "POST":
        assert response.status_code == 401, response.status_code
        assert response.headers["www-authenticate"] == ["Bearer"], response.headers
