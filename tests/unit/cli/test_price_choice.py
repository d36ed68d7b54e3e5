"""Prices by a value of the request, in a routes file."""

from pathlib import Path

import pytest

from tests.unit.cli.test_routes_file import LOCAL, one, problem_of
from tollgate.gateway.declaring.changes import changes
from tollgate.payment.price_choice import Where
from tollgate.payment.states import Flow

ROUTE = """\
method: POST
path: /images
price:
  by: query.size
  tiers: {small: "$0.01", large: "$0.20"}
  otherwise: "$0.20"
upstream:
  url: https://api.example.com/images
"""


def test_tiers_are_priced_on_every_network(tmp_path: Path) -> None:
    """Each with the route's flow and payTo."""
    text = ROUTE + "networks: [base-sepolia, local]\nflow: upfront\n"
    route = one(tmp_path, text, LOCAL)
    choice = route.choice
    assert choice is not None
    assert (route.accepts, choice.where, choice.field, choice.absent) == ((), Where.QUERY, "size", None)
    assert [(tier.value, [r.amount for r in tier.accepts]) for tier in choice.tiers] == [
        ("small", [10_000, 10_000]),
        ("large", [200_000, 200_000]),
    ]
    assert [r.amount for r in choice.otherwise] == [200_000, 200_000]
    assert route.flow is Flow.UPFRONT


def test_a_field_of_the_body_may_lie_deeper(tmp_path: Path) -> None:
    """And what is absent may be a tier, whatever the value's look."""
    text = ROUTE.replace("query.size", "body.options.n").replace("small:", "1:").replace("otherwise:", 'absent: "1" #')
    choice = one(tmp_path, text).choice
    assert choice is not None
    assert (choice.where, choice.field, choice.absent, choice.otherwise) == (Where.BODY, "options.n", "1", ())
    assert one(tmp_path, ROUTE.replace('otherwise: "$0.20"', "otherwise: refuse")).choice is not None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("query.size", "header.size", ":6: routes[0].price.by: must be query.NAME, or body.NAME"),
        ("query.size", "query.a.b", ":6: routes[0].price.by: must be query.NAME"),
        ("query.size", "query.si[ze", ":6: routes[0].price.by: must be query.NAME"),
        ("method: POST", "method: GET\n#", None),
        ("  by: query.size\n", "", ":6: routes[0].price.by: is missing"),
        ('{small: "$0.01", large: "$0.20"}', "{}", ":7: routes[0].price.tiers: must be 1 to 20 values"),
        ('{small: "$0.01", large: "$0.20"}', "[small]", ":7: routes[0].price.tiers: must be 1 to 20 values"),
        ("small:", "sm all:", ":7: routes[0].price.tiers.sm all: is a value of other than"),
        ("small:", "LARGE:", ":7: routes[0].price.tiers.large: is another tier in other letters"),
        ('"$0.01"', '"$0"', ":7: routes[0].price.tiers.small: must be over 0"),
        ('"$0.01"', "free", ":7: routes[0].price.tiers.small: must look like"),
        ('"$0.01"', '{amount: "1"}', ":7: routes[0].price.tiers.small.asset: is missing"),
        ('otherwise: "$0.20"', 'otherwise: "$0.19"', ":8: routes[0].price.otherwise: must be at least the dearest"),
        ('otherwise: "$0.20"', "otherwise: never", ":8: routes[0].price.otherwise: must look like"),
        ('otherwise: "$0.20"', "absent: medium", ":8: routes[0].price.absent: must be one of the tiers"),
        ('otherwise: "$0.20"', "others: refuse", ":8: routes[0].price.others: is not a known field"),
    ],
)
def test_what_is_wrong_is_said_by_line(tmp_path: Path, old: str, new: str, expected: str | None) -> None:
    """One mistake, one sentence."""
    assert ROUTE.count(old) >= 1
    if expected is None:
        one(tmp_path, ROUTE.replace(old, new, 1))
    else:
        assert problem_of(tmp_path, ROUTE.replace(old, new, 1)).startswith(expected)


def test_a_body_is_priced_only_where_there_is_one(tmp_path: Path) -> None:
    """GET and DELETE have bodies that upstreams read or not."""
    for method in ("GET", "DELETE"):
        text = ROUTE.replace("query.size", "body.size").replace("POST", method)
        assert problem_of(tmp_path, text).startswith(f":6: routes[0].price.by: {method} has no body")


def test_a_change_of_tiers_is_shown_tier_by_tier(tmp_path: Path) -> None:
    """As people say it."""
    old, new = (
        one(tmp_path, ROUTE),
        one(tmp_path, ROUTE.replace("$0.01", "$0.02").replace("otherwise: ", "absent: small #")),
    )
    (change,) = changes([old], [new])
    assert change.lines() == [
        "~ POST /images",
        "    a call without query.size: refused -> small",
        "    price of small on base-sepolia: $0.01 USDC -> $0.02 USDC",
        "    any other query.size on base-sepolia: $0.20 USDC -> none",
        "    any other query.size: none -> refused",
    ]
