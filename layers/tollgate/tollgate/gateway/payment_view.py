"""How a payment stands, in words for its payer: nothing of leases, owners, addresses, identifiers or other payments."""

from collections.abc import Mapping
from typing import Any

from tollgate.payment.record import Payment
from tollgate.payment.states import Flow, State

# What is said of each state: a word for programs, a sentence that says what to do.
WORDS: Mapping[State, tuple[str, str]] = {
    State.EXECUTING: ("in_progress", "It is being served; nothing is charged yet. Send the same payment again."),
    State.CLAIMED: ("in_progress", "It is about to be settled; nothing is charged yet. Send the same payment again."),
    State.SETTLING: ("settlement_pending", "Whether it was charged is not known yet: do not sign a new one for this."),
    State.REVERSED: ("settlement_pending", "Its block left the chain; it is being settled again: do not sign anew."),
    State.SETTLED: ("settled", "Charged once, and served; for a day the same payment gets its answer again."),
    State.EXECUTING_PAID: ("paid", "Charged; its answer is being made. Send the same payment again."),
    State.FULFILLED: ("settled", "Charged once, and served; for a day the same payment gets its answer again."),
    State.GRANTED: ("settled", "Charged once, and let through to what it paid for, once."),
    State.RELEASED: ("not_charged", "Given up and not charged; it will not be used. A new payment is right."),
    State.UNPAID: ("not_charged", "Proven never to be charged. A new payment is right."),
    State.UNRESOLVED: ("unresolved", "Nobody can say yet whether it was charged. Ask the seller, naming the payment."),
    State.PAID_UNSERVED: ("refund_due", "Charged, and nothing was delivered for it. The seller owes the amount."),
    State.REFUND_DUE: ("refund_due", "Charged, and nothing was delivered for it. The seller owes the amount."),
    State.REFUNDED: ("refunded", "The amount was sent back."),
    State.CREDITED: ("credited", "The amount was made good in another way than on chain."),
}
_PAID = ("paid", "Charged; its answer is not made yet. Send the same payment again.")
_SENT = frozenset({"BROADCAST", State.SETTLED.value, State.PAID_UNSERVED.value})
_BACK = frozenset({State.REFUNDED.value, State.CREDITED.value})


def word_of(payment: Payment) -> tuple[str, str]:
    """The word and the sentence for how it stands."""
    unserved = payment.state is State.SETTLED and payment.claim.flow is Flow.UPFRONT
    return _PAID if unserved else WORDS[payment.state]


def receipted(payment: Payment) -> bool:
    """Whether a receipt may say that it was paid and served: settled, not reversed, and nothing of it owed back."""
    return payment.transaction is not None and word_of(payment)[0] == "settled"


def view(payment: Payment) -> dict[str, Any]:
    """The payment as its payer sees it. Amounts are atomic units, times Unix seconds."""
    claim = payment.claim
    state, sentence = word_of(payment)
    shown = {
        "payment": payment.id.digest,
        "state": state,
        "sentence": sentence,
        "network": str(payment.id.network),
        "asset": str(payment.id.asset),
        "amount": str(claim.authorization.value),
        "payer": str(payment.id.payer),
        "payTo": str(claim.authorization.to),
        "route": claim.route,
        "resource": claim.resource_url,
        "flow": claim.flow.value,
        "claimedAt": claim.claimed_at,
        "validBefore": claim.authorization.valid_before,
        "settledAt": payment.settled_at,
        "servedAt": payment.served_at,
        "reason": None if payment.reason is None else payment.reason.value,
        "transaction": None if payment.transaction is None else str(payment.transaction),
        "transactions": _transactions(payment),
        "refund": _refund(payment, state),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _transactions(payment: Payment) -> list[str]:
    """Every transaction that brought it, or tried to, oldest first."""
    named = [move.detail for move in payment.moves if move.what in _SENT and move.detail.startswith("0x")]
    if payment.transaction is not None:
        named.append(str(payment.transaction))
    return list(dict.fromkeys(named))


def _refund(payment: Payment, state: str) -> dict[str, Any] | None:
    """What to name when asking for it, and what became of it."""
    if state not in ("refund_due", "refunded", "credited"):
        return None
    done = next((move for move in reversed(payment.moves) if move.what in _BACK), None)
    shown = {
        "reference": payment.id.digest,
        "why": payment.refund_why,
        "begunAt": payment.refund_begun_at,
        "transaction": done.detail if done is not None and state == "refunded" else None,
        "credit": done.detail if done is not None and state == "credited" else None,
    }
    return {name: value for name, value in shown.items() if value}
