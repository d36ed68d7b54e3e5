"""Getting stored bytes mined: broadcast, keep the queue below moving, wait, raise the fee, and read the receipt."""

from dataclasses import replace

from tollgate.chain.evm import BroadcastRefused, Receipt
from tollgate.errors import ChainUnavailable
from tollgate.facilitator.ports import Clock, Lane, SettlementLedger, Sleep
from tollgate.facilitator.queue import NonceQueue
from tollgate.facilitator.replacing import Replacing
from tollgate.facilitator.signing import Market, SlotSigner
from tollgate.facilitator.verdicts import Verdicts, budget
from tollgate.ledger.settlement_items import Settlement, SignedBytes, Slot, settlement_key
from tollgate.payment.events import Event, Journal
from tollgate.payment.settlement import SettleOutcome, TransferProof
from tollgate.payment.states import SettlementState
from tollgate.schemes.exact import eip3009

# After so many blocks without a receipt the queue is looked at again, and the bytes are sent again.
_ROUND_BLOCKS = 2
_SHORTEST_ROUND_SECONDS = 1.0


class Delivery:
    """Delivers SIGNED settlements. Only ever sends bytes that the ledger holds."""

    def __init__(
        self,
        signing: SlotSigner,
        replacing: Replacing,
        verdicts: Verdicts,
        ledger: SettlementLedger,
        journal: Journal,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._queue = NonceQueue(signing, replacing, ledger, journal, clock, sleep)
        self._replacing = replacing
        self._ledger = ledger
        self._verdicts = verdicts
        self._journal = journal
        self._clock = clock
        self._sleep = sleep

    def deliver(self, lane: Lane, signed: Settlement, chain_nonce: int, market: Market, until: float) -> SettleOutcome:
        """Broadcast and wait for the proof until ``until`` (Unix seconds); then ``Pending`` with the hash."""
        slot, _ = _signed(signed)
        length = max(_ROUND_BLOCKS * lane.info.block_seconds, _SHORTEST_ROUND_SECONDS)
        while True:
            receipt = None
            if chain_nonce <= slot.nonce:
                signed, receipt = self.hand_over(lane, signed, chain_nonce, market, until)
            if receipt is None:
                round_end = min(until, self._clock() + length)
                watched = _signed(signed)[1].transactions
                receipt = lane.chain.wait_receipt(watched, round_end, self._clock, self._sleep)
            if receipt is not None:
                return self._read(lane, signed, receipt, until)
            if self._clock() >= until:
                return signed.outcome
            try:
                state = lane.chain.relayer_state(slot.relayer, budget(until, self._clock()))
            except ChainUnavailable:
                continue
            chain_nonce, market = state.chain_nonce, market.now(state)
            if chain_nonce > slot.nonce:
                # Mined, but not as far as we watch: somebody else may have stored a further version.
                signed = self._ledger.get(signed.id) or signed
                if signed.state is not SettlementState.SIGNED:
                    return signed.outcome

    def recall(self, lane: Lane, signed: Settlement, until: float) -> SettleOutcome | None:
        """What became of bytes whose nonce is spent, in whoever's presence they mined; ``None``: not seen here."""
        if signed.reverted is not None:
            return None
        receipt = lane.chain.receipt(_signed(signed)[1].transactions, budget(until, self._clock()))
        return self._read(lane, signed, receipt, until) if receipt else None

    def hand_over(
        self, lane: Lane, signed: Settlement, chain_nonce: int, market: Market, until: float
    ) -> tuple[Settlement, Receipt | None]:
        """Broadcast once, after every lower open nonce, with a higher fee if it will not mine as it is.

        Returns what stands now. A refusal is not an outcome (threat 60).
        """
        slot, standing = _signed(signed)
        if chain_nonce < slot.nonce:
            self._queue.advance(lane.chain, slot, chain_nonce, market, until)
        is_next = chain_nonce == slot.nonce
        newest = self._replacing.newest(slot, settlement_key(signed.id), standing, market, is_next=is_next)
        signed = replace(signed, signed=newest)
        try:
            receipt = lane.chain.broadcast(newest.raw, budget(until, self._clock()))
        except (BroadcastRefused, ChainUnavailable) as problem:
            self._journal.record(
                Event.SETTLEMENT_PENDING,
                payment=signed.id.digest,
                transaction=str(newest.transaction),
                why=str(problem),
            )
            return signed, None
        self._journal.record(
            Event.SETTLEMENT_BROADCAST,
            payment=signed.id.digest,
            relayer=str(slot.relayer),
            nonce=slot.nonce,
            transaction=str(newest.transaction),
        )
        return signed, receipt

    def _read(self, lane: Lane, signed: Settlement, receipt: Receipt, until: float) -> SettleOutcome:
        """The proof is the log pair; without it we look for another use (threats 55, 56)."""
        request = signed.request
        if receipt.succeeded:
            transfer = eip3009.find_transfer(receipt.logs, request.asset, request.authorization)
            if transfer is not None:
                proof = TransferProof(
                    transaction=receipt.transaction,
                    log_index=transfer.log_index,
                    block_number=receipt.block_number,
                    block_hash=receipt.block_hash,
                    sender=receipt.sender,
                )
                return self._verdicts.confirm(request, signed, proof)
        else:
            signed = self._count(signed, receipt)
        return self._verdicts.judge(lane, request, signed, until, expect_use=False)

    def _count(self, signed: Settlement, receipt: Receipt) -> Settlement:
        """A revert costs us gas and proves nothing: it is held against its payer (threat 62)."""
        counted = self._ledger.count_revert(signed, receipt.transaction, int(self._clock()))
        self._journal.record(
            Event.SETTLEMENT_REVERTED,
            payment=signed.id.digest,
            payer=str(signed.request.authorization.from_),
            pay_to=str(signed.request.authorization.to),
            transaction=str(receipt.transaction),
        )
        return counted


def _signed(settlement: Settlement) -> tuple[Slot, SignedBytes]:
    if settlement.slot is None or settlement.signed is None:
        raise ValueError("only signed settlements are delivered")
    return settlement.slot, settlement.signed
