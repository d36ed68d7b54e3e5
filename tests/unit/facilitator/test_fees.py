"""What a transaction may cost."""

import pytest

from tollgate.facilitator.fees import Fees, choose_fees

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
