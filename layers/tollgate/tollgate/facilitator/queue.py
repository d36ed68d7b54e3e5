"""A relayer's nonces mine in order: whoever stands in the queue keeps those before him moving (rule 2).

A crash between reserving and broadcasting would otherwise block every later payment (threat 67).
"""

from tollgate.chain.evm import BroadcastRefused
from tollgate.errors import ChainUnavailable
from tollgate.facilitator.ports import Clock, SettleChain, SettlementLedger, Sleep
from tollgate.facilitator.replacing import Replacing
from tollgate.facilitator.signing import Market, SlotSigner
from tollgate.ledger.settlement_items import OpenSlot, SignedBytes, Slot, settlement_key
from tollgate.payment.events import Event, Journal

# How long a nonce reserved by somebody alive is waited for before ours goes out ahead of it.
LIVE_WAIT_SECONDS = 1.0
_LIVE_POLL_SECONDS = 0.1
# The oldest block the rest; DynamoDB reads 100 items at once.
_MOST_SLOTS = 100
# Only to hand bytes over: a node that waits for the block has them by then.
_HAND_OVER_SECONDS = 1.0


class NonceQueue:
    """Looks after the open nonces below a given one."""

    def __init__(
        self,
        signing: SlotSigner,
        replacing: Replacing,
        ledger: SettlementLedger,
        journal: Journal,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._signing = signing
        self._replacing = replacing
        self._ledger = ledger
        self._journal = journal
        self._clock = clock
        self._sleep = sleep

    def advance(self, chain: SettleChain, slot: Slot, chain_nonce: int, market: Market, until: float) -> None:
        """Send again what is signed from ``chain_nonce`` up to ``slot``, dearer where it will not mine as it is
        (else it would hold up the whole queue), and sign what a dead owner left.

        Nonces of the living are waited for until ``LIVE_WAIT_SECONDS`` have gone or ``until``.
        """
        nonces = range(chain_nonce, min(slot.nonce, chain_nonce + _MOST_SLOTS))
        sent: set[int] = set()
        give_up = min(until, self._clock() + LIVE_WAIT_SECONDS)
        while True:
            waiting = False
            for lower in self._ledger.slots(slot.network, slot.relayer, nonces):
                if lower.slot.nonce in sent:
                    continue
                if self._clock() >= until:
                    # Signing takes its time too; the next payment goes on from here.
                    return
                signed = self._bytes(lower, market, is_next=lower.slot.nonce == chain_nonce)
                if signed is None:
                    waiting = True
                    continue
                self._send(chain, lower, signed.raw, until)
                sent.add(lower.slot.nonce)
            if not waiting or self._clock() + _LIVE_POLL_SECONDS >= give_up:
                return
            self._sleep(_LIVE_POLL_SECONDS)

    def _bytes(self, lower: OpenSlot, market: Market, *, is_next: bool) -> SignedBytes | None:
        settlement = lower.settlement
        standing = settlement.signed if settlement else lower.signed
        if standing is not None:
            key = settlement_key(settlement.id) if settlement else lower.slot.key
            return self._replacing.newest(lower.slot, key, standing, market, is_next=is_next)
        if settlement is None:
            return self._signing.fill_hole(lower, market)
        if settlement.alive(self._clock()):
            return None
        expired = market.head.timestamp >= settlement.request.authorization.valid_before
        signed = self._signing.sign(settlement, market, filler=expired)
        return signed.signed if signed else None

    def _send(self, chain: SettleChain, lower: OpenSlot, raw: bytes, until: float) -> None:
        left = until - self._clock()
        if left <= 0:
            return
        try:
            chain.broadcast(raw, min(left, _HAND_OVER_SECONDS))
        except (BroadcastRefused, ChainUnavailable) as problem:
            # The next round, or the next payment, tries again.
            self._journal.record(
                Event.SETTLEMENT_PENDING,
                network=str(lower.slot.network),
                relayer=str(lower.slot.relayer),
                nonce=lower.slot.nonce,
                why=str(problem),
            )
