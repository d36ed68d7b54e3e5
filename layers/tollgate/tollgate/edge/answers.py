"""The one table that maps outcomes to HTTP; a test compares it with the table in docs/architecture.md.

No row for an unknown outcome carries an offer: a conforming client would sign and pay again
(threat 78). 402 and paid answers are never cached by anybody (threat 84).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.edge.paywall import CONTENT_SECURITY_POLICY, paywall
from tollgate.errors import BadRequest
from tollgate.gateway.messages import Answer
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.payment.v1_names import V1_NAMES
from tollgate.wire import headers, v1
from tollgate.wire.models import SettleResponse

RETRY_AFTER_SECONDS = 2
_MAX_OFFER_HEADER = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """``status`` 0 means: the outcome's own. ``offer`` and ``payment_response``: may such a header be sent."""

    status: int
    offer: bool = False
    payment_response: bool = False
    retry_after: bool = False


ROWS: Mapping[Kind, Row] = {
    Kind.PREFLIGHT: Row(204),
    Kind.DOCUMENT: Row(200),
    Kind.OFFER: Row(402, offer=True),
    Kind.REFUSED: Row(402, offer=True, payment_response=True),
    Kind.NOTHING_TO_OFFER: Row(503, retry_after=True),
    Kind.BAD_REQUEST: Row(0),
    Kind.CHAIN_DOWN: Row(503, retry_after=True),
    Kind.IDENTIFIER_BOUND: Row(409),
    Kind.TOO_MANY: Row(429, retry_after=True),
    Kind.IN_FLIGHT: Row(503, retry_after=True),
    Kind.PENDING: Row(503, payment_response=True, retry_after=True),
    Kind.UNSERVED: Row(503, payment_response=True, retry_after=True),
    Kind.SERVED: Row(0, payment_response=True),
    Kind.FREE: Row(0),
    Kind.GRANTED: Row(200, payment_response=True),
    Kind.RESULT: Row(0, payment_response=True),
    Kind.RETENTION_PASSED: Row(410, payment_response=True),
    Kind.ANSWER_UNAVAILABLE: Row(503, payment_response=True, retry_after=True),
    Kind.ALREADY_USED: Row(409),
    Kind.CLOSED: Row(409),
    Kind.REFUND_DUE: Row(502, payment_response=True),
    Kind.UPSTREAM_ANSWERED: Row(0),
    Kind.UPSTREAM_UNUSABLE: Row(502),
    Kind.UPSTREAM_TIMEOUT: Row(504),
}

_NO_STORE = ("cache-control", "private, no-store")
_JSON = ("content-type", "application/json")


def render(outcome: Outcome, *, page: bool = False) -> Answer:
    """Turn an outcome into the answer that leaves; ``page``: an offer is for a person in a browser."""
    row = ROWS[outcome.kind]
    out: list[tuple[str, str]] = [_NO_STORE]
    if row.retry_after:
        out.append(("retry-after", str(outcome.wait or RETRY_AFTER_SECONDS)))
    if row.offer and outcome.offer is not None:
        out.append((headers.PAYMENT_REQUIRED, _offer_header(outcome)))
    if row.payment_response and outcome.payment_response is not None:
        out.append(_receipt(outcome.payment_response, outcome.version))
    if outcome.kind is Kind.DOCUMENT and outcome.answer is not None:
        # Free and the same for everybody: it says itself how long it may be kept.
        return Answer(row.status, outcome.answer.headers, outcome.answer.body)
    if outcome.answer is not None:
        kept = tuple(pair for pair in outcome.answer.headers if pair[0].lower() != "cache-control")
        return Answer(outcome.answer.status, (*kept, *out), outcome.answer.body)
    if outcome.kind is Kind.PREFLIGHT:
        return Answer(row.status)
    status = row.status or outcome.status or 500
    if page and row.offer and outcome.offer is not None:
        html = (("content-type", "text/html; charset=utf-8"), ("content-security-policy", CONTENT_SECURITY_POLICY))
        return Answer(status, (*out, *html), paywall(outcome.offer))
    body = json.dumps(_body(outcome), separators=(",", ":")).encode()
    if outcome.allow:
        out.append(("allow", outcome.allow))
    return Answer(status, (*out, _JSON), body)


def _offer_header(outcome: Outcome) -> str:
    if outcome.offer is None:
        raise ValueError("no offer")
    value = headers.encode(outcome.offer.to_json())
    if len(value) > _MAX_OFFER_HEADER:
        raise ValueError("an offer over 4 kB: the route checker let a route through")
    return value


def _receipt(response: SettleResponse, version: int) -> tuple[str, str]:
    if version == v1.X402_VERSION:
        message = v1.receipt_to_json(response, V1_NAMES[response.network])
        return headers.X_PAYMENT_RESPONSE, headers.encode(message)
    return headers.PAYMENT_RESPONSE, headers.encode(response.to_json())


def _body(outcome: Outcome) -> dict[str, Any]:
    if outcome.offer is not None:
        # v2 clients read the header first; a body of version 1 is all that v1 clients know.
        body = v1.offer_to_json(outcome.offer, V1_NAMES) or outcome.offer.to_json()
        if outcome.sentence:
            body["message"] = outcome.sentence
        return body
    body = {"error": outcome.sentence, "code": outcome.code}
    if outcome.details:
        body["details"] = dict(outcome.details)
    return body


def render_bad_request(bad: BadRequest) -> Answer:
    """A request that could not even be read."""
    outcome = Outcome(Kind.BAD_REQUEST, code=bad.code, sentence=bad.sentence, status=bad.status)
    return render(outcome)


def internal_error() -> Answer:
    """A bug of ours: nothing internal leaks, and no offer, since nobody knows what had happened by then."""
    sentence = "Something went wrong here. If you sent a payment, send the same one again."
    body = json.dumps({"error": sentence, "code": "internal_error"}).encode()
    return Answer(500, (_NO_STORE, _JSON), body)
