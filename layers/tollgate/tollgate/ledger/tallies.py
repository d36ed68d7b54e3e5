"""Sums by day, route, owner, network and token, in a table of their own, made from the payments' histories.

    CNT#<digest>                                          {counted}: how many moves of this payment are in the sums
    SUM#<day>#<network>#<asset>#<owner>#<route>           the sums; ``day`` is days since 1970-01-01

The mark of a payment moves in the transaction that adds what its further moves are worth, and only from where it was
read: a history that comes again, late, out of order, or again after half of its batch was counted, adds nothing twice
(threat 98). A record that never came is made good by the payment's next one, or by reading its item.

The index ``work`` lists the sums by month; what it lists is read again, consistently.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from tollgate.ledger.dynamo import Item, LedgerUnavailable, Table, TransactionCancelled, Update, Value, Write
from tollgate.payment.identity import PaymentId
from tollgate.payment.record import Move
from tollgate.payment.tally import COLUMNS, Cell, History, Sums, add, tally

_DAYS = 30
_PAGE = 1000
_AT_ONCE = 20
# DynamoDB takes 100 writes in a transaction.
_MOST_WRITES = 100
_ATTEMPTS = 5


def _nobody(cell: Cell, sums: Sums) -> None:
    """Nobody listens."""


class Tallies:
    """Over the analytics table."""

    def __init__(self, table: Table, heard: Callable[[Cell, Sums], None] = _nobody) -> None:
        """``heard`` is told what was added, after it was: at most once, so for what is only watched."""
        self._table = table
        self._heard = heard

    def count(self, histories: Iterable[History]) -> int:
        """Count what is not counted yet; returns how many moves that was.

        Raises ``LedgerUnavailable``; what was counted before it was raised stays, and is not counted again.
        """
        newest: dict[str, History] = {}
        for history in histories:
            known = newest.get(history.payment)
            if known is None or len(known.moves) < len(history.moves):
                newest[history.payment] = history
        waiting = list(newest.values())
        return sum(self._count(waiting[start : start + _AT_ONCE]) for start in range(0, len(waiting), _AT_ONCE))

    def _count(self, histories: Sequence[History]) -> int:
        for _ in range(_ATTEMPTS):
            marks = self.counted([history.payment for history in histories])
            new = [h for h in histories if len(h.moves) > marks.get(h.payment, 0)]
            if not new:
                return 0
            writes: list[Write] = [_mark(h, marks.get(h.payment, 0)) for h in new]
            sums: dict[Cell, Sums] = {}
            for history in new:
                for cell, more in tally(history, marks.get(history.payment, 0)).items():
                    add(sums.setdefault(cell, {}), more)
            writes += [_more(cell, more) for cell, more in sums.items()]
            if len(writes) > _MOST_WRITES and len(new) > 1:
                half = len(new) // 2
                return self._count(new[:half]) + self._count(new[half:])
            try:
                self._table.transact(writes)
            except TransactionCancelled:
                # Somebody else counted one of them meanwhile, or we did and the answer was lost (threat 41).
                continue
            for cell, more in sums.items():
                self._heard(cell, more)
            return sum(len(h.moves) - marks.get(h.payment, 0) for h in new)
        raise LedgerUnavailable("the marks of what is counted kept moving")

    def counted(self, payments: Sequence[str]) -> dict[str, int]:
        """How many moves of up to 100 payments (digests) are in the sums; those with none are left out."""
        found = self._table.get_many([_mark_key(payment) for payment in payments])
        return {key.removeprefix("CNT#"): item["counted"] for key, item in found.items()}

    def read(self, first: int, last: int, owner: str | None = None) -> Iterator[tuple[Cell, Sums]]:
        """The sums of the days ``first`` to ``last``, both included: all, or one owner's, when no others are read."""
        for month in range(first // _DAYS, last // _DAYS + 1):
            after: tuple[str, int] | None = None
            while True:
                page, after = self._table.query_due("work", _month(month), last, _PAGE, after)
                yield from self._sums([key for key, day in page if day >= first and owner in (None, _owner(key))])
                if after is None:
                    break

    def _sums(self, keys: Sequence[str]) -> Iterator[tuple[Cell, Sums]]:
        for start in range(0, len(keys), 100):
            found = self._table.get_many(keys[start : start + 100])
            for item in found.values():
                yield _read(item)


# All that is read of a payment's item: its signature is not among it.
HISTORY_ATTRIBUTES = ("identity", "value", "route", "of_owner", "to", "moves")


def read_history(item: Item) -> History:
    """What is counted of a payment's item. Raises ``ValueError`` or ``KeyError`` for an item that is none."""
    id = PaymentId.parse(item["identity"])
    return History(
        payment=id.digest,
        route=item["route"],
        owner=item.get("of_owner", ""),
        network=str(id.network),
        asset=id.asset.lower,
        amount=item["value"],
        moves=tuple(Move.parse(text) for text in item.get("moves", ())),
        payer=id.payer.lower,
        pay_to=item["to"],
    )


def _mark_key(payment: str) -> str:
    return f"CNT#{payment}"


def _owner(key: str) -> str:
    # Only a route may have a # in it, and that is last.
    return key.split("#", 5)[4]


def _month(number: int) -> str:
    return f"days-{number * _DAYS}"


def _mark(history: History, counted: int) -> Update:
    condition = "counted = :was" if counted else "attribute_not_exists(pk)"
    values: dict[str, Value] = {":now": len(history.moves)}
    if counted:
        values[":was"] = counted
    return Update(_mark_key(history.payment), "SET counted = :now", condition, values)


def _more(cell: Cell, sums: Sums) -> Update:
    names = {"#day": "day", "#route": "route", "#owner": "owner", "#network": "network", "#asset": "asset"}
    names |= {"#work": "work", "#due": "due"} | {f"#c{at}": name for at, name in enumerate(sums)}
    values: dict[str, Value] = {
        ":day": cell.day,
        ":route": cell.route,
        ":owner": cell.owner,
        ":network": cell.network,
        ":asset": cell.asset,
        ":work": _month(cell.day // _DAYS),
    }
    values.update({f":c{at}": value for at, value in enumerate(sums.values())})
    told = "#day = :day, #route = :route, #owner = :owner, #network = :network, #asset = :asset"
    added = ", ".join(f"#c{at} :c{at}" for at in range(len(sums)))
    key = f"SUM#{cell.day}#{cell.network}#{cell.asset}#{cell.owner}#{cell.route}"
    return Update(key, f"SET {told}, #work = :work, #due = :day ADD {added}", None, values, names)


def _read(item: Item) -> tuple[Cell, Sums]:
    cell = Cell(item["day"], item["route"], item["owner"], item["network"], item["asset"])
    return cell, {name: item[name] for name in COLUMNS if name in item}
