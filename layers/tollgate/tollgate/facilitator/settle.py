"""Settle: put a signed authorization on chain exactly once, whoever asks, however often, whatever dies.

    validate -> one look at the chain -> reserve -> sign -> store the bytes -> broadcast -> proof -> store

Every line can be the last one that an invocation reaches. The next call for the same payment goes on
from what the ledger holds: a reservation whose lease ran out is signed, stored bytes are sent again
(always the same), an outcome is returned as stored while its block stands. What nobody can tell yet
is ``Pending``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from tollgate.chain.evm import Preparation
from tollgate.errors import ChainUnavailable, LostRace, Refusal
from tollgate.facilitator.delivery import Delivery
from tollgate.facilitator.ports import Clock, Lane, Lanes, SettlementLedger, Sleep
from tollgate.facilitator.relayers import Relayers
from tollgate.facilitator.signing import Market, SlotSigner
from tollgate.facilitator.verdicts import Verdicts, budget, same_business
from tollgate.ledger.settlement_items import Settlement
from tollgate.ledger.settlements import FarAhead, KnownSettlement, NonceTaken
from tollgate.payment.events import Event, Journal
from tollgate.payment.settlement import Confirmed, Failed, Pending, SettleOutcome, SettleRequest
from tollgate.payment.states import SettlementState
from tollgate.schemes.exact import eip3009
from tollgate.wire.reasons import Reason

# What is kept back of the deadline for the last write and the answer.
MARGIN_SECONDS = 2.0
# Rule 11: a lease outlives its invocation.
LEASE_SLACK_SECONDS = 5
_RESERVE_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of settle. ``deadline`` is when the process may be gone, ``until`` when to answer."""

    request: SettleRequest
    lane: Lane
    deadline: float
    until: float


class SettleService:
    """The use case. ``jitter`` gives numbers in 0..1, ``new_owner`` a fresh random token."""

    def __init__(
        self,
        lanes: Lanes,
        relayers: Relayers,
        ledger: SettlementLedger,
        journal: Journal,
        *,
        fee_cap: int,
        clock: Clock,
        sleep: Sleep,
        jitter: Callable[[], float],
        new_owner: Callable[[], str],
    ) -> None:
        self._lanes = lanes
        self._relayers = relayers
        self._ledger = ledger
        self._journal = journal
        self._fee_cap = fee_cap
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._new_owner = new_owner
        self._signing = SlotSigner(relayers, ledger, journal)
        self._verdicts = Verdicts(relayers, ledger, journal, clock, sleep)
        self._delivery = Delivery(self._signing, self._verdicts, ledger, journal, clock, sleep)

    def settle(self, request: SettleRequest, deadline: float) -> SettleOutcome:
        """Settle, or say how it stands. ``deadline`` is Unix seconds; idempotent.

        Raises ``Refusal``, having written and sent nothing: INVALID_NETWORK, INVALID_REQUIREMENTS (an
        asset that is not ours to settle), SIGNATURE, DUPLICATE_SETTLEMENT (the authorization is being,
        or was, settled for another seller or on other terms). A refusal says nothing about the money.
        """
        try:
            outcome = self._checked(request, deadline)
        except Refusal as refused:
            self._journal.record(Event.PAYMENT_REFUSED, payment=request.payment_id.digest, reason=refused.reason.value)
            raise
        self._report(request, outcome)
        return outcome

    def _checked(self, request: SettleRequest, deadline: float) -> SettleOutcome:
        try:
            lane = self._lane(request)
            eip3009.check_signature(lane.asset, request.network, request.authorization, request.signature)
            return self._settle(_Call(request, lane, deadline, deadline - MARGIN_SECONDS))
        except ChainUnavailable as down:
            self._journal.record(Event.CHAIN_UNAVAILABLE, network=str(request.network), why=str(down))
        except LostRace:
            # Somebody else moved it on: what the ledger holds now is the answer.
            pass
        known = self._ledger.get(request.payment_id)
        return same_business(known, request).outcome if known else Pending()

    def _lane(self, request: SettleRequest) -> Lane:
        lane = self._lanes.get(request.network)
        if lane is None:
            raise Refusal(Reason.INVALID_NETWORK, f"this facilitator does not settle on {request.network}")
        if lane.asset.address != request.asset:
            raise Refusal(Reason.INVALID_REQUIREMENTS, f"this facilitator does not settle {request.asset}")
        return lane

    def _settle(self, call: _Call) -> SettleOutcome:
        request, lane = call.request, call.lane
        relayer = self._relayers.pick(request.payment_id).address()
        preparation = lane.chain.prepare(
            lane.asset,
            request.authorization,
            request.signature,
            relayer,
            budget(call.until, self._clock()),
        )
        market = Market.of(preparation, self._fee_cap)
        check = preparation.check
        if check.nonce_used or not check.would_succeed or market.fees is None:
            known = self._ledger.get(request.payment_id)
            if known is None:
                return self._without_reservation(call, preparation)
            return self._resume(call, same_business(known, request), preparation, market)
        try:
            reserved = self._reserve(call, preparation)
        except KnownSettlement as known_:
            return self._resume(call, same_business(known_.settlement, request), preparation, market)
        except NonceTaken:
            # Crowded out until the deadline: nothing was reserved.
            return Pending()
        signed = self._signing.sign(reserved, market, filler=False)
        if signed is None or reserved.slot is None:
            return Pending()
        if signed.filler or signed.state is not SettlementState.SIGNED:
            # We were slower than our own lease, and somebody finished for us.
            return self._resume(call, signed, preparation, market)
        return self._delivery.deliver(lane, signed, preparation.chain_nonce, market, call.until)

    def _without_reservation(self, call: _Call, preparation: Preparation) -> SettleOutcome:
        """The authorization cannot be settled by us as things are: has that been decided for good?

        A simulation that fails proves nothing: after a refill anyone can submit it again (rule 2).
        """
        a = call.request.authorization
        used = preparation.check.nonce_used
        if not used and preparation.check.head.timestamp < a.valid_before:
            why = "the transfer would fail" if not preparation.check.would_succeed else "fees are above the cap"
            self._journal.record(Event.SETTLEMENT_PENDING, payment=call.request.payment_id.digest, why=why)
            return Pending()
        return self._verdicts.judge(call.lane, call.request, None, call.until, expect_use=used)

    def _reserve(self, call: _Call, preparation: Preparation) -> Settlement:
        """Win a nonce, before anything is signed. Raises ``KnownSettlement``, ``NonceTaken``."""
        request = call.request
        relayer = self._relayers.pick(request.payment_id).address()
        owner = self._new_owner()
        lease_until = ceil(call.deadline) + LEASE_SLACK_SECONDS
        chain_nonce, asked_twice = preparation.chain_nonce, False
        while True:
            try:
                reserved = self._ledger.reserve(
                    request, relayer, chain_nonce, owner, lease_until, asked_twice=asked_twice
                )
            except FarAhead:
                # One wrong answer would move the counter for ever; too low a nonce harms one payment only.
                left = budget(call.until, self._clock())
                chain_nonce = min(chain_nonce, call.lane.chain.transaction_count(relayer, left))
                asked_twice = True
                continue
            except NonceTaken:
                if self._clock() >= call.until:
                    raise
                self._sleep(_RESERVE_PAUSE_SECONDS * self._jitter())
                continue
            self._journal.record(
                Event.SETTLEMENT_RESERVED,
                payment=request.payment_id.digest,
                relayer=str(relayer),
                nonce=reserved.slot.nonce if reserved.slot else None,
            )
            return reserved

    def _resume(self, call: _Call, known: Settlement, preparation: Preparation, market: Market) -> SettleOutcome:
        """Go on from what the ledger holds."""
        lane, request = call.lane, call.request
        if known.proof is not None and not self._verdicts.stands(lane, known.proof, call.until):
            self._journal.record(
                Event.SETTLEMENT_PENDING,
                payment=request.payment_id.digest,
                transaction=str(known.proof.transaction),
                why="the block of the proof is gone",
            )
            reopened = self._ledger.reopen(known)
            if reopened is None:
                return Pending()
            known = reopened
        slot = known.slot
        if slot is None or known.state in (SettlementState.CONFIRMED, SettlementState.FAILED):
            return known.outcome
        used = preparation.check.nonce_used
        expired = preparation.check.head.timestamp >= request.authorization.valid_before
        chain_nonce = preparation.chain_nonce
        if slot.relayer != self._relayers.pick(request.payment_id).address():
            # The keys were changed since.
            left = budget(call.until, self._clock())
            chain_nonce = lane.chain.transaction_count(slot.relayer, left)
        if known.state is SettlementState.RESERVED:
            if known.alive(self._clock()):
                return Pending()
            signed = self._signing.sign(known, market, filler=used or expired)
            if signed is None:
                return self._verdicts.judge(lane, request, known, call.until, expect_use=used)
            if signed.state is not SettlementState.SIGNED:
                return signed.outcome
            known = signed
        if known.filler and chain_nonce <= slot.nonce:
            self._delivery.hand_over(lane, known, chain_nonce, market, call.until)
        if known.filler or used or expired or chain_nonce > slot.nonce:
            # Expired too: bytes that never mine (no gas, fees above them) must not keep it open for ever.
            outcome = self._verdicts.judge(
                lane,
                request,
                known,
                call.until,
                expect_use=used and (known.filler or chain_nonce > slot.nonce),
            )
            if known.filler or chain_nonce > slot.nonce or not isinstance(outcome, Pending):
                return outcome
        return self._delivery.deliver(lane, known, chain_nonce, market, call.until)

    def _report(self, request: SettleRequest, outcome: SettleOutcome) -> None:
        payment = request.payment_id.digest
        match outcome:
            case Confirmed():
                self._journal.record(
                    Event.SETTLEMENT_CONFIRMED,
                    payment=payment,
                    transaction=str(outcome.proof.transaction),
                    ours=outcome.ours,
                )
            case Failed():
                self._journal.record(Event.SETTLEMENT_FAILED, payment=payment, reason=outcome.reason.value)
            case Pending():
                transaction = str(outcome.transaction) if outcome.transaction else None
                self._journal.record(Event.SETTLEMENT_PENDING, payment=payment, transaction=transaction)
