"""``price: free`` in a routes file."""

from pathlib import Path

import pytest

from tests.unit.cli.test_routes_file import problems, read

TWO = """\
version: 1
routes:
  - {{method: GET, path: "/{free}", price: free, upstream: {{url: "https://api.example.com/{to}"}}}}
  - {{method: GET, path: /sold/report, price: "$0.01", upstream: {{url: "https://API.example.com/v1/Report"}}}}
"""


def test_a_free_route_accepts_nothing(tmp_path: Path) -> None:
    """Beside one that is priced."""
    free, sold = read(tmp_path, TWO.format(free="status", to="v1/status")).routes
    assert (free.free, free.accepts) == (True, ())
    assert (sold.free, len(sold.accepts)) == (False, 1)


@pytest.mark.parametrize(
    "field",
    ["networks: [base-sepolia]", "maxTimeoutSeconds: 60", "flow: upfront", "slow: true", "sourceAddressResends: true"],
)
def test_a_free_route_has_no_terms_of_payment(tmp_path: Path, field: str) -> None:
    """They would say something that is not so."""
    text = TWO.format(free="status", to="v1/status").replace("price: free,", f"price: free, {field},")
    (found,) = problems(tmp_path, text)
    assert found == f":3: routes[0].{field.partition(':')[0]}: says how a payment is made, but the route is free"


@pytest.mark.parametrize(
    ("free", "to"),
    [("{page}", "v1/{page}"), ("v/{a}", "{a}/report"), ("report", "v1/report"), ("report", "V1/REPORT/")],
)
def test_a29_a_free_route_that_could_reach_a_priced_upstream_is_refused(tmp_path: Path, free: str, to: str) -> None:
    """By another case, or by a param: an upstream may take it for the path that is sold."""
    (found,) = problems(tmp_path, TWO.format(free=free, to=to))
    assert found.startswith(":3: routes[0].upstream: could be asked for what GET /sold/report sells")


@pytest.mark.parametrize("to", ["v2/{page}", "v1/a/{page}", "{page}"])
def test_upstreams_apart_from_each_other_are_fine(tmp_path: Path, to: str) -> None:
    """Params are single segments, so what lies deeper or beside is out of reach."""
    assert len(read(tmp_path, TWO.format(free="{page}", to=to)).routes) == 2
