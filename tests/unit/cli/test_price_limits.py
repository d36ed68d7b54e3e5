"""``limits`` of a routes file: a typo does not sell for a hundredth, nor for a hundred times."""

from pathlib import Path

import pytest

from tests.unit.cli.test_price_choice import ROUTE
from tests.unit.cli.test_routes_file import GOOD, LOCAL, problems, read

FILE = """\
version: 1
limits: {{min: "{low}", max: "{high}"}}
routes:
  - {route}"""


def file(route: str, low: str = "$0.001", high: str = "$10") -> str:
    """A file with one route, which starts on line 4."""
    return FILE.format(low=low, high=high, route=route.replace("\n", "\n    "))


@pytest.mark.parametrize("price", ["$0.001", "$0.01", "$10", "$10.0", "free"])
def test_a_price_within_the_limits_is_fine(tmp_path: Path, price: str) -> None:
    """Both ends included; what is free has no price."""
    assert len(read(tmp_path, file(GOOD.replace("$0.01", price))).routes) == 1


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ('"$0.0009"', "asks $0.0009, which is under the file's limits.min of $0.001"),
        ('"$10.01"', "asks $10.01, which is over the file's limits.max of $10"),
        ('"$100"', "asks $100.00, which is over the file's limits.max of $10"),
        ('{amount: "1", asset: USDC}', "asks $0.000001, which is under the file's limits.min of $0.001"),
    ],
)
def test_a_price_outside_is_refused(tmp_path: Path, price: str, said: str) -> None:
    """In dollars or in atomic units, on each network, said once."""
    text = file(GOOD.replace('"$0.01"', price) + "networks: [base-sepolia, local]\n")
    assert problems(tmp_path, text, LOCAL) == [f":6: routes[0].price: {said}"]


def test_every_tier_is_held_to_them(tmp_path: Path) -> None:
    """Each that is outside, and what any other value costs."""
    found = problems(tmp_path, file(ROUTE, low="$0.02", high="$0.1"))
    assert [f.split("price: ")[1] for f in found] == [
        "asks $0.01, which is under the file's limits.min of $0.02",
        "asks $0.20, which is over the file's limits.max of $0.1",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('{min: "$0.001", max: "$10"}', "{}", "limits: must say min, max or both"),
        ('{min: "$0.001", max: "$10"}', '"$1"', "limits: must be a set of fields (min, max)"),
        ('min: "$0.001"', "min: 0.001", "limits.min: must be text"),
        ('min: "$0.001"', 'min: "0.001"', "limits.min: must look like"),
        ('min: "$0.001"', 'min: "$0.0000001"', "limits.min: has more than the 6 decimals"),
        ('max: "$10"', 'max: "$0.0001"', "limits: has a min over its max"),
        ("max:", "most:", "limits.most: is not a known field"),
    ],
)
def test_limits_that_say_nothing_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A limit that is misspelled would hold nothing."""
    (found,) = problems(tmp_path, file(GOOD).replace(old, new))
    assert found.startswith(f":2: {said}")
