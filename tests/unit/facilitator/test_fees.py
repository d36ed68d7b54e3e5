"""What a transaction may cost."""

import pytest

from tollgate.facilitator.fees import Fees, choose_fees, raise_fees

GWEI = 10**9


@pytest.mark.parametrize(
    ("base_fee", "tip", "cap", "fees"),
    [
        (1 * GWEI, 2 * GWEI, 100 * GWEI, Fees(4 * GWEI, 2 * GWEI)),
        (0, 1_000_000, GWEI, Fees(1_000_000, 1_000_000)),
        (60 * GWEI, 2 * GWEI, 100 * GWEI, Fees(100 * GWEI, 2 * GWEI)),
        (99 * GWEI, 2 * GWEI, 100 * GWEI, Fees(100 * GWEI, 1 * GWEI)),
        (100 * GWEI, 2 * GWEI, 100 * GWEI, Fees(100 * GWEI, 0)),
        (100 * GWEI + 1, 0, 100 * GWEI, None),
    ],
)
def test_fees_leave_room_for_a_doubled_base_fee_and_never_pass_the_cap(
    base_fee: int, tip: int, cap: int, fees: Fees | None
) -> None:
    """Twice the base fee and the tip, cut at the cap; nothing at all when the cap cannot mine."""
    assert choose_fees(base_fee, tip, cap) == fees


@pytest.mark.parametrize(
    ("old", "market", "cap", "raised"),
    [
        (Fees(80, 8), Fees(10, 1), 1000, Fees(90, 9)),
        (Fees(81, 9), Fees(10, 1), 1000, Fees(92, 11)),
        (Fees(80, 8), Fees(500, 40), 1000, Fees(500, 40)),
        (Fees(80, 8), Fees(500, 40), 90, Fees(90, 40)),
        (Fees(80, 8), Fees(500, 40), 89, None),
        (Fees(80, 80), Fees(10, 1), 90, Fees(90, 90)),
    ],
)
def test_a59_a_replacement_pays_an_eighth_more_on_both_or_is_not_made(
    old: Fees, market: Fees, cap: int, raised: Fees | None
) -> None:
    """Rounded up, the market's where that is more, cut at the cap; below an eighth no pool would take it."""
    assert raise_fees(old, market, cap) == raised
