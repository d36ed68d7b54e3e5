"""Turning a reserved nonce into signed bytes, and getting those bytes stored before anything else."""

from dataclasses import dataclass

from tollgate.chain.evm import Head, Preparation, RelayerState
from tollgate.chain.transactions import DynamicFeeTransaction, transaction_hash
from tollgate.errors import LostRace
from tollgate.facilitator.fees import FILLER_GAS, LEAST_TIP, Fees, choose_fees
from tollgate.facilitator.ports import SettlementLedger, Signer
from tollgate.facilitator.relayers import Relayers
from tollgate.ledger.settlement_items import OpenSlot, Settlement, SignedBytes, Slot
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import network_info
from tollgate.schemes.exact import eip3009


@dataclass(frozen=True, slots=True)
class Market:
    """The chain's head, what a transaction should pay now (``None`` above the cap), and the cap in wei per gas."""

    head: Head
    fees: Fees | None
    fee_cap: int

    @classmethod
    def of(cls, preparation: Preparation, fee_cap: int) -> "Market":
        """Read off a preparation."""
        return cls._at(preparation.check.head, preparation.base_fee, preparation.tip, fee_cap)

    def now(self, state: RelayerState) -> "Market":
        """The market of a later look."""
        return self._at(state.head, state.head.base_fee, state.tip, self.fee_cap)

    @classmethod
    def _at(cls, head: Head, base_fee: int, tip: int, fee_cap: int) -> "Market":
        fees = choose_fees(base_fee, max(tip, LEAST_TIP), fee_cap)
        # The cap left no tip at all: geth's pool never takes such bytes, and their nonce could never mine.
        return cls(head, fees if fees and fees.tip else None, fee_cap)


class SlotSigner:
    """Signs for nonces that are reserved; every signature is stored, or lost to one stored before it."""

    def __init__(self, relayers: Relayers, ledger: SettlementLedger, journal: Journal) -> None:
        self._relayers = relayers
        self._ledger = ledger
        self._journal = journal

    def sign(self, settlement: Settlement, market: Market, *, filler: bool) -> Settlement | None:
        """RESERVED → SIGNED, with the payment's transfer or, as ``filler``, with nothing.

        ``None`` when it cannot be signed now: its key is not ours any more, or fees are above the cap.
        """
        slot = settlement.slot
        signer = self._relayers.find(slot.relayer) if slot else None
        if slot is None or signer is None or market.fees is None:
            return None
        a = settlement.request.authorization
        if filler:
            transaction = self._filler(slot, market.fees)
        else:
            transaction = DynamicFeeTransaction(
                chain_id=slot.network.chain_id,
                nonce=slot.nonce,
                max_priority_fee_per_gas=market.fees.tip,
                max_fee_per_gas=market.fees.max_fee,
                gas_limit=eip3009.TRANSFER_GAS + network_info(slot.network).data_gas,
                to=settlement.request.asset,
                value=0,
                data=eip3009.transfer_calldata(a, settlement.request.signature),
            )
        ready = signed_bytes(transaction, signer, market.head)
        signed = self._ledger.store_bytes(settlement, ready, filler=filler)
        self._journal.record(
            Event.SETTLEMENT_SIGNED,
            payment=signed.id.digest,
            relayer=str(slot.relayer),
            nonce=slot.nonce,
            transaction=str(signed.transaction),
            filler=signed.filler,
        )
        return signed

    def fill_hole(self, hole: OpenSlot, market: Market) -> SignedBytes | None:
        """Bytes for a nonce below the queue's end that no settlement has: the counter was moved by hand, an
        RPC endpoint once claimed too high a nonce, or a backup held half of a reservation. ``None`` when it
        cannot be signed now."""
        slot = hole.slot
        signer = self._relayers.find(slot.relayer)
        if signer is None or market.fees is None:
            return None
        ready = signed_bytes(self._filler(slot, market.fees), signer, market.head)
        try:
            return self._ledger.fill_hole(slot, ready, orphan_of=hole.orphan_of)
        except LostRace:
            return None

    def _filler(self, slot: Slot, fees: Fees) -> DynamicFeeTransaction:
        return DynamicFeeTransaction(
            chain_id=slot.network.chain_id,
            nonce=slot.nonce,
            max_priority_fee_per_gas=fees.tip,
            max_fee_per_gas=fees.max_fee,
            gas_limit=FILLER_GAS + network_info(slot.network).data_gas,
            to=slot.relayer,
            value=0,
            data=b"",
        )


def signed_bytes(transaction: DynamicFeeTransaction, signer: Signer, head: Head) -> SignedBytes:
    """One signature; what comes of it may only be broadcast once it is stored."""
    raw = transaction.encode(signer.sign(transaction.signing_digest()))
    return SignedBytes(raw, transaction_hash(raw), height=head.number)
