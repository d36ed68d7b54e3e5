"""One call of settle, and what is different about it when the seller is elsewhere."""

from dataclasses import dataclass, replace

from tollgate.chain.evm import ChainCheck
from tollgate.errors import Refusal
from tollgate.facilitator.ports import Lane
from tollgate.payment.settlement import SettleRequest
from tollgate.wire.reasons import Reason

# As where a payment is claimed: a node that is ahead may have told the height of a later block than the one
# in which another would show the use. A nonce has one use, so looking at more is harmless.
SEEN_BLOCK_MARGIN = 30


@dataclass(frozen=True, slots=True)
class Guest:
    """A seller elsewhere: no gateway of ours claimed the payment while its nonce was unused.

    ``daily_cap`` is how many settlements it may have begun on one UTC day.
    """

    daily_cap: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of settle. ``deadline`` is when the process may be gone, ``until`` when to answer."""

    request: SettleRequest
    lane: Lane
    deadline: float
    until: float
    guest: Guest | None = None

    def seen(self, check: ChainCheck) -> "Call":
        """A guest's payment is seen unused here for the first time, if at all; others say where they saw it."""
        if self.guest is None:
            return self
        seen_block = max(0, check.head.number - SEEN_BLOCK_MARGIN)
        return replace(self, request=replace(self.request, seen_block=seen_block))


def refuse_unsettleable(call: Call, check: ChainCheck) -> None:
    """Raise ``Refusal`` for a payment that nobody here knows and that the token would not move now.

    One whose nonce is used may be a stranger's, copied from the chain: success is never told of it (threats
    113, 115). Nothing was reserved, so nothing of it can move through us.
    """
    if check.nonce_used:
        raise Refusal(Reason.NONCE_ALREADY_USED, "this authorization was used already, and not by a settlement of ours")
    if check.balance < call.request.authorization.value:
        raise Refusal(Reason.INSUFFICIENT_FUNDS, "the payer's balance is below the amount")
    if not check.would_succeed:
        raise Refusal(Reason.SIMULATION_FAILED, "the token would refuse this transfer at the moment")
