"""What a payer may have open here at once, and what is done when that is reached (threats 62, 72).

Payments that are signed over one balance may not become transactions that revert, and no payer may fill a
relayer's queue. What the payer has open is ended first: a seller elsewhere that never asks again leaves settlements
behind that mined, or expired, long ago.
"""

from tollgate.errors import Refusal
from tollgate.facilitator.call import Call
from tollgate.facilitator.ports import Clock, SettlementLedger, Sleep
from tollgate.facilitator.signing import Market, SlotSigner
from tollgate.facilitator.verdicts import Verdicts
from tollgate.ledger.room import NoRoom
from tollgate.ledger.settlement_items import Settlement
from tollgate.payment.events import Event, Journal
from tollgate.payment.settlement import Pending, SettleOutcome
from tollgate.payment.states import SettlementState
from tollgate.wire.reasons import Reason

# The rest is left to the payer's next payments.
_MOST_ENDED = 3
_LONGEST_PAUSE_SECONDS = 2.0
# Before the chain is asked again what the payer has left.
_STALE_PAUSE_SECONDS = 0.1

_SENTENCES = {
    Reason.PAYER_FULL: "the payer has too much open here for its balance, or too many settlements: try again later",
    Reason.PAYER_BLOCKED: "too many settlements of this payer reverted within an hour: try again in an hour",
}


class FullPayers:
    """Answers for payments that find no room."""

    def __init__(
        self,
        signing: SlotSigner,
        verdicts: Verdicts,
        ledger: SettlementLedger,
        journal: Journal,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._signing = signing
        self._verdicts = verdicts
        self._ledger = ledger
        self._journal = journal
        self._clock = clock
        self._sleep = sleep

    def _signed(self, known: Settlement | None, market: Market) -> Settlement | None:
        """The settlement, if it can have ended. One that a dead owner left without bytes gets some, or it would hold
        its room for ever: those of a guest that never asks again are met by nobody else."""
        if known is None or known.state is not SettlementState.RESERVED or known.alive(self._clock()):
            return known if known is not None and known.state is SettlementState.SIGNED else None
        expired = market.head.timestamp >= known.request.authorization.valid_before
        signed = self._signing.sign(known, market, filler=expired)
        return signed if signed is not None and signed.state is SettlementState.SIGNED else None

    def make_room(self, call: Call, full: NoRoom, market: Market, *, soon: bool) -> bool:
        """End what has ended on chain, else wait for a block; whether it is worth another look before the deadline.
        Who only looked too early looks again ``soon``, or after a block."""
        pause = min(call.lane.info.block_seconds, _LONGEST_PAUSE_SECONDS)
        if full.stale:
            self._sleep(_STALE_PAUSE_SECONDS if soon else pause)
            return self._clock() < call.until
        if full.blocked or self._clock() + pause >= call.until:
            return False
        ended = False
        looked_at = 0
        for payment in full.open:
            if looked_at == _MOST_ENDED:
                break
            known = self._signed(self._ledger.get(payment), market)
            if known is not None:
                looked_at += 1
                outcome = self._verdicts.judge(call.lane, known.request, known, call.until, expect_use=False)
                ended = ended or not isinstance(outcome, Pending)
        if not ended:
            self._sleep(pause)
        return self._clock() < call.until

    def answer(self, call: Call, full: NoRoom) -> SettleOutcome:
        """Nothing was reserved. Of our own gateway's payment the outcome is open: it was claimed, and whoever holds
        the signature may submit it. A guest is refused with ``Refusal``."""
        reason = Reason.PAYER_BLOCKED if full.blocked else Reason.PAYER_FULL
        if call.guest is not None:
            raise Refusal(reason, _SENTENCES[reason])
        self._journal.record(Event.SETTLEMENT_PENDING, payment=call.request.payment_id.digest, why=reason.value)
        return Pending()
