"""How often routes were bought, counted in the transactions that claim payments.

    RATE#<seconds>#<route>#<payer>   {window, bought, before}: calls of one payer in this window and in the one before
    RATE#<seconds>#<route>#          the same, of all payers together

One read says how many more there may be; the claim counts itself in under conditions that hold only while that is so.
Two claims of one route by any two Lambdas therefore never both take the last place. Who does not claim writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tollgate.errors import LostRace, TollgateError
from tollgate.ledger.dynamo import Item, Table, Update, Value
from tollgate.payment.rate_limits import NOTHING, Bought, RateLimit, RouteLimits, most, most_before, wait
from tollgate.payment.record import Claim

# Of a row that nobody needs any more, in windows and seconds.
_KEEP_WINDOWS, _KEEP_SECONDS = 3, 3600
_NAMES = {"#window": "window", "#bought": "bought", "#before": "before"}


class RateLimited(TollgateError):
    """The route was bought as often as it may be; nothing was written. ``per`` is ``payer`` or ``route``, ``wait``
    seconds."""

    def __init__(self, per: str, limit: RateLimit, wait: int) -> None:
        super().__init__(f"{limit} per {per}")
        self.per = per
        self.limit = limit
        self.wait = wait


class RateMoved(LostRace):
    """Others bought since the read; nothing was written: read again."""


@dataclass(frozen=True, slots=True)
class _Row:
    per: str
    key: str
    limit: RateLimit


def counted(table: Table, claim: Claim, limits: RouteLimits) -> list[Update]:
    """What counts a claim in, for its transaction. One read. Raises ``RateLimited``."""
    rows = _rows(claim, limits)
    found = table.get_many([row.key for row in rows])
    now = claim.claimed_at
    standing = [(row, _bought(found.get(row.key))) for row in rows]
    waits = [(wait(row.limit, bought, now), row) for row, bought in standing]
    longest, row = max(waits, key=lambda waiting: waiting[0])
    if longest:
        raise RateLimited(row.per, row.limit, longest)
    return [_one_more(row, bought, now) for row, bought in standing]


def _rows(claim: Claim, limits: RouteLimits) -> Sequence[_Row]:
    payer, everybody = limits.per_payer, limits.per_route
    rows: list[_Row] = []
    if payer is not None:
        rows.append(_Row("payer", f"RATE#{payer.seconds}#{claim.route}#{claim.id.payer.lower}", payer))
    if everybody is not None:
        rows.append(_Row("route", f"RATE#{everybody.seconds}#{claim.route}#", everybody))
    return rows


def _bought(item: Item | None) -> Bought:
    return NOTHING if item is None else Bought(item["window"], item["bought"], item["before"])


def _one_more(row: _Row, stands: Bought, now: int) -> Update:
    """Count one in, if that is still right when it is written."""
    bought, limit = stands.rolled(row.limit, now), row.limit
    window = bought.window
    keep = (window + _KEEP_WINDOWS) * limit.seconds + _KEEP_SECONDS
    values: dict[str, Value] = {":one": 1, ":window": window, ":keep": keep}
    if stands.window == window:
        values |= {":before": bought.previous, ":most": most(limit, bought, now)}
        expression = "SET expires_at = :keep ADD #bought :one"
        condition = "#window = :window AND #before = :before AND #bought < :most"
    elif stands.window == window - 1:
        values |= {":last": window - 1, ":most": most_before(limit, window, now)}
        expression = "SET #before = #bought, #bought = :one, #window = :window, expires_at = :keep"
        condition = "#window = :last AND #bought <= :most"
    else:
        values |= {":last": window - 1, ":none": 0}
        expression = "SET #before = :none, #bought = :one, #window = :window, expires_at = :keep"
        condition = "attribute_not_exists(pk) OR #window < :last"
    names = {name: real for name, real in _NAMES.items() if name in expression + condition}
    return Update(row.key, expression, condition, values, names)
