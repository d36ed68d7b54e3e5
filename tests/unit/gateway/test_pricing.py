"""Prices are exact or refused (threats 25, 26)."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.gateway.pricing import format_dollars, parse_amount, parse_dollars
from tollgate.payment.networks import network_info
from tollgate.wire.primitives import UINT256_MAX

USDC = network_info("base").asset("USDC")


@pytest.mark.parametrize(
    ("text", "atomic"),
    [
        ("$0.01", 10_000),
        ("$1", 1_000_000),
        ("$0.000001", 1),
        ("$0.010000000", 10_000),
        ("$1234.5", 1_234_500_000),
    ],
)
def test_dollars_become_atomic_units(text: str, atomic: int) -> None:
    """The token's six decimals, by decimal arithmetic."""
    assert parse_dollars(text, USDC) == atomic


@pytest.mark.parametrize(
    "text",
    [
        "", "0.01", "$", "$.5", "$1.", "$01", "$-1", "$+1", "$1e3", "$1_0", "$ 1", "$1 ", "$1\n", "$٣",
        "$1,50", "€1", "$NaN", "$Infinity", "$0", "$0.00", "$0.0000001", "$0.0100001",
        "$1.0000000000001", f"${10**72}",
    ],
)  # fmt: skip
def test_a25_a26_what_is_not_exactly_a_positive_price_is_refused(text: str) -> None:
    """Nothing is rounded, guessed or free."""
    with pytest.raises(ValueError, match=r"must|more than"):
        parse_dollars(text, USDC)


@given(st.integers(min_value=1, max_value=10**30), st.integers(min_value=0, max_value=18))
def test_a25_parse_of_format_is_the_same_amount(atomic: int, decimals: int) -> None:
    """For every amount and every scale that a token may have."""
    asset = replace(USDC, decimals=decimals)
    text = format_dollars(atomic, asset)
    assert parse_dollars(text, asset) == atomic
    assert Fraction(text[1:]) * 10**decimals == atomic


@given(st.decimals(min_value="0.000001", max_value="1000000", places=9))
def test_a25_a_price_is_never_rounded(price: Decimal) -> None:
    """Either the units times the scale are the price, or it is refused."""
    try:
        atomic = parse_dollars(f"${price:f}", USDC)
    except ValueError:
        assert price * 10**6 != int(price * 10**6)
    else:
        assert Decimal(atomic) / 10**6 == price


def test_a_dollar_sign_stands_for_dollar_tokens_only() -> None:
    """A euro token at "$1" would sell for another price."""
    with pytest.raises(ValueError, match="not a dollar token"):
        parse_dollars("$1", replace(USDC, symbol="EURC", dollar=False))


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "01", " 1", "1_0", "1e3", str(UINT256_MAX + 1)])
def test_a26_atomic_amounts_are_plain_positive_decimals(text: str) -> None:
    """The wire's own strictness, and over zero."""
    with pytest.raises(ValueError, match="must"):
        parse_amount(text)
    assert parse_amount(str(UINT256_MAX)) == UINT256_MAX
