"""Payments as CSV (RFC 4180) for a spreadsheet: a header, a line each.

A cell that a spreadsheet would take for a formula begins with an apostrophe instead (CWE-1236): what a buyer, or a
route's name, put there is text. ``amount`` is the money, in atomic units of ``asset`` on ``network``; ``decimal`` is
the same for people, empty where the token is not known.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from tollgate.errors import ConfigurationError
from tollgate.gateway.payment_view import word_of
from tollgate.payment.networks import network_info
from tollgate.payment.record import Payment

COLUMNS = (
    "payment", "state", "claimed_at", "settled_at", "network", "asset", "amount", "decimal", "symbol", "payer",
    "pay_to", "route", "resource", "flow", "transaction", "reason",
)  # fmt: skip
# What a formula begins with, and the white space that some let stand before it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_QUOTED = frozenset('",\r\n')


def to_csv(payments: Iterable[Payment]) -> str:
    """The whole document, lines ended by CRLF."""
    return "".join(f"{line}\r\n" for line in csv_lines(payments))


def csv_lines(payments: Iterable[Payment]) -> Iterator[str]:
    """The header, and a line for each payment."""
    yield _line(COLUMNS)
    for payment in payments:
        yield _line(_cells(payment))


def _line(cells: Sequence[str]) -> str:
    return ",".join(_cell(text) for text in cells)


def _cell(text: str) -> str:
    safe = f"'{text}" if text.startswith(_FORMULA) else text
    return '"' + safe.replace('"', '""') + '"' if _QUOTED & set(safe) else safe


def _cells(payment: Payment) -> tuple[str, ...]:
    claim, id = payment.claim, payment.id
    decimal, symbol = _readable(payment)
    return (
        id.digest,
        word_of(payment)[0],
        _time(claim.claimed_at),
        _time(payment.settled_at),
        str(id.network),
        str(id.asset),
        str(claim.authorization.value),
        decimal,
        symbol,
        str(id.payer),
        str(claim.authorization.to),
        claim.route,
        claim.resource_url,
        claim.flow.value,
        str(payment.transaction or ""),
        "" if payment.reason is None else payment.reason.value,
    )


def _readable(payment: Payment) -> tuple[str, str]:
    try:
        asset = network_info(payment.id.network).asset(str(payment.id.asset))
    except ConfigurationError:
        return "", ""
    whole, fraction = divmod(payment.claim.authorization.value, 10**asset.decimals)
    return f"{whole}.{fraction:0{asset.decimals}d}" if asset.decimals else str(whole), asset.symbol


def _time(at: int | None) -> str:
    return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
