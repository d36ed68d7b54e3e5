"""Limits under claims that come between a read and its write, in an order that is certain."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.support.aws import client, create_table
from tests.support.payments import NOW, some_claim
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.rates import RateLimited, RateMoved
from tollgate.payment.rate_limits import RateLimit, RouteLimits

HOUR = 3600
LIMITS = RouteLimits(None, RateLimit(3, HOUR))
ROW = f"RATE#{HOUR}#weather#"


class Interrupted(Table):
    """The table, with something that happens once, after all reads and before the write."""

    meanwhile: Callable[[], object] | None = None

    def transact(self, writes: Sequence[Any]) -> None:
        """Let the others go first."""
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        super().transact(writes)


@pytest.fixture
def table(aws_endpoint: str) -> Interrupted:
    """An empty payments table."""
    dynamo = client("dynamodb", aws_endpoint)
    return Interrupted(dynamo, create_table(dynamo, work_index=True))


def buy(table: Table, now: int = NOW) -> None:
    """Claim one payment of somebody's for the route."""
    PaymentsLedger(table).claim(replace(some_claim(), claimed_at=now), limits=LIMITS)


def counts(table: Table) -> tuple[int, int]:
    """Bought in the row's window, and in the one before."""
    row = table.get(ROW)
    assert row is not None
    return row["bought"], row["before"]


def test_a72_the_last_place_is_not_taken_twice(table: Interrupted) -> None:
    """Two have read that there is one more: the second to write must read again, and is then told to wait."""
    buy(table)
    buy(table)
    table.meanwhile = lambda: buy(table)
    with pytest.raises(RateMoved):
        buy(table)
    with pytest.raises(RateLimited):
        buy(table)
    assert counts(table) == (3, 0)


def test_two_that_begin_a_window_count_what_was_before_once(table: Interrupted) -> None:
    """Both have read the old window: the second finds the new one begun, and what the old one held is not lost."""
    later = (NOW // HOUR + 1) * HOUR + HOUR // 2
    buy(table)
    buy(table)
    table.meanwhile = lambda: buy(table, later)
    with pytest.raises(RateMoved):
        buy(table, later)
    assert counts(table) == (1, 2)
    buy(table, later)
    assert counts(table) == (2, 2)
    with pytest.raises(RateLimited):
        buy(table, later)


def test_a_first_window_begun_by_two_at_once_counts_both(table: Interrupted) -> None:
    """Neither has found a row."""
    table.meanwhile = lambda: buy(table)
    with pytest.raises(RateMoved):
        buy(table)
    buy(table)
    assert counts(table) == (2, 0)
