"""The states of a payment and of a settlement, and the only moves between them.

The arrows are data: the ledger derives every DynamoDB condition from them, and a test compares
them with the picture in docs/architecture.md.
"""

from collections.abc import Mapping
from enum import StrEnum


class Flow(StrEnum):
    """What comes first, as in x402's ``extra.paymentFlow``.

    AUTHORIZATION: the upstream runs, then its 2xx is settled. UPFRONT: the payment is settled, then the
    upstream runs, once; what it does not deliver is owed back (REFUND_DUE).
    """

    AUTHORIZATION = "authorization"
    UPFRONT = "upfront"


class State(StrEnum):
    """Where a payment stands in the seller's ledger. CLAIMED, EXECUTING_PAID and FULFILLED are of the upfront flow.

    GRANTED is of a route whose answer is not made here: the authorizer let its request through, once.
    """

    EXECUTING = "EXECUTING"
    CLAIMED = "CLAIMED"
    SETTLING = "SETTLING"
    SETTLED = "SETTLED"
    EXECUTING_PAID = "EXECUTING_PAID"
    FULFILLED = "FULFILLED"
    GRANTED = "GRANTED"
    REVERSED = "REVERSED"
    UNPAID = "UNPAID"
    UNRESOLVED = "UNRESOLVED"
    RELEASED = "RELEASED"
    PAID_UNSERVED = "PAID_UNSERVED"
    REFUND_DUE = "REFUND_DUE"
    REFUNDED = "REFUNDED"
    CREDITED = "CREDITED"


# Neither at its end nor given up: what an operator is called for when it lasts. The others are only looked at again.
OPEN = frozenset(
    {State.EXECUTING, State.CLAIMED, State.SETTLING, State.EXECUTING_PAID, State.REVERSED, State.UNRESOLVED}
)

# The buyer's money is here, and nothing was given for it.
OWED_BACK = frozenset({State.PAID_UNSERVED, State.REFUND_DUE})


class SettlementState(StrEnum):
    """Where a settlement stands in the facilitator's ledger."""

    RESERVED = "RESERVED"
    SIGNED = "SIGNED"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


TRANSITIONS: Mapping[State | None, frozenset[State]] = {
    None: frozenset({State.EXECUTING, State.CLAIMED}),
    State.EXECUTING: frozenset({State.SETTLING, State.RELEASED}),
    State.CLAIMED: frozenset({State.SETTLING, State.RELEASED}),
    State.SETTLING: frozenset({State.SETTLED, State.UNPAID, State.UNRESOLVED}),
    # Straight to the end: settled again after a reorganisation, and served or owed back before (never run twice).
    State.SETTLED: frozenset({State.REVERSED, State.EXECUTING_PAID, State.FULFILLED, State.GRANTED, State.REFUND_DUE}),
    State.EXECUTING_PAID: frozenset({State.FULFILLED, State.REFUND_DUE}),
    State.FULFILLED: frozenset({State.REVERSED}),
    # Owed back by the operator's word: what became of the request behind the grant nobody here learns.
    State.GRANTED: frozenset({State.REVERSED, State.REFUND_DUE}),
    State.REVERSED: frozenset({State.SETTLING}),
    State.UNRESOLVED: frozenset({State.SETTLING}),
    State.RELEASED: frozenset({State.PAID_UNSERVED}),
    State.UNPAID: frozenset({State.PAID_UNSERVED}),
    State.PAID_UNSERVED: frozenset({State.REFUNDED}),
    State.REFUND_DUE: frozenset({State.REFUNDED, State.CREDITED, State.REVERSED}),
    State.REFUNDED: frozenset(),
    State.CREDITED: frozenset(),
}

SETTLEMENT_TRANSITIONS: Mapping[SettlementState | None, frozenset[SettlementState]] = {
    # Straight to the end: a payment that was already used, or expired, when it was first brought here.
    None: frozenset({SettlementState.RESERVED, SettlementState.CONFIRMED, SettlementState.FAILED}),
    SettlementState.RESERVED: frozenset({SettlementState.SIGNED}),
    SettlementState.SIGNED: frozenset({SettlementState.CONFIRMED, SettlementState.FAILED}),
    # Back again when the block of the proof is gone: the same bytes are sent again (threat 57).
    SettlementState.CONFIRMED: frozenset({SettlementState.SIGNED}),
    SettlementState.FAILED: frozenset(),
}
