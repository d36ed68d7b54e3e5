"""The work list: which payments reconcile looks at, when, how often already, and which it gave up looking at.

The index is read page by page and is never truth: an item is begun by a conditional update of its ``due``, counted
before anything is done with it, so of two passes that meet over one item one goes on, and an item that kills its
pass has been counted. ``attempts`` counts looks since the payment last moved; ``strikes`` the latest looks in a row
that did not come back: they raised what is a bug, or their process died.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tollgate.errors import LostRace
from tollgate.ledger.dynamo import ConditionFailed, Item, Table, Update, Value
from tollgate.ledger.moves import appended
from tollgate.ledger.payment_items import WORK_SHARDS, work_shard
from tollgate.payment.record import Move

INDEX = "work"
# The partition of what is parked: listed without a scan, never due.
PARKED = "parked"
# And of payments whose money is owed back: off the work list, waiting for a refund.
OWED = "owed"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the work list: ``due`` in Unix seconds, as the index knew it."""

    pk: str
    due: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of one shard, oldest first; ``more`` says where the next page begins, ``None`` after the last."""

    entries: tuple[Entry, ...]
    more: Entry | None


def _random() -> str:
    return secrets.token_hex(16)


class WorkList:
    """One request each, unless it says otherwise. ``new_token`` gives random tokens of at least 128 bits."""

    shards = tuple(f"w{shard}" for shard in range(WORK_SHARDS))

    def __init__(self, table: Table, new_token: Callable[[], str] = _random) -> None:
        self._table = table
        self._new_token = new_token

    def page(self, partition: str, now: int, limit: int, after: Entry | None = None) -> Page:
        """What is due by ``now`` in one partition of the index."""
        start = None if after is None else (after.pk, after.due)
        found, more = self._table.query_due(INDEX, partition, now, limit, start)
        return Page(tuple(Entry(pk, due) for pk, due in found), None if more is None else Entry(*more))

    def read(self, pks: Sequence[str]) -> dict[str, Item]:
        """The items themselves, consistently; at most 100."""
        return self._table.get_many(pks)

    def begin(self, item: Item, due: int) -> Item:
        """Count a look and push the item back to ``due`` before it is looked at; the item as it then stands.

        A write whose answer was lost is known again by its random token (threat 41). Raises ``LostRace`` when
        somebody else began it, or it moved, since ``item`` was read.
        """
        by = self._new_token()
        update = Update(
            item["pk"],
            "SET due = :due, begun_by = :by ADD attempts :one, strikes :one",
            "due = :seen AND #work = :work",
            {":due": due, ":one": 1, ":seen": item["due"], ":work": item["work"], ":by": by},
            {"#work": "work"},
        )
        try:
            return self._table.write(update)
        except ConditionFailed as lost:
            if lost.item is None or lost.item.get("begun_by") != by:
                raise
            return lost.item

    def end(self, pk: str) -> None:
        """The look came back, whatever it found: no strike."""
        try:
            self._table.write(Update(pk, "REMOVE strikes", "attribute_exists(strikes)"))
        except ConditionFailed:
            # A move has taken them away already.
            return

    def park(self, item: Item, why: str, now: int) -> None:
        """Take an item off the list that looking at does not help; ``why`` is an exception's class, or what died.

        A later move, by whomever, brings it back. Raises ``LostRace`` when it moved meanwhile.
        """
        names = {"#work": "work"}
        values: dict[str, Value] = {":parked": PARKED, ":now": now, ":why": why, ":work": item["work"]}
        history = appended(names, values, Move("PARKED", now, why))
        update = Update(
            item["pk"],
            f"SET #work = :parked, due = :now, parked_at = :now, parked = :why, {history}",
            "#work = :work",
            values,
            names,
        )
        self._table.write(update)

    def unpark(self, pk: str, now: int) -> None:
        """Put a parked item back, due at once, with a clean slate. Raises ``LostRace`` when it is not parked."""
        names = {"#work": "work"}
        values: dict[str, Value] = {":parked": PARKED, ":now": now, ":own": work_shard(pk.removeprefix("PAY#"))}
        history = appended(names, values, Move("UNPARKED", now))
        update = Update(
            pk,
            f"SET #work = :own, due = :now, {history} REMOVE parked, parked_at, attempts, strikes",
            "#work = :parked",
            values,
            names,
        )
        try:
            self._table.write(update)
        except ConditionFailed as lost:
            raise LostRace("it is not parked") from lost

    def parked(self, now: int, limit: int, after: Entry | None = None) -> Page:
        """What is parked, the longest first; ``due`` is since when."""
        return self.page(PARKED, now, limit, after)
