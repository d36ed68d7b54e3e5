"""Getting stored bytes mined: broadcast, keep the queue below moving, wait, and read the receipt."""

from tollgate.chain.evm import BroadcastRefused, Receipt
from tollgate.errors import ChainUnavailable
from tollgate.facilitator.ports import Clock, Lane, SettlementLedger, Sleep
from tollgate.facilitator.queue import NonceQueue
from tollgate.facilitator.signing import Market, SlotSigner
from tollgate.facilitator.verdicts import Verdicts, budget
from tollgate.ledger.settlement_items import Settlement, Slot
from tollgate.payment.events import Event, Journal
from tollgate.payment.settlement import SettleOutcome, TransferProof
from tollgate.schemes.exact import eip3009
from tollgate.wire.primitives import Bytes32

# After so many blocks without a receipt the queue is looked at again, and the bytes are sent again.
_ROUND_BLOCKS = 2
_SHORTEST_ROUND_SECONDS = 1.0


class Delivery:
    """Delivers SIGNED settlements. Only ever sends bytes that the ledger holds."""

    def __init__(
        self,
        signing: SlotSigner,
        verdicts: Verdicts,
        ledger: SettlementLedger,
        journal: Journal,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._queue = NonceQueue(signing, ledger, journal, clock, sleep)
        self._verdicts = verdicts
        self._journal = journal
        self._clock = clock
        self._sleep = sleep

    def deliver(self, lane: Lane, signed: Settlement, chain_nonce: int, market: Market, until: float) -> SettleOutcome:
        """Broadcast and wait for the proof until ``until`` (Unix seconds); then ``Pending`` with the hash."""
        slot, _, transaction = _signed(signed)
        length = max(_ROUND_BLOCKS * lane.info.block_seconds, _SHORTEST_ROUND_SECONDS)
        while True:
            receipt = None
            if chain_nonce <= slot.nonce:
                receipt = self.hand_over(lane, signed, chain_nonce, market, until)
            if receipt is None:
                round_end = min(until, self._clock() + length)
                receipt = lane.chain.wait_receipt(transaction, round_end, self._clock, self._sleep)
            if receipt is not None:
                return self._read(lane, signed, receipt, until)
            if self._clock() >= until:
                return signed.outcome
            try:
                chain_nonce = lane.chain.transaction_count(slot.relayer, budget(until, self._clock()))
            except ChainUnavailable:
                continue

    def hand_over(
        self, lane: Lane, signed: Settlement, chain_nonce: int, market: Market, until: float
    ) -> Receipt | None:
        """Broadcast once, after every lower open nonce. A refusal is not an outcome (threat 60)."""
        slot, raw, transaction = _signed(signed)
        if chain_nonce < slot.nonce:
            self._queue.advance(lane.chain, slot, chain_nonce, market, until)
        try:
            receipt = lane.chain.broadcast(raw, budget(until, self._clock()))
        except (BroadcastRefused, ChainUnavailable) as problem:
            self._journal.record(
                Event.SETTLEMENT_PENDING,
                payment=signed.id.digest,
                transaction=str(transaction),
                why=str(problem),
            )
            return None
        self._journal.record(
            Event.SETTLEMENT_BROADCAST,
            payment=signed.id.digest,
            relayer=str(slot.relayer),
            nonce=slot.nonce,
            transaction=str(transaction),
        )
        return receipt

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
        return self._verdicts.judge(lane, request, signed, until, expect_use=False)


def _signed(settlement: Settlement) -> tuple[Slot, bytes, Bytes32]:
    if settlement.slot is None or settlement.raw is None or settlement.transaction is None:
        raise ValueError("only signed settlements are delivered")
    return settlement.slot, settlement.raw, settlement.transaction
