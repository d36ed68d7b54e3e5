"""What the endpoints under /x402/ have in common: one method each, answers that nobody keeps, one form of error."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tollgate.edge.answers import internal_error
from tollgate.edge.http_api import read_request, write_answer
from tollgate.errors import BadRequest
from tollgate.gateway.messages import Answer, Request

if TYPE_CHECKING:
    from tollgate.gateway.records import RecordRefused

_HEADERS = (("cache-control", "private, no-store"), ("content-type", "application/json"))


def respond(
    event: Mapping[str, Any], allow: tuple[str, ...], serve: Callable[[Request], Answer], bug: Callable[[], None]
) -> dict[str, Any]:
    """Answer an HTTP event: 204 to OPTIONS, 405 to a method that is not in ``allow``, else what ``serve`` makes of it.

    A ``BadRequest`` becomes its structured error. Any other exception is reported to ``bug`` and answered 500: to
    an official client that is an unknown outcome, where a failed settlement would invite a second payment.
    """
    try:
        request = read_request(event)
        if request.method == "OPTIONS":
            return write_answer(event, Answer(204, (("allow", _methods(allow)),)))
        if request.method not in allow:
            return write_answer(event, _not_allowed(allow))
        return write_answer(event, serve(request))
    except BadRequest as bad:
        return write_answer(event, error_answer(bad))
    except Exception:
        bug()
        return write_answer(event, internal_error())


def json_answer(message: Mapping[str, Any]) -> Answer:
    """200 with a JSON body."""
    return Answer(200, _HEADERS, json.dumps(message, separators=(",", ":")).encode())


def error_answer(bad: BadRequest) -> Answer:
    """{error, code}, and for a 401 which scheme to use (RFC 6750)."""
    challenge = (("www-authenticate", "Bearer"),) if bad.status == 401 else ()
    body = json.dumps({"error": bad.sentence, "code": bad.code}, separators=(",", ":")).encode()
    return Answer(bad.status, (*_HEADERS, *challenge), body)


def refused_answer(refused: "RecordRefused") -> Answer:
    """{error, code, details}, and when to come again."""
    plain = error_answer(refused)
    body = {"error": refused.sentence, "code": refused.code, "details": dict(refused.details)}
    later = () if refused.retry_after is None else (("retry-after", str(refused.retry_after)),)
    return Answer(plain.status, (*plain.headers, *later), json.dumps(body, separators=(",", ":")).encode())


def _not_allowed(allow: tuple[str, ...]) -> Answer:
    answer = error_answer(BadRequest(405, "method_not_allowed", f"This endpoint takes {', '.join(allow)}."))
    return Answer(answer.status, (*answer.headers, ("allow", _methods(allow))), answer.body)


def _methods(allow: tuple[str, ...]) -> str:
    return ", ".join((*allow, "OPTIONS"))
