"""Prices as people write them, to atomic units and back: exact or refused, never rounded (threats 25, 26)."""

import re
from decimal import Context, Decimal, Inexact, Rounded

from tollgate.payment.networks import Asset
from tollgate.wire.primitives import UINT256_MAX, parse_atomic

_DOLLARS = re.compile(r"\$(?:0|[1-9][0-9]{0,77})(?:\.[0-9]{1,77})?")
_EXACT = Context(prec=200, traps=[Inexact, Rounded])


def parse_dollars(text: str, asset: Asset) -> int:
    """Atomic units of ``asset`` for a price such as ``$0.01``.

    Raises ``ValueError`` with a sentence: not such a text, not a dollar token, zero, or more
    decimals than the token has.
    """
    if _DOLLARS.fullmatch(text) is None:
        raise ValueError('must look like "$0.01": a dollar sign, digits, at most one point')
    if not asset.dollar:
        raise ValueError(f"is in dollars, but {asset.symbol} is not a dollar token: give amount and asset")
    atomic = Decimal(text[1:]).scaleb(asset.decimals, _EXACT)
    if atomic != int(atomic):
        raise ValueError(f"has more than the {asset.decimals} decimals of {asset.symbol}")
    return _positive(int(atomic))


def parse_amount(text: str) -> int:
    """Atomic units written as a decimal string, over 0. Raises ``ValueError`` with a sentence."""
    return _positive(parse_atomic(text))


def format_dollars(atomic: int, asset: Asset) -> str:
    """``$0.01``: at least two decimals, no more than needed; ``parse_dollars`` reads it back exactly."""
    whole, fraction = divmod(atomic, 10**asset.decimals)
    digits = f"{fraction:0{asset.decimals}d}".rstrip("0") if asset.decimals else ""
    return f"${whole}.{digits.ljust(min(2, asset.decimals), '0')}".rstrip(".")


def _positive(atomic: int) -> int:
    if atomic <= 0:
        raise ValueError("must be over 0")
    if atomic > UINT256_MAX:
        raise ValueError("must fit in 256 bits")
    return atomic
