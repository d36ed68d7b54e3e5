"""Signing again, with a higher fee, for a nonce whose bytes do not mine (threat 59).

The same nonce, so at most one version mines; stored before it is broadcast, like the first (rule 2). Which one
mined is for the receipt to say: the hashes of all are kept and watched.
"""

from dataclasses import replace
from math import ceil

from tollgate.chain.transactions import DynamicFeeTransaction
from tollgate.errors import LostRace
from tollgate.facilitator.fees import Fees, raise_fees
from tollgate.facilitator.ports import SettlementLedger
from tollgate.facilitator.relayers import Relayers
from tollgate.facilitator.signing import Market, signed_bytes
from tollgate.ledger.settlement_items import SignedBytes, Slot
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import network_info

# Each is at least an eighth dearer than the one before, or fits the market: further ones would hardly help.
MOST_VERSIONS = 8
# So long bytes may stand unmined at the head of the queue, in blocks and in seconds, whichever is more.
_PATIENCE_BLOCKS = 5
_PATIENCE_SECONDS = 12


class Replacing:
    """Gives each nonce the bytes that it should be sent with now."""

    def __init__(self, relayers: Relayers, ledger: SettlementLedger, journal: Journal) -> None:
        self._relayers = relayers
        self._ledger = ledger
        self._journal = journal

    def newest(self, slot: Slot, key: str, standing: SignedBytes, market: Market, *, is_next: bool) -> SignedBytes:
        """``standing``, or the version that is stored in its place when it will not mine as it is.

        ``key`` is the item that holds the bytes; ``is_next``: nothing before this nonce is open.
        """
        fees = self._fees(slot, standing, market, is_next=is_next)
        signer = self._relayers.find(slot.relayer) if fees else None
        if fees is None or signer is None:
            return standing
        old = DynamicFeeTransaction.decode(standing.raw)
        dearer = replace(old, max_fee_per_gas=fees.max_fee, max_priority_fee_per_gas=fees.tip)
        ready = signed_bytes(dearer, signer, market.head)
        try:
            newest = self._ledger.replace_bytes(
                key, standing, replace(ready, replaced=(*standing.replaced, standing.transaction))
            )
        except LostRace:
            return standing
        self._journal.record(
            Event.SETTLEMENT_REPLACED,
            network=str(slot.network),
            relayer=str(slot.relayer),
            nonce=slot.nonce,
            transaction=str(newest.transaction),
            replaced=str(standing.transaction),
            versions=len(newest.transactions),
        )
        return newest

    def _fees(self, slot: Slot, standing: SignedBytes, market: Market, *, is_next: bool) -> Fees | None:
        if market.fees is None or len(standing.transactions) >= MOST_VERSIONS:
            return None
        old = DynamicFeeTransaction.decode(standing.raw)
        behind = market.head.base_fee > old.max_fee_per_gas
        patience = max(_PATIENCE_BLOCKS, ceil(_PATIENCE_SECONDS / network_info(slot.network).block_seconds))
        slow = is_next and market.head.number - standing.height >= patience
        if not (behind or slow):
            return None
        return raise_fees(Fees(old.max_fee_per_gas, old.max_priority_fee_per_gas), market.fees, market.fee_cap)
