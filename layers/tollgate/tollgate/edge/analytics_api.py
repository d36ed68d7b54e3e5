"""What routes earned, over HTTP for their owners and by invocation for the operator.

GET /x402/analytics[?from=2026-11-01&to=2026-11-30&by=route,day,owner]        of the signer's routes
{"op": "analytics", "from": ..., "to": ..., "by": ..., "owner": "0x..."}      invoked, by IAM: of all, or one owner's
"""

from collections.abc import Mapping
from typing import Any

from tollgate.edge.json_api import json_answer, refused_answer
from tollgate.errors import BadRequest
from tollgate.gateway.analytics import Analytics
from tollgate.gateway.analytics_query import read_analytics_query
from tollgate.gateway.discovery.query import read_parameters
from tollgate.gateway.messages import Answer, Request
from tollgate.gateway.records import RecordRefused
from tollgate.wire import headers
from tollgate.wire.primitives import Address


def serve(analytics: Analytics, request: Request) -> Answer:
    """Serve a GET. Raises ``BadRequest`` for what cannot be read."""
    query = read_analytics_query(read_parameters(request.raw_query), int(analytics.clock()))
    try:
        return json_answer(analytics.of_signer(query, request.headers.get(headers.SIGN_IN_WITH_X)))
    except RecordRefused as refused:
        return refused_answer(refused)


def answer(analytics: Analytics, event: Mapping[str, Any]) -> dict[str, Any]:
    """Serve an operator, whom IAM let in. Raises ``ValueError`` for another event."""
    if event.get("op") != "analytics":
        raise ValueError("op must be analytics")
    given = {name: str(event[name]) for name in ("from", "to", "by") if event.get(name) is not None}
    try:
        query = read_analytics_query(given, int(analytics.clock()))
        owner = None if event.get("owner") is None else Address.parse(event["owner"])
        return {"outcome": "read", **analytics.of(query, owner)}
    except BadRequest as bad:
        return {"outcome": "refused", "code": bad.code, "sentence": bad.sentence}
