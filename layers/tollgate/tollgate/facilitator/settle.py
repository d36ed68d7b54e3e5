"""Settle: put a signed authorization on chain exactly once, whoever asks, however often, whatever dies.

    validate -> one look at the chain -> reserve -> sign -> store the bytes -> broadcast -> proof -> store

Every line can be the last one that an invocation reaches. The next call for the same payment goes on
from what the ledger holds: a reservation whose lease ran out is signed, stored bytes are sent again
(or, stored first, the same with a higher fee), an outcome is returned as stored while its block stands.
What nobody can tell yet is ``Pending``.
"""

from collections.abc import Callable

from tollgate.chain.evm import Preparation
from tollgate.errors import ChainUnavailable, LostRace, Refusal
from tollgate.facilitator.call import Call, Guest, refuse_unsettleable
from tollgate.facilitator.delivery import Delivery
from tollgate.facilitator.ports import Clock, Lane, Lanes, SettlementLedger, Sleep
from tollgate.facilitator.relayers import Relayers
from tollgate.facilitator.replacing import Replacing
from tollgate.facilitator.reserving import Reserving
from tollgate.facilitator.room import FullPayers
from tollgate.facilitator.signing import Market, SlotSigner
from tollgate.facilitator.verdicts import Verdicts, budget, same_business
from tollgate.ledger.room import NoRoom
from tollgate.ledger.settlement_items import Settlement
from tollgate.ledger.settlements import KnownSettlement, NonceTaken
from tollgate.payment.events import Event, Journal
from tollgate.payment.settlement import Confirmed, Failed, Pending, SettleOutcome, SettleRequest, TransferProof
from tollgate.payment.states import SettlementState
from tollgate.schemes.exact import eip3009
from tollgate.wire.reasons import Reason

# What is kept back of the deadline for the last write and the answer.
MARGIN_SECONDS = 2.0


class _Full(Exception):
    """The payer has no room, at this market."""

    def __init__(self, room: NoRoom, market: Market) -> None:
        super().__init__(str(room))
        self.room = room
        self.market = market


class SettleService:
    """The use case. ``fee_cap`` is wei per gas; ``most_open``, ``jitter`` and ``new_owner`` as in ``Reserving``."""

    def __init__(
        self,
        lanes: Lanes,
        relayers: Relayers,
        ledger: SettlementLedger,
        journal: Journal,
        *,
        fee_cap: int,
        most_open: int,
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
        self._reserving = Reserving(
            relayers,
            ledger,
            journal,
            most_open=most_open,
            clock=clock,
            sleep=sleep,
            jitter=jitter,
            new_owner=new_owner,
        )
        self._signing = SlotSigner(relayers, ledger, journal)
        self._verdicts = Verdicts(relayers, ledger, journal, clock, sleep)
        replacing = Replacing(relayers, ledger, journal)
        self._full_payers = FullPayers(self._signing, self._verdicts, ledger, journal, clock, sleep)
        self._delivery = Delivery(self._signing, replacing, self._verdicts, ledger, journal, clock, sleep)

    def settle(self, request: SettleRequest, deadline: float, guest: Guest | None = None) -> SettleOutcome:
        """Settle, or say how it stands. ``deadline`` is Unix seconds; idempotent. ``guest``: the seller is elsewhere.

        Raises ``Refusal``, having written and sent nothing: INVALID_NETWORK, INVALID_REQUIREMENTS (an
        asset that is not ours to settle), SIGNATURE, DUPLICATE_SETTLEMENT (the authorization is being,
        or was, settled for another seller or on other terms); for a guest also DAILY_CAP, PAYER_FULL, PAYER_BLOCKED,
        and what the chain says against a payment that is not known here. A refusal says nothing about the money.
        """
        try:
            outcome = self._checked(request, deadline, guest)
        except Refusal as refused:
            self._journal.record(Event.PAYMENT_REFUSED, payment=request.payment_id.digest, reason=refused.reason.value)
            raise
        self._report(request, outcome)
        return outcome

    def _checked(self, request: SettleRequest, deadline: float, guest: Guest | None) -> SettleOutcome:
        try:
            lane = self._lane(request)
            eip3009.check_signature(lane.asset, request.network, request.authorization, request.signature)
            return self._settle(Call(request, lane, deadline, deadline - MARGIN_SECONDS, guest))
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

    def _settle(self, call: Call) -> SettleOutcome:
        found_full = found_stale = False
        while True:
            try:
                return self._attempt(call)
            except _Full as full:
                # Stale twice: its endpoint lags, and is given a block's time and not more questions.
                soon = not found_stale
                if found_full or not self._full_payers.make_room(call, full.room, full.market, soon=soon):
                    return self._full_payers.answer(call, full.room)
                found_full, found_stale = not full.room.stale, full.room.stale

    def _attempt(self, call: Call) -> SettleOutcome:
        """Raises ``_Full``, having reserved nothing, when the payer has too much open."""
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
        call = call.seen(check)
        request = call.request
        if check.nonce_used or not check.would_succeed or market.fees is None:
            known = self._ledger.get(request.payment_id)
            if known is None:
                return self._without_reservation(call, preparation)
            return self._resume(call, same_business(known, request), preparation, market)
        try:
            reserved, chain_nonce = self._reserving.reserve(call, preparation, market.fees)
        except KnownSettlement as known_:
            return self._resume(call, same_business(known_.settlement, request), preparation, market)
        except NoRoom as room:
            raise _Full(room, market) from room
        except NonceTaken:
            # Crowded out until the deadline: nothing was reserved.
            return Pending()
        signed = self._signing.sign(reserved, market, filler=False)
        if signed is None or reserved.slot is None:
            return Pending()
        if signed.filler or signed.state is not SettlementState.SIGNED:
            # We were slower than our own lease, and somebody finished for us.
            return self._resume(call, signed, preparation, market)
        return self._delivery.deliver(lane, signed, chain_nonce, market, call.until)

    def _without_reservation(self, call: Call, preparation: Preparation) -> SettleOutcome:
        """The authorization cannot be settled by us as things are: has that been decided for good?

        A simulation that fails proves nothing: after a refill anyone can submit it again (rule 2).
        """
        if call.guest is not None:
            refuse_unsettleable(call, preparation.check)
        a = call.request.authorization
        used = preparation.check.nonce_used
        if not used and preparation.check.head.timestamp < a.valid_before:
            why = "the transfer would fail" if not preparation.check.would_succeed else "fees are above the cap"
            self._journal.record(Event.SETTLEMENT_PENDING, payment=call.request.payment_id.digest, why=why)
            return Pending()
        return self._verdicts.judge(call.lane, call.request, None, call.until, expect_use=used)

    def _resume(self, call: Call, known: Settlement, preparation: Preparation, market: Market) -> SettleOutcome:
        """Go on from what the ledger holds."""
        lane, request = call.lane, call.request
        if known.proof is not None and not self._verdicts.stands(lane, known.proof, call.until):
            reopened = self._reopen(known, known.proof)
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
            # Its own could not take it then, or the keys were changed since.
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
        spent = chain_nonce > slot.nonce
        if spent and not known.filler and (outcome := self._delivery.recall(lane, known, call.until)) is not None:
            return outcome
        if known.filler and not spent:
            self._delivery.hand_over(lane, known, chain_nonce, market, call.until)
        if known.filler or used or expired or spent:
            # Expired too: bytes that never mine (no gas, fees above them) must not keep it open for ever.
            expect_use = used and (known.filler or spent)
            outcome = self._verdicts.judge(lane, request, known, call.until, expect_use=expect_use)
            if known.filler or spent or not isinstance(outcome, Pending):
                return outcome
        return self._delivery.deliver(lane, known, chain_nonce, market, call.until)

    def _reopen(self, known: Settlement, gone: TransferProof) -> Settlement | None:
        self._journal.record(
            Event.SETTLEMENT_PENDING,
            payment=known.id.digest,
            transaction=str(gone.transaction),
            why="the block of the proof is gone",
        )
        return self._ledger.reopen(known, int(self._clock()))

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
