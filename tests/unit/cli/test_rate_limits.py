"""``limit`` in a routes file."""

from pathlib import Path

import pytest

from tests.unit.cli.test_routes_file import GOOD, one, problem_of
from tollgate.gateway.declaring.rate_limits import rate
from tollgate.payment.rate_limits import RateLimit, RouteLimits


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("{per_payer: 60/minute, per_route: 1000/minute}", RouteLimits(RateLimit(60, 60), RateLimit(1000, 60))),
        ("{per_payer: 1/day}", RouteLimits(RateLimit(1, 86_400), None)),
        ("{per_route: 50/second}", RouteLimits(None, RateLimit(50, 1))),
        ("{per_route: 180000/hour}", RouteLimits(None, RateLimit(180_000, 3600))),
    ],
)
def test_limits_are_calls_per_unit(tmp_path: Path, text: str, limits: RouteLimits) -> None:
    """And are shown as they are written."""
    found = one(tmp_path, GOOD + f"limit: {text}\n").limits
    assert found == limits
    assert all(rate(limit) in text for limit in (limits.per_payer, limits.per_route))
    assert one(tmp_path, GOOD).limits is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("60/minute", ":8: routes[0].limit: must be a set of fields (per_payer, per_route), not text"),
        ("{}", ":8: routes[0].limit: must say per_payer, per_route or both"),
        ("{per_buyer: 60/minute}", ":8: routes[0].limit.per_buyer: is not a known field (did you mean per_payer?)"),
        ("{per_payer: 0/minute}", ":8: routes[0].limit.per_payer: must be a number of calls per second, minute"),
        ("{per_payer: 60}", ":8: routes[0].limit.per_payer: must be text"),
        ("{per_payer: 60/min}", ":8: routes[0].limit.per_payer: must be a number of calls"),
        ("{per_payer: 1.5/minute}", ":8: routes[0].limit.per_payer: must be a number of calls"),
        ("{per_route: 3001/minute}", ":8: routes[0].limit.per_route: must be at most 50 a second on average"),
    ],
)
def test_what_is_no_limit_is_said(tmp_path: Path, text: str, expected: str) -> None:
    """A limit that is misspelled would hold nothing."""
    assert problem_of(tmp_path, GOOD + f"limit: {text}\n").startswith(expected)


def test_a_free_route_has_no_limit(tmp_path: Path) -> None:
    """Counting would be writing."""
    text = GOOD.replace('"$0.01"', "free") + "limit: {per_payer: 1/day}\n"
    assert problem_of(tmp_path, text).startswith(":8: routes[0].limit: counts what is paid for, but the route is free")
