"""input and output of a route: examples and schemas that any reader of an offer can use, or what is wrong with them."""

from pathlib import Path

import pytest

from tests.unit.cli.test_routes_file import GOOD, LOCAL, one, problem_of, problems, read
from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.declaring.changes import changes
from tollgate.gateway.declaring.problems import WrongFile
from tollgate.gateway.declaring.routes import MAX_OFFER_BYTES
from tollgate.gateway.offers import LONGEST_DESCRIBED_PATH, payment_required
from tollgate.payment.routes import Snapshot
from tollgate.wire.headers import decode, encode

WHOLE = (
    GOOD
    + """\
input:
  example: {units: metric, days: 3, hourly: true, until: null, at: [6, 18]}
  schema:
    properties:
      units: {type: string, enum: [metric, imperial]}
      days: {type: integer, minimum: 1}
  pathParams:
    properties:
      city: {type: string}
output:
  example: {celsius: 21}
  schema: {properties: {celsius: {type: integer}}}
"""
)
POST = GOOD.replace("GET", "POST").replace("/weather/{city}", "/orders").replace("{city}", "orders")


def test_what_the_file_says_stands_in_the_offer(tmp_path: Path) -> None:
    """As JSON, in a header that buyers can send back."""
    route = one(tmp_path, WHOLE)
    catalogue = Catalogue(Snapshot((route,)))
    offer = payment_required(catalogue.match("GET", "/weather/oslo"), "https://pay.example.com", route.accepts, "x")
    info = decode(encode(offer.to_json()))["extensions"]["bazaar"]["info"]
    assert info["input"]["queryParams"] == {"units": "metric", "days": 3, "hourly": True, "until": None, "at": [6, 18]}
    assert info["input"]["pathParams"] == {"city": "oslo"}
    assert info["output"] == {"type": "json", "example": {"celsius": 21}}


def test_a_route_that_declares_nothing_says_nothing(tmp_path: Path) -> None:
    """Its offer is as short as before; an empty input is a declaration."""
    for text, told in ((GOOD, False), (GOOD + "input: {}\n", True)):
        route = one(tmp_path, text)
        match = Catalogue(Snapshot((route,))).match("GET", "/weather/oslo")
        assert ("bazaar" in payment_required(match, "https://x.example", route.accepts, "x").extensions) is told


def test_a10_the_longest_offer_that_passes_the_checker_is_under_4_kb(tmp_path: Path) -> None:
    """Grow the example until it is refused: what was taken last fits, whatever the path; a longer path says less."""
    taken = None
    for size in range(100, 2000, 100):
        text = GOOD + f"input: {{example: {{note: {'n' * size}}}}}\n"
        try:
            taken = one(tmp_path, text, LOCAL)
        except WrongFile:
            break
    else:
        pytest.fail("nothing is too long")
    assert taken is not None
    catalogue = Catalogue(Snapshot((taken,)))
    lengths = {}
    for extra in (1, LONGEST_DESCRIBED_PATH - 9, LONGEST_DESCRIBED_PATH - 8, 1000):
        match = catalogue.match("GET", "/weather/" + "o" * extra)
        offer = payment_required(match, "https://pay.example.com", taken.accepts, "e" * 64)
        lengths[extra] = ("bazaar" in offer.extensions, len(encode(offer.to_json())) <= MAX_OFFER_BYTES)
    assert list(lengths.values()) == [(True, True), (True, True), (False, True), (False, True)]


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (
            GOOD + "input: {example: {a: 1.5}}\n",
            "routes[0].input.example.a: must be a whole number within 2^53, or text",
        ),
        (GOOD + "input: {example: {a: 9007199254740992}}\n", "routes[0].input.example.a: must be a whole number"),
        (GOOD + "input: {example: {a: 2026-11-25}}\n", "routes[0].input.example.a: must be text, a whole number"),
        (GOOD + "input: {example: [1]}\n", "routes[0].input.example: must be a set of fields: the parameters"),
        (GOOD + "input: {bodyType: json}\n", "routes[0].input.bodyType: is for POST, PUT and PATCH"),
        (POST + "input: {bodyType: xml}\n", "routes[0].input.bodyType: must be one of json, form-data, text"),
        (GOOD + "input: {exampel: {}}\n", "routes[0].input.exampel: is not a known field (did you mean example?)"),
        (GOOD + "input: metric\n", "routes[0].input: must be a set of fields"),
        (GOOD + "input: {schema: 7}\n", "routes[0].input.schema: must be a JSON schema"),
        (GOOD + "input: {schema: {type: strin}}\n", "routes[0].input.schema: is no JSON schema"),
        (GOOD + 'input: {schema: {"$ref": "http://169.254.169.254/"}}\n', "routes[0].input.schema: holds $ref"),
        (GOOD + 'output: {example: 1, schema: {anyOf: [{"$ref": "#/x"}]}}\n', "routes[0].output.schema: holds $ref"),
        (GOOD + "input: {pathParams: {properties: {town: {type: string}}}}\n", "describes town, which is no {param}"),
        (
            GOOD + "input: {example: {a: 1}, schema: {properties: {a: {type: string}}}}\n",
            "routes[0].input.example: is refused by its schema",
        ),
        (
            GOOD + "output: {example: {a: 1}, schema: {properties: {a: {type: string}}}}\n",
            "routes[0].output.example: is refused by its schema",
        ),
        (POST + "input: {schema: {required: [a]}}\n", "routes[0].input: needs an example that its schema takes"),
        (GOOD + "output: {schema: {}}\n", "routes[0].output.example: is missing"),
        (GOOD + f"output: {{example: {'x' * 1990}}}\ndescription: {'d' * 500}\n", "routes[0]: makes an offer of"),
    ],
)
def test_what_no_reader_could_use_is_refused(tmp_path: Path, route: str, expected: str) -> None:
    """One problem, by field."""
    assert expected in problem_of(tmp_path, route)


@pytest.mark.parametrize("path", ["/discovery/resources", "/Discovery/x", "/discovery/{id}", "/.well-known/x402"])
def test_what_is_tollgates_own_cannot_be_sold(tmp_path: Path, path: str) -> None:
    """Neither the Bazaar's endpoints nor the well-known document."""
    text = GOOD.replace("/weather/{city}", path).replace("/{city}", "/x")
    (problem,) = problems(tmp_path, "version: 1\nroutes:\n  - " + text.replace("\n", "\n    ").rstrip() + "\n")
    assert "Tollgate's own" in problem


@pytest.mark.parametrize(
    ("path", "notes"),
    [("/llms.txt", 1), ("/openapi.json", 1), ("/{page}", 2), ("/{page}/x", 0), ("/llms.txt/", 0), ("/weather", 0)],
)
def test_a_route_that_takes_the_place_of_a_document_is_noted(tmp_path: Path, path: str, notes: int) -> None:
    """It may, and then it is the route's; who did not mean it reads so."""
    text = GOOD.replace("/weather/{city}", path).replace("/v1/{city}", "/v1/x")
    found = read(tmp_path, "version: 1\nroutes:\n  - " + text.replace("\n", "\n    ").rstrip() + "\n").notes
    assert [note.field for note in found] == ["routes[0].path"] * notes


def test_a_change_of_it_is_shown(tmp_path: Path) -> None:
    """Before it is applied."""
    (change,) = changes([one(tmp_path, GOOD)], [one(tmp_path, WHOLE)])
    assert [name for name, _, _ in change.fields] == ["input", "output"]
