"""Owners of routes against each other, the operator, and whoever sees their headers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.chain import Chain
from tests.support.buyer import decode, encode
from tests.support.functions import Functions
from tests.support.seats import READ, Seat, change_id, declared, sign_in
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.routes import Route

ROUTES = "/x402/admin/routes"
_LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"
PROXY_ONLY = "https://api.example.org/private"


@pytest.fixture(scope="module")
def functions(aws_endpoint: str, shared_chain: Chain) -> Iterator[Functions]:
    """A stack that takes public upstreams only, with a route of the operator's."""
    with Functions(aws_endpoint, shared_chain, AllowPrivateUpstreams="false") as made:
        made.sell("GET", "/weather/{city}", PROXY_ONLY)
        yield made


@pytest.fixture
def owner(functions: Functions, request: pytest.FixtureRequest) -> Seat:
    """An owner whose routes are below a path of this test's own."""
    return Seat.of_an_owner(functions, f"/{request.node.name.split('[')[0]}"[:60])


def mine(seat: Seat, id: str, **changes: Any) -> dict[str, Any]:
    """A declaration below the seat's path."""
    return declared(id, **{"path": f"{seat.path}/{id}", **changes})


def table(functions: Functions) -> RoutesTable:
    """The routes table."""
    return RoutesTable(functions.client("dynamodb"), functions.resource("RoutesTable"), ())


def routes_of(functions: Functions) -> tuple[Route, ...]:
    """All that is for sale."""
    return table(functions).load().routes


def registered(seat: Seat, id: str) -> int:
    """Register a route; its version."""
    made = seat.ask("POST", ROUTES, mine(seat, id))
    assert made.status == 201, made.body
    return int(made.json()["version"])


def test_nobody_is_an_owner_unless_the_operator_says_so(functions: Functions) -> None:
    """A signature proves a wallet, and no wallet may sell here by itself."""
    stranger = Seat(functions, functions.buyer())
    before = routes_of(functions)
    for method, body in (("GET", None), ("POST", declared("stranger", path="/stranger"))):
        refused = stranger.ask(method, ROUTES, body)
        assert (refused.status, refused.json()["code"]) == (403, "not_an_owner")
    assert routes_of(functions) == before


def test_a102_anothers_route_is_neither_seen_nor_changed_nor_known_of(functions: Functions, owner: Seat) -> None:
    """The same answer as for one that does not exist, to every way of asking."""
    other = Seat.of_an_owner(functions, "/elsewhere")
    version = registered(owner, "a102-mine")
    before = routes_of(functions)
    for method, url, body in (
        ("GET", f"{ROUTES}/%s", None),
        ("GET", f"{ROUTES}/%s/versions", None),
        ("PUT", f"{ROUTES}/%s", declared("%s", path="/elsewhere/tea")),
        ("DELETE", f"{ROUTES}/%s", None),
    ):
        answers = []
        for id in ("a102-mine", "a102-nobodys"):
            sent = None if body is None else json.dumps(body).replace("%s", id).encode()
            asked = other.ask(method, url % id, sent, version=version if method != "GET" else None)
            answers.append((asked.status, asked.body))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    assert other.ask("GET", ROUTES).json() == {"routes": []}
    assert other.ask("GET", "/x402/admin/changes").json()["changes"] == []
    assert routes_of(functions) == before


def test_a102_who_takes_over_an_id_learns_nothing_of_its_former_owner(functions: Functions, owner: Seat) -> None:
    """An id is free again once its route is gone; what it was is its owner's."""
    version = registered(owner, "a102-id")
    assert owner.ask("DELETE", f"{ROUTES}/a102-id", version=version).status == 204
    heir = Seat.of_an_owner(functions, "/heir")
    registered(heir, "a102-id")
    (only,) = heir.ask("GET", f"{ROUTES}/a102-id/versions").json()["versions"]
    assert only["by"] == str(heir.address)
    assert {change["by"] for change in heir.ask("GET", "/x402/admin/changes").json()["changes"]} == {str(heir.address)}


def test_a_captured_header_makes_no_other_change(functions: Functions, owner: Seat) -> None:
    """Another method, path, version or body is another request id, and so is reading."""
    version = registered(owner, "captured")
    body = json.dumps(mine(owner, "captured", price="$0.02")).encode()
    url = f"{ROUTES}/captured"
    header = sign_in(owner.account, change_id("PUT", url, f'"{version}"', body))
    before = routes_of(functions)
    for method, path, data, at in (
        ("PUT", url, body.replace(b"0.02", b"0.01"), version),
        ("PUT", url, body, version + 1),
        ("DELETE", url, body, version),
        ("PUT", f"{ROUTES}/other", body, version),
        ("POST", ROUTES, body, version),
        ("GET", url, None, None),
    ):
        refused = owner.ask(method, path, data, version=at, header=header)
        assert (refused.status, refused.json()["code"]) == (403, "sign_in_refused")
    assert routes_of(functions) == before
    assert owner.ask("PUT", url, body, version=version, header=header).status == 200


def test_a_captured_header_makes_its_change_once(functions: Functions, owner: Seat) -> None:
    """Also when what it made is gone again, so that nothing else stands in its way."""
    body = json.dumps(mine(owner, "once")).encode()
    header = sign_in(owner.account, change_id("POST", ROUTES, "", body))
    made = owner.ask("POST", ROUTES, body, header=header)
    assert made.status == 201
    assert owner.ask("DELETE", f"{ROUTES}/once", version=made.json()["version"]).status == 204
    again = owner.ask("POST", ROUTES, body, header=header)
    assert (again.status, again.json()["code"]) == (409, "sign_in_used")
    assert "once" not in {route.id for route in routes_of(functions)}


@pytest.mark.parametrize("age", [301, -31])
def test_a_header_is_good_for_five_minutes(functions: Functions, owner: Seat, age: int) -> None:
    """To read and to change; neither longer nor from the future on."""
    body = json.dumps(mine(owner, "late")).encode()
    change = sign_in(owner.account, change_id("POST", ROUTES, "", body), age=age)
    for method, data, header in (("POST", body, change), ("GET", None, sign_in(owner.account, READ, age=age))):
        refused = owner.ask(method, ROUTES, data, header=header)
        assert (refused.status, refused.json()["code"]) == (403, "sign_in_refused")


def test_a_signature_for_another_domain_or_by_another_wallet_is_refused(functions: Functions, owner: Seat) -> None:
    """What a wallet signs on one site is no sign-in on another; and an address is not a signature."""
    elsewhere = sign_in(owner.account, READ, domain="api.example.net")
    thief = Seat(functions, functions.buyer())
    lied = encode(decode(sign_in(thief.account, READ)) | {"address": owner.account.address})
    for header in (elsewhere, lied):
        refused = owner.ask("GET", ROUTES, header=header)
        assert (refused.status, refused.json()["code"]) == (403, "sign_in_refused")


def test_a_signature_for_another_stack_of_the_same_host_is_refused(functions: Functions, owner: Seat) -> None:
    """A PublicBaseUrl may have a path, so a host may be that of two stacks; the signed uri tells them apart."""
    body = json.dumps(mine(owner, "staged")).encode()
    before = routes_of(functions)
    for method, data, id in (("POST", body, change_id("POST", ROUTES, "", body)), ("GET", None, READ)):
        for below in ("/staging", "/x"):
            refused = owner.ask(method, ROUTES, data, header=sign_in(owner.account, id, below=below))
            assert (refused.status, refused.json()["code"]) == (403, "sign_in_refused")
    assert routes_of(functions) == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"payTo": "0x" + "12" * 20}, "payTo"),
        ({"owner": "0x" + "12" * 20}, "owner"),
        ({"feeBps": 0, "owner": None}, "feeBps"),
        ({"price": "free"}, "price"),
        ({"price": "$0.0009"}, "price"),
        ({"price": {"by": "query.size", "tiers": {"s": "$0.0009", "l": "$1"}}}, "price"),
        ({"price": {"by": "query.size", "tiers": {"s": "$1"}, "otherwise": "free"}}, "price"),
        (
            {"price": {"function": f"{_LAMBDA}price", "min": "$1", "max": "$2"}},
            "price",
        ),
        ({"flow": "upfront"}, "flow"),
        ({"path": "/weather/oslo"}, "path"),
        ({"path": "/"}, "path"),
        ({"path": "/{any}/tea"}, "path"),
        ({"path": "/x402/admin/routes"}, "path"),
        ({"path": "/openapi.json"}, "path"),
        ({"networks": ["base"]}, "networks[0]"),
        ({"upstream": {"function": f"{_LAMBDA}settle"}}, "upstream.function"),
        ({"upstream": {"url": "https://api.example.org/", "headers": {"x-key": {"secret": "%s"}}}}, "upstream"),
        (
            {"upstream": {"url": "https://a.example.org/", "secretHeader": {"name": "x-key", "secret": "%s"}}},
            "upstream",
        ),
        ({"upstream": {"webhook": "https://10.0.0.1/hook"}}, "upstream"),
        ({"input": {"schema": {"type": "object"}}}, "input.schema"),
    ],
)
def test_an_owner_declares_nothing_of_anothers(
    functions: Functions, owner: Seat, changes: dict[str, Any], field: str
) -> None:
    """Not another's wallet, name, fee, path, function or secret; all of it before anything is written."""
    owner.admit(owner.path, fee_bps=250)
    text = json.dumps(mine(owner, "greedy") | changes).replace("%s", functions.made.upstream_prefix + "key")
    before = routes_of(functions)
    refused = owner.ask("POST", ROUTES, text.encode())
    assert (refused.status, refused.json()["code"]) == (422, "invalid_route")
    assert any(problem["field"].startswith(field) for problem in refused.json()["details"]["problems"])
    assert routes_of(functions) == before


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.org/",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706433/",
        "https://db.internal/",
        "https://localhost/",
        "https://user:key@api.example.org/",
        "https://api.example.org/../admin",
    ],
)
def test_a87_a88_an_owner_reaches_nothing_internal(functions: Functions, owner: Seat, url: str) -> None:
    """The same rules as for the operator's routes: the table of addresses is the proxy's own."""
    before = routes_of(functions)
    refused = owner.ask("POST", ROUTES, mine(owner, "inward", upstream={"url": url}))
    assert refused.status == 422
    assert {problem["field"] for problem in refused.json()["details"]["problems"]} == {"upstream.url"}
    assert routes_of(functions) == before


def test_a_secret_that_the_operator_keeps_for_an_owner_is_that_owners(functions: Functions, owner: Seat) -> None:
    """By its name: below owners/ and the owner's own address, and nobody else's."""
    prefix = functions.made.upstream_prefix + "owners/"
    other = Seat(functions, functions.buyer())
    for seat, status in ((other, 422), (owner, 201)):
        headers = {"x-key": {"secret": f"{prefix}{seat.address.lower}/key"}}
        upstream = {"url": "https://api.example.org/", "headers": headers}
        assert owner.ask("POST", ROUTES, mine(owner, "keyed", upstream=upstream)).status == status


@pytest.mark.parametrize(
    "id",
    ["Tea", "tea%20", "tea/", "te%61", "té", "\uff54ea", "tea.", "..", "tea\u200b", "TEA", "tea;v=1"],
)
def test_an_alias_of_an_id_is_no_id(functions: Functions, owner: Seat, id: str) -> None:
    """Neither to register nor to find: an id is its own letters, and a path its own bytes."""
    if "/" not in id and "%" not in id and ";" not in id:
        refused = owner.ask("POST", ROUTES, mine(owner, "x") | {"id": id})
        assert (refused.status, refused.json()["code"]) == (422, "invalid_route")
    if not any(route.id == "tea" for route in routes_of(functions)):
        registered(owner, "tea")
    assert owner.ask("GET", f"{ROUTES}/{id}").status == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b" " * 16_385, 413, "body_too_large"),
        (b"", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b'{"id":"a","id":"b"}', 400, "json_duplicate_key"),
        (b'{"id":"\\ud800"}', 400, "invalid_json"),
        (b"[" * 5_000, 400, "json_too_deep"),
        (b'{"price":NaN}', 400, "json_number_refused"),
        (b'{"id":"tea"}', 422, "invalid_route"),
    ],
)
def test_what_cannot_be_read_changes_nothing(
    functions: Functions, owner: Seat, body: bytes, status: int, code: str
) -> None:
    """One form of error, and no version of the table."""
    before = table(functions).load()
    refused = owner.ask("POST", ROUTES, body)
    assert (refused.status, refused.json()["code"]) == (status, code)
    assert table(functions).load() == before


def test_a07_one_wallet_is_one_owner_however_it_is_spelled(functions: Functions, owner: Seat) -> None:
    """payTo in small letters is the owner's own, too."""
    route = mine(owner, "spelled", payTo=owner.address.lower, owner=owner.address.lower)
    assert owner.ask("POST", ROUTES, route).status == 201
