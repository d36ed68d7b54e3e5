"""The admin API for owners: register, look, change and take away, each change whole, on record and sold at once."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.chain import Chain
from tests.support.functions import Functions
from tests.support.seats import Seat, declared
from tests.support.upstream import CountingUpstream, sunny
from tollgate.gateway.admin import routes
from tollgate.gateway.admin.routes import MOST_CHANGES
from tollgate.ledger.registered import RegisteredRoutes
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.route_json import routes_to_json

ROUTES = "/x402/admin/routes"
CHANGES = "/x402/admin/changes"


@pytest.fixture(scope="module")
def once(aws_endpoint: str, shared_chain: Chain) -> Iterator[Functions]:
    """The functions; use ``functions`` instead."""
    shared_chain.mine_at_once()
    with Functions(aws_endpoint, shared_chain) as made:
        yield made


@pytest.fixture
def functions(once: Functions) -> Functions:
    """The functions, with nothing for sale and no owner."""
    dynamo, name = once.client("dynamodb"), once.resource("RoutesTable")
    for item in dynamo.scan(TableName=name, ConsistentRead=True)["Items"]:
        dynamo.delete_item(TableName=name, Key={"pk": item["pk"]})
    once.cold("proxy")
    return once


@pytest.fixture
def seat(functions: Functions) -> Seat:
    """An owner below /acme."""
    return Seat.of_an_owner(functions)


@pytest.fixture
def upstream() -> Iterator[CountingUpstream]:
    """What the owner sells."""
    made = CountingUpstream()
    made.behave(sunny)
    yield made
    made.stop()


def table(functions: Functions) -> RoutesTable:
    """The routes table."""
    return RoutesTable(functions.client("dynamodb"), functions.resource("RoutesTable"), ())


def test_what_an_owner_registers_is_sold_and_paid_to_the_owner(
    functions: Functions, seat: Seat, upstream: CountingUpstream, shared_chain: Chain
) -> None:
    """From the declaration to the money, with nobody's file in between; the fee is owed, not withheld."""
    seat.admit(fee_bps=250)
    made = seat.ask("POST", ROUTES, declared(upstream={"url": upstream.url + "/tea"}))
    assert (made.status, made.headers["location"]) == (201, f"{ROUTES}/tea")
    functions.invoke("reconcile", {})
    payment = functions.sign(functions.buyer(), functions.offer("GET", "/acme/tea"))
    assert functions.request("GET", "/acme/tea", payment=payment).status == 200
    assert shared_chain.balance(seat.account.address) == 100_000_000 + 10_000
    rows = functions.client("dynamodb").scan(TableName=functions.resource("PaymentsTable"))["Items"]
    assert [row["amount"]["N"] for row in rows if row["pk"]["S"].startswith("FEE#")] == ["250"]


def test_a_route_is_read_as_it_was_declared(functions: Functions, seat: Seat) -> None:
    """What is read can be sent again; its version is the ETag."""
    sent = declared(description="Tea", price="$0.02")
    made = seat.ask("POST", ROUTES, sent)
    read = seat.ask("GET", f"{ROUTES}/tea")
    assert read.json() == made.json()
    assert read.json()["declaration"] == sent
    assert read.headers["etag"] == made.headers["etag"] == f'"{read.json()["version"]}"'
    assert seat.ask("GET", ROUTES).json() == {"routes": [read.json()]}


def test_a_change_needs_the_version_that_it_is_made_of(functions: Functions, seat: Seat) -> None:
    """428 without, 412 with another; either names the one that stands."""
    first = seat.ask("POST", ROUTES, declared()).json()["version"]
    dearer = declared(price="$0.05")
    for version, status in ((None, 428), (first + 1, 412)):
        refused = seat.ask("PUT", f"{ROUTES}/tea", dearer, version=version)
        assert (refused.status, refused.json()["details"]) == (status, {"version": first})
        assert seat.ask("DELETE", f"{ROUTES}/tea", version=version).status == status
    assert seat.ask("PUT", f"{ROUTES}/tea", dearer, headers={"if-match": "*"}).status == 412
    second = seat.ask("PUT", f"{ROUTES}/tea", dearer, version=first).json()
    assert (second["version"], second["accepts"][0]["amount"]) == (first + 1, "50000")
    assert seat.ask("PUT", f"{ROUTES}/tea", dearer, version=first).status == 412


def test_a_price_of_before_stays_payable_as_with_a_file(functions: Functions, seat: Seat) -> None:
    """Rule 8: somebody may hold an offer of it."""
    version = seat.ask("POST", ROUTES, declared()).json()["version"]
    seat.ask("PUT", f"{ROUTES}/tea", declared(price="$0.05"), version=version)
    (route,) = table(functions).load().routes
    assert [previous.requirements.amount for previous in route.previous] == [10_000]


def test_every_change_is_on_record_with_who_and_what(
    functions: Functions, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions of a route, the changes of an owner, and what stood there, also of what is gone."""
    version = seat.ask("POST", ROUTES, declared()).json()["version"]
    version = seat.ask("PUT", f"{ROUTES}/tea", declared(price="$0.05"), version=version).json()["version"]
    seat.ask("POST", ROUTES, declared("mint", path="/acme/mint"))
    newest, oldest = seat.ask("GET", f"{ROUTES}/tea/versions").json()["versions"]
    assert newest["declaration"] == declared(price="$0.05")
    assert {"field": "price on base-sepolia", "before": "$0.01 USDC", "after": "$0.05 USDC"} in newest["fields"]
    assert (newest["by"], oldest["change"], oldest["declaration"]) == (str(seat.address), "add", declared())
    monkeypatch.setattr(routes, "PAGE", 1)
    first = seat.ask("GET", f"{ROUTES}/tea/versions").json()
    second = seat.ask("GET", f"{ROUTES}/tea/versions?before={first['next']}").json()
    assert (first["versions"], second) == ([newest], {"versions": [oldest], "next": None})
    assert seat.ask("GET", f"{ROUTES}/tea/versions?before=1").json() == {"versions": [], "next": None}
    assert seat.ask("DELETE", f"{ROUTES}/tea", version=version).status == 204
    assert seat.ask("GET", f"{CHANGES}?before={10**13}").json() == seat.ask("GET", CHANGES).json()
    changes = seat.ask("GET", CHANGES).json()["changes"]
    assert [(change["id"], change["change"]) for change in changes] == [
        ("tea", "remove"),
        ("mint", "add"),
        ("tea", "change"),
        ("tea", "add"),
    ]
    assert seat.ask("GET", f"{ROUTES}/tea/versions").status == 404


def test_what_an_operators_file_declares_for_an_owner_is_seen_and_left(functions: Functions, seat: Seat) -> None:
    """Its owner sees it, and is told where to ask."""
    functions.sell("GET", "/acme/file", "https://api.example.org/file", owner=seat.address)
    (seen,) = seat.ask("GET", ROUTES).json()["routes"]
    assert (seen["managedBy"], seen["version"], seen["declaration"]) == ("operator", None, None)
    for method, body in (("PUT", declared(seen["id"])), ("DELETE", None)):
        refused = seat.ask(method, f"{ROUTES}/{seen['id']}", body, version=1)
        assert (refused.status, refused.json()["code"]) == (409, "managed_by_operator")


def test_what_is_taken_is_not_taken_again(functions: Functions, seat: Seat) -> None:
    """An id, a method and path, and no more routes than the operator allows."""
    seat.admit(max_routes=2)
    assert seat.ask("POST", ROUTES, declared()).status == 201
    for route, code in (
        (declared(path="/acme/other"), "id_taken"),
        (declared("other"), "path_taken"),
    ):
        refused = seat.ask("POST", ROUTES, route)
        assert (refused.status, refused.json()["code"]) == (409, code)
    mint = seat.ask("POST", ROUTES, declared("mint", path="/acme/mint"))
    moved = seat.ask("PUT", f"{ROUTES}/mint", declared("mint"), version=mint.json()["version"])
    assert (moved.status, moved.json()["code"]) == (409, "path_taken")
    third = seat.ask("POST", ROUTES, declared("third", path="/acme/third"))
    assert (third.status, third.json()["code"]) == (409, "too_many_routes")


def test_two_owners_at_the_same_moment_both_have_their_change(
    functions: Functions, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another's change between reading and writing is read anew, not overwritten."""
    other = Seat.of_an_owner(functions, "/other")
    real, pending = RegisteredRoutes.commit, [True]

    def meanwhile(self: RegisteredRoutes, *args: Any) -> int:
        if pending:
            pending.pop()
            assert other.ask("POST", ROUTES, declared("mint", path="/other/mint")).status == 201
        return real(self, *args)

    monkeypatch.setattr(RegisteredRoutes, "commit", meanwhile)
    assert seat.ask("POST", ROUTES, declared()).status == 201
    assert {route.id for route in table(functions).load().routes} == {"tea", "mint"}
    revisions = table(functions).revisions(range(1, 5))
    assert [revision.actor for revision in revisions] == [str(seat.address), str(other.address)]


def test_a_change_of_an_owner_who_is_taken_away_meanwhile_does_not_land(
    functions: Functions, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's word is in the change's own transaction."""
    real = RegisteredRoutes.commit

    def meanwhile(self: RegisteredRoutes, *args: Any) -> int:
        key = {"pk": {"S": f"OWNER#{seat.address.lower}"}}
        functions.client("dynamodb").delete_item(TableName=functions.resource("RoutesTable"), Key=key)
        return real(self, *args)

    monkeypatch.setattr(RegisteredRoutes, "commit", meanwhile)
    refused = seat.ask("POST", ROUTES, declared())
    assert (refused.status, refused.json()["code"]) == (403, "not_an_owner")
    assert table(functions).load().routes == ()


def test_changes_are_not_made_without_end(functions: Functions, seat: Seat) -> None:
    """The sign-ins of five minutes are remembered in one item."""
    until = int(time.time()) + 200
    functions.client("dynamodb").update_item(
        TableName=functions.resource("RoutesTable"),
        Key={"pk": {"S": f"OWNER#{seat.address.lower}"}},
        UpdateExpression="SET used = :used",
        ExpressionAttributeValues={":used": {"L": [{"S": f"nonce{n:04} {until}"} for n in range(MOST_CHANGES)]}},
    )
    refused = seat.ask("POST", ROUTES, declared())
    assert (refused.status, refused.json()["code"]) == (429, "too_many_changes")
    assert 0 < int(refused.headers["retry-after"]) <= 201


def test_an_owner_leaves_room_for_others(functions: Functions, seat: Seat) -> None:
    """Each change keeps the former price payable, and all routes of all owners share one item."""
    seat.admit(max_routes=1)

    def tiers(cents: int) -> dict[str, Any]:
        sizes = {f"size{n}": f"$0.{cents + n:03}" for n in range(20)}
        return declared(price={"by": "query.size", "tiers": sizes})

    answer = seat.ask("POST", ROUTES, tiers(100))
    assert answer.status == 201, answer.body
    for cents in range(200, 215):
        answer = seat.ask("PUT", f"{ROUTES}/tea", tiers(cents), version=answer.json()["version"])
        if answer.status != 200:
            break
    assert (answer.status, answer.json()["code"]) == (409, "routes_too_large")
    (route,) = table(functions).load().routes
    assert len(routes_to_json([route])) <= 32_768
    assert seat.ask("DELETE", f"{ROUTES}/tea", version=route.revision).status == 204


def test_a_request_that_nobody_signed_is_told_what_to_sign(functions: Functions) -> None:
    """The very request: its body and its version are in the request id."""
    plain = functions.request("DELETE", f"{ROUTES}/tea", headers={"if-match": '"7"'})
    assert (plain.status, plain.headers["www-authenticate"]) == (401, "SIGN-IN-WITH-X")
    how = plain.json()["details"]["signIn"]
    assert how["uri"] == "https://api.example/x402/admin/routes/tea"
    other = functions.request("DELETE", f"{ROUTES}/tea", headers={"if-match": '"8"'})
    assert other.json()["details"]["signIn"]["requestId"] != how["requestId"]


@pytest.mark.parametrize("method", ["PATCH", "HEAD"])
def test_another_method_is_405(functions: Functions, method: str) -> None:
    """With what is right."""
    assert functions.request(method, ROUTES).status == 405
    assert functions.request("POST", CHANGES).headers["allow"] == "GET"
