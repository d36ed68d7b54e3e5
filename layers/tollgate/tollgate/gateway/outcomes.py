"""Everything that can come of a request, as data; edge/answers.py maps each to HTTP in one table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tollgate.payment.record import StoredAnswer
from tollgate.wire.models import X402_VERSION, PaymentRequired, SettleResponse


class Kind(StrEnum):
    """The rows of the table of answers."""

    PREFLIGHT = "preflight"
    DOCUMENT = "document"
    OFFER = "offer"
    REFUSED = "refused"
    NOTHING_TO_OFFER = "nothing_to_offer"
    BAD_REQUEST = "bad_request"
    CHAIN_DOWN = "chain_down"
    IDENTIFIER_BOUND = "identifier_bound"
    TOO_MANY = "too_many"
    IN_FLIGHT = "in_flight"
    PENDING = "pending"
    UNSERVED = "unserved"
    SERVED = "served"
    FREE = "free"
    GRANTED = "granted"
    RESULT = "result"
    RETENTION_PASSED = "retention_passed"
    ANSWER_UNAVAILABLE = "answer_unavailable"
    ALREADY_USED = "already_used"
    CLOSED = "closed"
    REFUND_DUE = "refund_due"
    UPSTREAM_ANSWERED = "upstream_answered"
    UPSTREAM_UNUSABLE = "upstream_unusable"
    UPSTREAM_TIMEOUT = "upstream_timeout"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row with what fills it. ``code`` and ``sentence`` become the structured error.

    ``version`` is the x402 version of the payment header that came; the receipt answers in its kind.
    ``wait`` is when to come again, in seconds, where that is known.
    """

    kind: Kind
    code: str = ""
    sentence: str = ""
    status: int | None = None
    offer: PaymentRequired | None = None
    payment_response: SettleResponse | None = None
    answer: StoredAnswer | None = field(default=None, repr=False)
    details: Mapping[str, Any] = field(default_factory=dict)
    allow: str = ""
    version: int = X402_VERSION
    wait: int | None = None
    # What its metrics are counted under: a route's id, or what stands for the routes that are too many.
    measured_as: str = ""
