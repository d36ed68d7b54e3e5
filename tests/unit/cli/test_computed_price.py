"""Prices that a function computes, in a routes file: which, between what, and what it is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.cli.test_routes_file import FUNCTIONS, one, problem_of
from tests.unit.cli.test_upstream_functions import FACTS
from tollgate.gateway.catalogue import Catalogue, merge
from tollgate.gateway.declaring.changes import changes, jumps, still_accepted
from tollgate.payment.computed_price import FormerComputedPrice
from tollgate.payment.route_json import routes_from_json, routes_to_json
from tollgate.payment.routes import Snapshot
from tollgate.payment.states import Flow
from tollgate_cli import doctor_functions

ROUTE = """\
method: POST
path: /texts/{to}
price: {function: report, min: "$0.01", max: "$2", body: [text, options.tone], validSeconds: 90, timeoutSeconds: 1.5}
upstream:
  url: https://api.example.com/texts/{to}
"""


def test_a_computed_price_is_read_with_its_bounds_on_every_network(tmp_path: Path) -> None:
    """Each with the route's flow; no price stands beside it, and the function by its ARN."""
    route = one(tmp_path, ROUTE + "networks: [base-sepolia, local]\nflow: upfront\n", FACTS)
    computed = route.computed
    assert computed is not None
    assert (route.accepts, route.choice, route.flow) == ((), None, Flow.UPFRONT)
    assert (computed.function, computed.fields) == (FUNCTIONS + "report", ("text", "options.tone"))
    assert (computed.valid_seconds, computed.timeout_seconds) == (90, 1.5)
    assert [[r.amount for r in terms] for terms in (computed.low, computed.high)] == [[10_000] * 2, [2_000_000] * 2]
    Catalogue(Snapshot((route,)))
    former = replace(route, former_computed=(FormerComputedPrice(computed, 9),))
    assert routes_from_json(routes_to_json([route, former])) == (route, former)


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    """A minute, two seconds, no body."""
    short = ROUTE.replace(", body: [text, options.tone], validSeconds: 90, timeoutSeconds: 1.5", "")
    computed = one(tmp_path, short, FACTS).computed
    assert computed is not None
    assert (computed.fields, computed.valid_seconds, computed.timeout_seconds) == ((), 60, 2.0)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("function: report", "function: other", "price.function: is not in the stack's UpstreamFunctionArns"),
        ("function: report", "function: shop-settle", "price.function: is a function of this stack itself"),
        (', max: "$2"', "", "price.max: is missing"),
        ('"$2"', "free", 'price.max: must look like "$0.01"'),
        ('"$2"', '"$0.001"', "price: has a min over its max"),
        ('"$0.01"', '{amount: "0", asset: USDC}', "price.min.amount: must be over 0"),
        ("[text, options.tone]", "text", "price.body: must be a list of 1 to 10 fields"),
        ("options.tone", "options..tone", "price.body[1]: must be the name of a field, once"),
        ("options.tone", "text", "price.body[1]: must be the name of a field, once"),
        ("validSeconds: 90", "validSeconds: 9", "price.validSeconds: must be a number of seconds from 10 to 600"),
        ("validSeconds: 90", "validSeconds: 90.5", "price.validSeconds: must be whole seconds"),
        ("timeoutSeconds: 1.5", "timeoutSeconds: 6", "price.timeoutSeconds: must be a number of seconds from 0.1 to 5"),
        ("timeoutSeconds: 1.5", "tiers: {}", "price.tiers: is not a known field"),
        ("method: POST", "method: GET", "price.body: GET has no body that upstreams agree to read"),
    ],
)
def test_a_wrong_computed_price_is_named(tmp_path: Path, before: str, after: str, expected: str) -> None:
    """On its line, and nothing else with it."""
    assert before in ROUTE
    assert f"routes[0].{expected}" in problem_of(tmp_path, ROUTE.replace(before, after), FACTS)


def test_limits_hold_for_both_bounds(tmp_path: Path) -> None:
    """A slipped point in either sells nothing."""
    text = 'version: 1\nlimits: {max: "$1"}\nroutes:\n  - ' + ROUTE.replace("\n", "\n    ").rstrip() + "\n"
    file = tmp_path / "routes.yaml"
    file.write_text(text)
    from tests.unit.cli.test_routes_file import problems  # noqa: PLC0415

    (found,) = problems(tmp_path, text, FACTS)
    assert "asks $2.00, which is over the file's limits.max of $1" in found


def test_a_plan_shows_what_changes_and_what_stays_acceptable(tmp_path: Path) -> None:
    """Function, bounds and fields; a price ten times as high is warned of."""
    old, new = one(tmp_path, ROUTE, FACTS), one(tmp_path, ROUTE.replace("$2", "$20").replace("text, ", ""), FACTS)
    (change,) = changes([old], [new])
    assert change.fields == (
        ("price from the body's", "text, options.tone", "options.tone"),
        ("max price on base-sepolia", "$2.00 USDC", "$20.00 USDC"),
        ("max price on local", "$2.00 USDC", "$20.00 USDC"),
    )
    assert "the price of max on base-sepolia becomes 10 times what it was" in jumps([old], [new])[0]
    merged = merge([old], [new], 1_000)
    assert still_accepted(merged, 1_000) == [
        f"POST /texts/{{to}}: what {FUNCTIONS}report said before stays acceptable for up to 150 s"
    ]
    assert merge(merged, [new], 1_150)[0].former_computed == merged[0].former_computed
    assert merge(merged, [new], 1_151)[0].former_computed == ()


def test_the_doctor_knows_price_functions(tmp_path: Path) -> None:
    """As those that are sold, with the time that the price has."""
    route = one(tmp_path, ROUTE, FACTS)
    assert list(doctor_functions.functions_of(route)) == [(FUNCTIONS + "report", 1.5)]
