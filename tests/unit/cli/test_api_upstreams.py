"""``upstream: {api: URL}``: what the authorizer of a REST API sells, and what it cannot."""

from pathlib import Path

import pytest

from tests.unit.cli.test_routes_file import STACK
from tollgate.payment.route_json import routes_from_json, routes_to_json
from tollgate.payment.routes import ApiTarget
from tollgate_cli.routes_file import WrongFile, read_routes_file

URL = "https://abcdef1234.execute-api.eu-central-1.amazonaws.com/prod"
GOOD = f"""
version: 1
routes:
  - method: GET
    path: /weather/{{city}}
    price: "$0.01"
    flow: upfront
    upstream: {{api: "{URL}"}}
"""


def test_a_route_of_an_api_is_read_and_kept(tmp_path: Path) -> None:
    """And comes back from the table as it was; its offers name the API's own URL."""
    file = tmp_path / "routes.yaml"
    file.write_text(GOOD)
    (route,) = read_routes_file(file, STACK).routes
    assert route.upstream == ApiTarget(URL)
    assert route.base_url("https://own.example") == URL
    assert routes_from_json(routes_to_json((route,))) == (route,)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("    flow: upfront\n", "", "say flow: upfront"),
        ('price: "$0.01"\n    flow: upfront', "price: free", "a free method needs none"),
        (URL, "http://abcdef1234.execute-api.eu-central-1.amazonaws.com/prod", "public https URL"),
        (URL, URL + "/", "trailing slash"),
        (URL, URL + "?a=b", "without user, query"),
        (URL, "https://user@abcdef1234.example/prod", "without user, query"),
        (URL, "not an url", "public https URL"),
        (f'"{URL}"', f'"{URL}", timeoutSeconds: 3', "timeoutSeconds"),
        (
            'price: "$0.01"',
            'price: {by: body.size, tiers: {s: "$0.01", l: "$0.02"}, absent: s, otherwise: refuse}',
            "which sees no body",
        ),
    ],
)
def test_what_an_authorizer_cannot_sell_is_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """With a sentence, before anything is written."""
    file = tmp_path / "routes.yaml"
    assert old in GOOD
    method = "POST" if "body." in new else "GET"
    file.write_text(GOOD.replace(old, new).replace("GET", method))
    with pytest.raises(WrongFile) as wrong:
        read_routes_file(file, STACK)
    assert sentence in str(wrong.value)
