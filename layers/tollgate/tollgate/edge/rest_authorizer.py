"""A REST API's REQUEST authorizer: its event in, a policy out, or an error that says what API Gateway is to answer.

An authorizer chooses no status: API Gateway does, by the kind of its answer, and the API's gateway responses make x402
of it (docs/rest-authorizer.md has them).

    Allow                           the request passes                          context: who paid, and PAYMENT-RESPONSE
    Deny            ACCESS_DENIED   402 with PAYMENT-REQUIRED and the body       from the context
    "Unauthorized"  UNAUTHORIZED    409, no offer: this payment buys no more     nothing of the authorizer's
    anything else   AUTHORIZER_*    503, no offer: nobody knows, or not now      nothing of the authorizer's

So what crashes, hangs or is throttled is an unknown outcome by itself. Source: AWS, "Output from an API Gateway Lambda
authorizer", "Input to …", "Gateway responses for REST APIs".
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from tollgate.edge.answers import render
from tollgate.errors import BadRequest, TollgateError
from tollgate.gateway.authorize import Access
from tollgate.gateway.messages import Answer, Request
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.wire import headers

# AWS names no bound for the context; an answer's headers have 10,240 bytes together, and the body is the header again.
MAX_BODY = 4096


class Unauthorized(TollgateError):
    """API Gateway answers UNAUTHORIZED to this very text."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class Undecided(TollgateError):
    """API Gateway answers AUTHORIZER_CONFIGURATION_ERROR or AUTHORIZER_FAILURE; the text is a code, for the log."""


def read_event(event: Mapping[str, Any]) -> tuple[Request, str]:
    """The request, and the resource that API Gateway matched. Raises ``BadRequest``; ``KeyError`` is a bug."""
    resource: str = event["resource"]
    many: Mapping[str, list[str]] = event.get("multiValueHeaders") or {}
    query: Mapping[str, list[str]] = event.get("multiValueQueryStringParameters") or {}
    return Request(
        method=event["httpMethod"].upper(),
        raw_path=_path(resource, event.get("pathParameters") or {}),
        raw_query=urlencode(query, doseq=True),
        # As an HTTP API joins them: a header that came twice holds a comma, and is refused as there (threat 11).
        headers={name.lower(): ",".join(values) for name, values in many.items()},
        body=b"",
        source_address=event["requestContext"]["identity"]["sourceIp"],
    ), resource


def _path(resource: str, parameters: Mapping[str, str]) -> str:
    """The path, encoded anew: what API Gateway decoded is one reading, whatever was sent.

    A greedy parameter that holds a slash stays one segment, which no path is: what it stands for is not known here.
    """
    parts = []
    for part in resource.split("/"):
        parts.append(quote(parameters[part.strip("{+}")], safe="") if part.startswith("{") else part)
    return "/".join(parts)


def answer(event: Mapping[str, Any], access: Access, outcome: Outcome) -> dict[str, Any]:
    """The policy for this one request. Raises ``Unauthorized`` or ``Undecided``."""
    match access:
        case Access.GRANTED:
            receipt = {"paymentResponse": _receipt(render(outcome))}
            return _policy(event, "Allow", str(outcome.details["payer"]), {**outcome.details, **receipt})
        case Access.UNPAID:
            return _policy(event, "Deny", "unpaid", _error(outcome) if outcome.offer is None else _offer(outcome))
        case Access.SPENT:
            raise Unauthorized
        case Access.UNDECIDED:
            raise Undecided(outcome.code or outcome.kind.value)


def deny_malformed(event: Mapping[str, Any], bad: BadRequest) -> dict[str, Any]:
    """A request that could not be read: nothing was charged, and nothing is offered for it."""
    return _policy(event, "Deny", "unpaid", _error(Outcome(Kind.BAD_REQUEST, code=bad.code, sentence=bad.sentence)))


def _offer(outcome: Outcome) -> dict[str, Any]:
    rendered = render(outcome)
    body = rendered.body.decode()
    return {
        "paymentRequired": rendered.header(headers.PAYMENT_REQUIRED) or "",
        "paymentResponse": _receipt(rendered),
        "body": body if len(body) <= MAX_BODY else _error(outcome)["body"],
    }


def _error(outcome: Outcome) -> dict[str, Any]:
    body = {"error": outcome.sentence or "Payment required", "code": outcome.code or "payment_required"}
    return {"paymentRequired": "", "paymentResponse": "", "body": json.dumps(body, separators=(",", ":"))}


def _receipt(rendered: Answer) -> str:
    return rendered.header(headers.PAYMENT_RESPONSE) or rendered.header(headers.X_PAYMENT_RESPONSE) or ""


def _policy(event: Mapping[str, Any], effect: str, principal: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """For this request's own ARN and no other: a policy that API Gateway kept would open nothing else."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": dict(context),
    }
