"""What routes earned: for an owner who signs in of the own routes, for the operator of all.

The signature is the record's (sign-in-with-x), with ``analytics`` as its requestId. Whose routes they are comes from
the signature and from nothing else: a sale belongs to whoever owned its route when it was claimed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from tollgate.errors import BadRequest, ConfigurationError, Refusal
from tollgate.gateway.analytics_query import AnalyticsQuery, day_name
from tollgate.gateway.fresh_signature import FreshSignature, how_to_sign_in
from tollgate.gateway.ports import Clock
from tollgate.gateway.records import RecordRefused
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import network_info
from tollgate.payment.tally import WITH_AMOUNT, Cell, Sums, add, revenue
from tollgate.wire.primitives import Address
from tollgate.wire.sign_in_with_x import parse_sign_in

ANALYTICS_PATH = "/x402/analytics"
REQUEST_ID = "analytics"
MOST_ROWS = 1_000

# What a row counts, and what it is called there.
_COUNTS = {"claimed": "claimed", "settled": "paid", "released": "released", "unpaid": "unpaid"}
_MONEY = ("reversed", "refunded", "credited", "unserved", "returned")


class SumsReader(Protocol):
    """The sums by day, route, owner, network and token."""

    def read(self, first: int, last: int, owner: str | None = None) -> Iterator[tuple[Cell, Sums]]:
        """Those of the days ``first`` to ``last``, both included; of all, or of one owner (lower case)."""


class Traffic(Protocol):
    """What requests came to, which is measured and not written."""

    def of(self, routes: Sequence[str], first: int, last: int) -> Mapping[str, Mapping[str, int | None]]:
        """What is known of some routes over some days; ``None`` for what is not."""


@dataclass(frozen=True, slots=True)
class Analytics:
    """The use case. ``base_url`` has no trailing slash, ``domain`` is its host, which signatures bind."""

    sums: SumsReader
    traffic: Traffic
    base_url: str
    domain: str
    clock: Clock
    journal: Journal

    def of_signer(self, query: AnalyticsQuery, sign_in: str | None) -> dict[str, Any]:
        """What the signer's routes earned. Raises ``BadRequest``: 403 for the signature, as ``of``."""
        return self.of(query, self._signer(sign_in))

    def of(self, query: AnalyticsQuery, owner: Address | None) -> dict[str, Any]:
        """What all routes earned, or one owner's. Raises ``BadRequest`` 400 for more than a thousand rows."""
        rows: dict[tuple[str, ...], Sums] = {}
        paid: dict[str, int] = {}
        for cell, sums in self.sums.read(query.first, query.last, None if owner is None else owner.lower):
            key = (*(_group(cell, group) for group in query.by), cell.network, cell.asset)
            add(rows.setdefault(key, {}), sums)
            paid[cell.route] = paid.get(cell.route, 0) + sums.get("settled", 0)
            if len(rows) > MOST_ROWS:
                raise BadRequest(400, "too_many_rows", f"Over {MOST_ROWS} rows: ask for fewer days or groups.")
        self.journal.record(Event.ANALYTICS_READ, rows=len(rows), days=query.last - query.first + 1)
        return {
            "from": day_name(query.first),
            "to": day_name(query.last),
            "by": [*query.by, "network", "asset"],
            "rows": [_row(query, key, rows[key]) for key in sorted(rows)],
            "traffic": self._traffic(query, paid) if "route" in query.by else [],
        }

    def _traffic(self, query: AnalyticsQuery, paid: Mapping[str, int]) -> list[dict[str, Any]]:
        """Of the routes that rows are about; what came in, and how much of it was bought."""
        known = self.traffic.of(sorted(paid), query.first, query.last)
        return [
            {"route": route, **told, "conversion": _conversion(paid[route], told["offers"])}
            for route, told in sorted(known.items())
        ]

    def _signer(self, header: str | None) -> Address:
        how = {"signIn": how_to_sign_in(self.domain, f"{self.base_url}{ANALYTICS_PATH}", REQUEST_ID)}
        if header is None:
            sentence = "Sign in as details.signIn says, with the wallet that owns the routes."
            raise RecordRefused(403, "sign_in_required", sentence, how)
        fresh = FreshSignature(parse_sign_in(header), self.domain)
        try:
            fresh.check_signed(REQUEST_ID, int(self.clock()))
        except Refusal as refused:
            raise RecordRefused(403, "sign_in_refused", refused.sentence, how) from refused
        return fresh.sign_in.address


def _conversion(paid: int, offers: int | None) -> float | None:
    return round(paid / offers, 4) if offers else None


def _group(cell: Cell, group: str) -> str:
    if group == "day":
        return day_name(cell.day)
    return cell.route if group == "route" else cell.owner


def _row(query: AnalyticsQuery, key: tuple[str, ...], sums: Mapping[str, int]) -> dict[str, Any]:
    *groups, network, asset = key
    row: dict[str, Any] = dict(zip(query.by, groups, strict=True))
    symbol, decimals = _token(network, asset)
    row |= {"network": network, "asset": str(Address.parse(asset)), "symbol": symbol}
    row |= {name: sums.get(column, 0) for column, name in _COUNTS.items()}
    row["revenue"] = _amount(revenue(sums), decimals)
    for name in _MONEY:
        assert name in WITH_AMOUNT
        row[name] = {"count": sums.get(name, 0), **_amount(sums.get(f"{name}_amount", 0), decimals)}
    return row


def _token(network: str, asset: str) -> tuple[str | None, int | None]:
    try:
        known = network_info(network).asset(asset)
    except ConfigurationError:
        return None, None
    return known.symbol, known.decimals


def in_dollars(cell: Cell, sums: Mapping[str, int]) -> Decimal:
    """The revenue of a cell whose token is a dollar's; 0 of another."""
    try:
        known = network_info(cell.network).asset(cell.asset)
    except ConfigurationError:
        return Decimal(0)
    return Decimal(revenue(sums)).scaleb(-known.decimals) if known.dollar else Decimal(0)


def _amount(atomic: int, decimals: int | None) -> dict[str, Any]:
    """Atomic units, and the same as people write it where the token is known."""
    if decimals is None:
        return {"amount": str(atomic), "decimal": None}
    whole, fraction = divmod(abs(atomic), 10**decimals)
    text = f"{'-' if atomic < 0 else ''}{whole}" + (f".{fraction:0{decimals}d}" if decimals else "")
    return {"amount": str(atomic), "decimal": text}
