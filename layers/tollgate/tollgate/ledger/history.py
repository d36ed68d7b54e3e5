"""Whose payments there are, the newest first: from indexes whose keys the claim writes, and nothing changes.

    by_payer        of_payer, listed_at     + identity, route     every payment
    by_owner        of_owner, listed_at     + identity, route     those whose route has an owner
    by_transaction  transaction                                   whatever names one: payments, receipts, liabilities

An index gives keys; the payments themselves are read consistently, and what is filtered by how a payment stands is
filtered by that. Payments claimed by a version before the indexes have no keys in the first two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tollgate.ledger.dynamo import Query, Table, Value
from tollgate.ledger.payment_items import listed_at, read_payment
from tollgate.payment.record import Payment

# Payments that one page looks at, at most, whatever its filter leaves out.
MOST_LOOKED_AT = 1000
# Pages of 1 MB that one count reads, at most: some 10,000 payments.
COUNT_PAGES = 4
_BATCH = 100
_MOST_ROWS_OF_A_TRANSACTION = 1000
_TIME_DIGITS = 10
# Rows whose key holds the digest of the payment that their transaction is of.
_NAME_A_TRANSACTION = frozenset({"PAY", "RCT", "LIA", "RFD", "RVS"})
# Later than anything (Unix seconds, in as many digits).
FOR_EVER = 9_999_999_999


class Side(StrEnum):
    """Whose list it is."""

    PAYER = "payer"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: ``who`` is an address in lower case, ``since`` inclusive and ``until`` exclusive, in Unix seconds."""

    side: Side
    who: str
    since: int = 0
    until: int = FOR_EVER
    network: str | None = None
    route: str | None = None

    def holds(self, payment: Payment) -> bool:
        """Whether a payment belongs to it, which decides, whatever an index said. An owner's are those of ``who``."""
        whose = payment.id.payer if self.side is Side.PAYER else payment.claim.route_owner
        return (
            whose is not None
            and whose.lower == self.who
            and self.since <= payment.claim.claimed_at < self.until
            and self.network in (None, str(payment.id.network))
            and self.route in (None, payment.claim.route)
        )


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """``next``: where the page after it begins, ``None`` at the end. ``counted``: how many, and whether that is all."""

    payments: tuple[Payment, ...]
    next: str | None
    counted: tuple[int, bool] | None = None


Matches = Callable[[Payment], bool]


class History:
    """Reads only. ``before`` is where the page before ended: a place in the list, and a key of nothing else."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def page(self, listing: Listing, matches: Matches | None, limit: int, before: str | None = None) -> HistoryPage:
        """Up to ``limit`` payments that ``matches`` admits (``None``: all), and on the first page how many there are.

        Looks at ``MOST_LOOKED_AT`` at most, so there may be fewer, or none, and more to come.
        """
        counts_itself = before is None and matches is not None
        found: list[Payment] = []
        counted = looked = 0
        place, ended, after = before, False, None
        while not ended and looked < MOST_LOOKED_AT and (counts_itself or len(found) < limit):
            batch = _BATCH if matches is not None else min(_BATCH, limit - len(found))
            lines, last = self._table.lines(self._query(listing, place), batch)
            items = self._table.get_many([line["pk"] for line in lines]) if lines else {}
            for line in lines:
                payment = read_payment(items[line["pk"]]) if line["pk"] in items else None
                if payment is None or not listing.holds(payment) or not (matches is None or matches(payment)):
                    continue
                counted += 1
                if len(found) < limit:
                    found.append(payment)
                    after = line["listed_at"] if len(found) == limit and (last or line is not lines[-1]) else None
            looked += batch
            ended = last is None
            place = place if last is None else last["listed_at"]
        following = after if len(found) == limit else (None if ended else place)
        if before is not None:
            return HistoryPage(tuple(found), following)
        total = (counted, ended) if counts_itself else self._table.count(self._query(listing, None), COUNT_PAGES)
        return HistoryPage(tuple(found), following, total)

    def of_transaction(self, transaction: str) -> list[Payment]:
        """The payments that a transaction (0x and 64 hex digits in lower case) paid, or tried to; the newest first."""
        query = Query("by_transaction", "#tx = :tx", {":tx": transaction}, {"#tx": "transaction"})
        keys: dict[str, None] = {}
        after = None
        for _ in range(_MOST_ROWS_OF_A_TRANSACTION // _BATCH):
            lines, after = self._table.lines(query, _BATCH, after)
            keys |= dict.fromkeys(f"PAY#{digest}" for line in lines if (digest := _digest_in(line["pk"])))
            if after is None:
                break
        found = [read_payment(item) for batch in _batches(list(keys)) for item in self._table.get_many(batch).values()]
        return sorted(found, key=lambda payment: listed_at(payment.claim.claimed_at, payment.id.digest), reverse=True)

    def _query(self, listing: Listing, before: str | None) -> Query:
        names = {"#who": f"of_{listing.side}", "#at": "listed_at"}
        low = f"{listing.since:0{_TIME_DIGITS}d}"
        high = f"{listing.until:0{_TIME_DIGITS}d}" if before is None else _just_before(before)
        # DynamoDB refuses bounds in the wrong order. No payment stands at ``low`` itself: its place is longer.
        values: dict[str, Value] = {":who": listing.who, ":low": low, ":high": max(low, high)}
        filters = []
        if listing.network is not None:
            names["#identity"] = "identity"
            values[":network"] = f"{listing.network}#"
            filters.append("begins_with(#identity, :network)")
        if listing.route is not None:
            names["#route"] = "route"
            values[":route"] = listing.route
            filters.append("#route = :route")
        return Query(
            f"by_{listing.side}",
            "#who = :who AND #at BETWEEN :low AND :high",
            values,
            names,
            " AND ".join(filters) or None,
            newest_first=True,
        )


def _just_before(place: str) -> str:
    """The last place in a list that is before this one."""
    at, rest = place[:_TIME_DIGITS], place[_TIME_DIGITS:]
    digits = len(rest)
    return f"{at}{int(rest, 16) - 1:0{digits}x}" if int(rest, 16) else f"{int(at) - 1:0{_TIME_DIGITS}d}{'f' * digits}"


def _digest_in(pk: str) -> str:
    prefix, _, rest = pk.partition("#")
    return rest.partition("#")[0] if prefix in _NAME_A_TRANSACTION else ""


def _batches(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH)]
