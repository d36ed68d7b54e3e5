"""A refund: the EIP-3009 authorization that sends a payment's money back to whoever paid, the same every time.

Its nonce is a function of the payment, so the token itself lets it move once, whatever becomes of our
tables: two refunds of one payment from one treasury are one authorization.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from tollgate.payment.identity import PaymentId
from tollgate.payment.sellers import REFUND
from tollgate.payment.settlement import (
    Confirmed,
    Failed,
    Pending,
    SettleRequest,
    outcome_from_json,
    outcome_to_json,
)
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32

_NONCE_DOMAIN = "tollgate/refund/v1#"
# How long after the payment's own deadline its refund can be put on chain; then it is the operator's again.
VALID_SECONDS = 90 * 86_400
# What must be left of that when it is signed: no refund is begun that could not be finished.
LEAST_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Ready:
    """Nothing stands in the way of this refund; nothing was signed or written."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Not now, and nothing of it was signed in this call; ``why`` is a code. It may be asked again at any time."""

    why: str


RefundAnswer = Ready | Waits | Confirmed | Pending | Failed


def refund_nonce(payment: PaymentId) -> Bytes32:
    """The nonce of a payment's refund: SHA-256 over a fixed text and the payment's identity."""
    return Bytes32(hashlib.sha256((_NONCE_DOMAIN + str(payment)).encode()).digest())


def refund_authorization(incoming: SettleRequest, treasury: Address) -> Authorization:
    """What ``treasury`` signs to give ``incoming`` back: its exact amount (atomic units), to its payer. Pure."""
    paid = incoming.authorization
    return Authorization(
        from_=treasury,
        to=paid.from_,
        value=paid.value,
        valid_after=0,
        valid_before=paid.valid_before + VALID_SECONDS,
        nonce=refund_nonce(incoming.payment_id),
    )


def refund_request(incoming: SettleRequest, authorization: Authorization, signature: bytes) -> SettleRequest:
    """The refund as settle takes any payment. Before the payment was seen nobody could know its refund's nonce."""
    return SettleRequest(
        network=incoming.network,
        asset=incoming.asset,
        authorization=authorization,
        signature=signature,
        seen_block=incoming.seen_block,
        seller=REFUND,
        max_timeout_seconds=incoming.max_timeout_seconds,
        resource_url="",
    )


def answer_to_json(answer: RefundAnswer) -> dict[str, Any]:
    """JSON form of an answer; that of an outcome is settle's own."""
    match answer:
        case Ready():
            return {"outcome": "ready"}
        case Waits():
            return {"outcome": "waits", "why": answer.why}
        case _:
            return outcome_to_json(answer)


def answer_from_json(data: dict[str, Any]) -> RefundAnswer:
    """Read ``answer_to_json`` back. Raises ``ValueError`` or ``KeyError``: the caller treats that as unknown."""
    match data["outcome"]:
        case "ready":
            return Ready()
        case "waits":
            return Waits(str(data["why"]))
        case _:
            return outcome_from_json(data)
