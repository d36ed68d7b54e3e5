"""What each state of a payment means, and what comes next, in a sentence; docs/operations.md has the paragraphs."""

from collections.abc import Mapping
from dataclasses import dataclass

from tollgate.payment.states import State


@dataclass(frozen=True, slots=True)
class Said:
    """``means`` what happened so far, ``then`` what comes next, by itself or by the operator."""

    means: str
    then: str


_SETTLED = "nothing, once its block is final; a block that disappears makes it REVERSED"
STATES: Mapping[State, Said] = {
    State.EXECUTING: Said(
        "claimed; its upstream is running, or the process died while it did",
        "its owner moves it on; once the lease is over, reconcile or a resend releases it",
    ),
    State.CLAIMED: Said(
        "claimed for settling first; nothing ran and nothing was charged yet",
        "its owner settles it; if that died, a resend takes it over, or reconcile releases it after its deadline",
    ),
    State.SETTLING: Said(
        "the settlement has begun; whether money moved is not known yet",
        "reconcile asks again until it is SETTLED or proven UNPAID",
    ),
    State.SETTLED: Said("paid and booked", _SETTLED),
    State.EXECUTING_PAID: Said(
        "paid, and its upstream is running",
        "FULFILLED or REFUND_DUE; when its owner dies, REFUND_DUE: it is never run again",
    ),
    State.FULFILLED: Said("paid and served", _SETTLED),
    State.GRANTED: Said("paid, and let through to the REST API behind the authorizer, once", _SETTLED),
    State.REVERSED: Said(
        "its block disappeared from the chain, and its revenue was taken back",
        "reconcile settles it again, with the same authorization",
    ),
    State.UNPAID: Said(
        "served, and proven never to be paid",
        "nothing but one more look after its deadline; the debt row says for how much",
    ),
    State.UNRESOLVED: Said(
        "its deadline passed and no RPC endpoint could say what happened",
        "reconcile asks again every 15 minutes: mend the RPC secret",
    ),
    State.RELEASED: Said(
        "given up and not charged",
        "nothing but one more look after its deadline, in case somebody used the authorization all the same",
    ),
    State.PAID_UNSERVED: Said(
        "given up, and put on chain by somebody all the same: money for nothing",
        "a refund of yours, then tollgate payments refunded",
    ),
    State.REFUND_DUE: Said(
        "charged, and nothing was delivered for it",
        "a refund, or tollgate payments credited",
    ),
    State.REFUNDED: Said("the money was given back", "nothing: final"),
    State.CREDITED: Said("made good in another way than on chain", "nothing: final"),
}
