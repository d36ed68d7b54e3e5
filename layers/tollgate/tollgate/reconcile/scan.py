"""Compare the chain with the books: every transfer to a receiver of ours must be explained by a payment.

Each receiver's blocks are read in order, from where the last pass got to as far as ``confirmations`` below the head,
and never skipped: what a node does not answer is asked again, in smaller pieces. The newest of them are read twice,
since nodes behind one endpoint differ in what they have. Passes may overlap; rows are put where none stands.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tollgate.chain.answers import Head
from tollgate.chain.uses import CHUNK_BLOCKS
from tollgate.errors import ChainUnavailable, LostRace, TollgateError
from tollgate.gateway.ports import Clock
from tollgate.ledger.discrepancies import Cursor, Discrepancies
from tollgate.ledger.work import Entry
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import Asset, network_info
from tollgate.payment.settlement import TransferSeen
from tollgate.reconcile.receivers import Receivers
from tollgate.reconcile.unexplained import Unexplained
from tollgate.wire.primitives import Address, Network

PAGE = 25
RESERVE_SECONDS = 5.0
RPC_TIMEOUT_SECONDS = 10.0
# A little less than the schedule's minute, so that each pass compares each receiver.
TURN_SECONDS = 45
# How long a payment may take from its block to its books before its transfer counts as unexplained.
GRACE_SECONDS = 600
# In one turn; a span of CHUNK_BLOCKS is one of a single block after three turns.
_MOST_REFUSALS = 5


class ScanChain(Protocol):
    """One network, read only."""

    def head(self, timeout: float) -> Head:
        """Its newest block. Raises ``ChainUnavailable``."""

    def transfers_to(
        self, asset: Asset, to: Address, low: int, high: int, timeout: float
    ) -> tuple[tuple[TransferSeen, ...], Head]:
        """All transfers to an address, and the last of these blocks. Raises ``ChainUnavailable``."""


class ScanChains(Protocol):
    """The configured networks."""

    def get(self, network: Network) -> ScanChain | None:
        """The chain of a network, or ``None`` when this stack does not speak to it."""


@dataclass(slots=True)
class _Tally:
    """What a pass has seen."""

    receivers: int = 0
    transfers: int = 0
    unexplained: int = 0
    lag: int = 0
    unreachable: set[Network] = field(default_factory=set)
    bug: Exception | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """One pass, with the time that payments have left over."""

    rows: Discrepancies
    receivers: Receivers
    unexplained: Unexplained
    chains: ScanChains
    clock: Clock
    journal: Journal

    def run(self, deadline: float) -> None:
        """Compare until everything is, or until ``deadline`` (Unix seconds) is near.

        Raises the last bug that one of them ended with, after the others were compared.
        """
        tally = _Tally()
        until = deadline - RESERVE_SECONDS
        try:
            self.receivers.take_up(until)
        except TollgateError as error:
            # Those that were taken up before are compared all the same.
            self.journal.record(Event.RECONCILE_ITEM_FAILED, what="catalogue", why=type(error).__name__)
        for cursor in self._turns():
            # Counted in any case: the lag of what there was no time for is a lag.
            tally.lag = max(tally.lag, self._turn(cursor, until, tally))
        self.unexplained.look(until)
        self.journal.record(
            Event.RECONCILE_SCANNED,
            receivers=tally.receivers,
            transfers=tally.transfers,
            unexplained=tally.unexplained,
            lag_seconds=tally.lag,
            discrepancies=self.unexplained.open(),
        )
        if tally.bug is not None:
            raise tally.bug

    def _turns(self) -> Iterator[Cursor]:
        begun = int(self.clock())
        after: Entry | None = None
        while True:
            cursors, after = self.rows.cursors(begun, PAGE, after)
            yield from cursors
            if after is None:
                return

    def _turn(self, cursor: Cursor, until: float, tally: _Tally) -> int:
        """Compare one receiver as far as there is time; how many seconds it is behind then."""
        receiver = cursor.receiver
        behind = max(0, int(self.clock()) - cursor.reached)
        if self.clock() > until or receiver.network in tally.unreachable:
            return behind
        try:
            chain = self.chains.get(receiver.network)
            if chain is None:
                # Its network was taken out of the stack's parameters.
                self.rows.postpone(cursor, int(self.clock()) + 60 * TURN_SECONDS, cursor.span)
                return 0
            tally.receivers += 1
            # Half as much the next time, unless this time ends well.
            self.rows.postpone(cursor, int(self.clock()) + TURN_SECONDS, max(1, cursor.span // 2))
            return self._compare(cursor, chain, until, tally)
        except LostRace:
            # Another pass is at it.
            return 0
        except TollgateError as error:
            tally.unreachable.add(receiver.network)
            self.journal.record(Event.CHAIN_UNAVAILABLE, network=str(receiver.network), why=type(error).__name__)
        except Exception as error:
            tally.bug = error
            self.journal.record(Event.RECONCILE_ITEM_FAILED, what=receiver.key, why=type(error).__name__)
        return behind

    def _compare(self, cursor: Cursor, chain: ScanChain, until: float, tally: _Tally) -> int:
        receiver = cursor.receiver
        info = network_info(receiver.network)
        deep = chain.head(self._patience(until)).number - info.confirmations
        span = cursor.span
        refusals = 0
        while cursor.next <= deep:
            if self.clock() > until:
                return max(0, int(self.clock()) - cursor.reached)
            low = max(cursor.next - info.confirmations, cursor.first)
            high = min(cursor.next + span - 1, deep)
            try:
                transfers, last = chain.transfers_to(
                    info.asset(receiver.asset.lower), receiver.pay_to, low, high, self._patience(until)
                )
            except ChainUnavailable:
                refusals += 1
                if refusals == _MOST_REFUSALS or span == 1:
                    raise
                span = max(1, span // 2)
                self.rows.postpone(cursor, int(self.clock()) + TURN_SECONDS, span)
                continue
            tally.transfers += len(transfers)
            # Some wallets are sent transfers of nothing, so that their owners mistake the sender for a friend.
            for seen in self.rows.unexplained(receiver.network, [t for t in transfers if t.value > 0]):
                now = int(self.clock())
                tally.unexplained += self.rows.see(receiver, seen, now, now + GRACE_SECONDS)
            cursor = self.rows.reach(cursor, high + 1, min(2 * span, CHUNK_BLOCKS), last.timestamp)
            span = cursor.span
        return 0

    def _patience(self, until: float) -> float:
        return max(1.0, min(RPC_TIMEOUT_SECONDS, until - self.clock()))
