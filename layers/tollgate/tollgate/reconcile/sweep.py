"""Finish what was left open: one pass over the work list, page after page, until nothing is due or time is short.

Every minute, and after every deploy of routes. Passes may overlap, stop half-way or run twice (threats 98-100): an
item is begun by a conditional write that counts the look, so two passes share the work, and each waits for its turn
again with back-off, whatever became of the look. What raises a bug, or kills its pass, again and again is parked:
taken off the list and shown to the operator. What is done about each payment is in visits.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol

from tollgate.errors import LostRace, TollgateError
from tollgate.gateway.ports import Clock
from tollgate.ledger.dynamo import Item
from tollgate.ledger.payment_items import read_payment
from tollgate.ledger.work import Entry, WorkList
from tollgate.payment.events import Event, Journal
from tollgate.payment.record import Payment
from tollgate.payment.states import OPEN
from tollgate.reconcile.backoff import backoff_seconds

# Of each shard; the items of all four come in one read, whose limit is 100.
PAGE = 25
RESERVE_SECONDS = 5.0
# However much is due, one item gets this long: enough to send a transaction and to see it mined.
LEAST_SHARE_SECONDS = 6.0
# Looks in a row that raised a bug or did not come back, before an item is parked: some eight minutes with back-off.
MOST_STRIKES = 5
DIED = "process_died"


class Visitor(Protocol):
    """Whoever does what a payment's state asks for."""

    def visit(self, payment: Payment, until: float) -> None:
        """Do it, by ``until`` (Unix seconds). Raises a ``TollgateError`` for what will pass, others for a bug."""


@dataclass(slots=True)
class _Tally:
    """What a pass has seen."""

    visited: int = 0
    failed: int = 0
    parked: int = 0
    oldest_open: int = 0
    lag: int = 0
    complete: bool = True
    bug: Exception | None = None


@dataclass(frozen=True, slots=True)
class Sweep:
    """One pass."""

    work: WorkList
    visits: Visitor
    clock: Clock
    journal: Journal

    def run(self, deadline: float) -> int:
        """Look at what is due until nothing is, or until ``deadline`` (Unix seconds) is near; returns how many.

        Raises the last bug that a look ended with, after all the others were looked at.
        """
        tally = _Tally()
        until = deadline - RESERVE_SECONDS
        for item, left in self._due(until, tally):
            now = self.clock()
            self._look(item, now + max(LEAST_SHARE_SECONDS, (until - now) / left), until, tally)
        self.journal.record(
            Event.RECONCILE_DONE,
            visited=tally.visited,
            failed=tally.failed,
            parked=tally.parked,
            complete=tally.complete,
            lag_seconds=tally.lag,
            oldest_open_seconds=tally.oldest_open,
            parked_payments=len(self.work.parked(int(self.clock()), 100).entries),
        )
        if tally.bug is not None:
            raise tally.bug
        return tally.visited

    def _due(self, until: float, tally: _Tally) -> Iterator[tuple[Item, int]]:
        """What was due when the pass began, each once, and how many are known to be left; shards take turns."""
        begun = int(self.clock())
        after: dict[str, Entry | None] = dict.fromkeys(self.work.shards)
        seen: set[str] = set()
        while after:
            pages = {shard: self.work.page(shard, begun, PAGE, last) for shard, last in after.items()}
            after = {shard: page.more for shard, page in pages.items() if page.more is not None}
            turns = zip_longest(*(page.entries for page in pages.values()))
            entries = [entry for turn in turns for entry in turn if entry is not None and entry.pk not in seen]
            if not seen:
                tally.lag = max((begun - entry.due for entry in entries), default=0)
            seen.update(entry.pk for entry in entries)
            items = self.work.read([entry.pk for entry in entries]) if entries else {}
            for position, entry in enumerate(entries):
                if self.clock() > until:
                    tally.complete = False
                    return
                item = items.get(entry.pk)
                # The index lags: what it names may be gone, done, parked, or begun by another pass.
                if item is not None and item.get("work") in self.work.shards and item["due"] <= begun:
                    yield item, len(entries) - position

    def _look(self, item: Item, share: float, until: float, tally: _Tally) -> None:
        try:
            if item.get("strikes", 0) >= MOST_STRIKES:
                self._park(item, DIED, tally)
                return
            item = self.work.begin(item, int(self.clock()) + backoff_seconds(item.get("attempts", 0) + 1))
        except LostRace:
            # Another pass has it, or its own request moved it.
            return
        tally.visited += 1
        try:
            payment = read_payment(item)
            if payment.state in OPEN:
                tally.oldest_open = max(tally.oldest_open, int(self.clock()) - payment.claim.claimed_at)
            self.visits.visit(payment, min(share, until))
            self.work.end(item["pk"])
        except TollgateError as error:
            self._failed(item, error, tally)
            # It waits for something: that is no bug of its own.
            self.work.end(item["pk"])
        except Exception as error:
            self._failed(item, error, tally)
            tally.bug = error
            if item["strikes"] >= MOST_STRIKES:
                self._park(item, type(error).__name__, tally)

    def _failed(self, item: Item, error: Exception, tally: _Tally) -> None:
        tally.failed += 1
        self.journal.record(Event.RECONCILE_ITEM_FAILED, payment=_digest(item), why=type(error).__name__)

    def _park(self, item: Item, why: str, tally: _Tally) -> None:
        try:
            self.work.park(item, why, int(self.clock()))
        except LostRace:
            return
        tally.parked += 1
        self.journal.record(Event.RECONCILE_PARKED, payment=_digest(item), why=why, state=str(item.get("state")))


def _digest(item: Item) -> str:
    return str(item["pk"]).removeprefix("PAY#")
