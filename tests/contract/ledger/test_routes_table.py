"""The routes table: replaced as a whole or not at all."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.aws import client, create_table
from tollgate.errors import ConfigurationError, LostRace
from tollgate.ledger.owners import OwnersTable, put, use
from tollgate.ledger.registered import RegisteredRoutes
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.owners import Owner
from tollgate.payment.price_choice import FormerChoice, PriceChoice, Tier, Where
from tollgate.payment.rate_limits import RateLimit, RouteLimits
from tollgate.payment.revisions import RouteChange
from tollgate.payment.route_json import routes_to_json
from tollgate.payment.routes import (
    FunctionTarget,
    NetworkStatus,
    PreviousPrice,
    Route,
    UpstreamHeader,
    UpstreamHealth,
    UpstreamTarget,
)
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Dynamo = tuple["DynamoDBClient", str, list[Network]]

NOW = 1_800_000_000
PRICE = Requirements(
    "exact",
    Network(84532),
    10_000,
    Address(b"\1" * 20),
    Address(b"\2" * 20),
    60,
    {"name": "USDC", "version": "2"},
)
ROUTE = Route(
    id="weather",
    method="GET",
    pattern="/weather/{city}",
    accepts=(PRICE,),
    previous=(PreviousPrice(PRICE, NOW + 5),),
    upstream=UpstreamTarget(
        "https://api.example.com/{city}", 2.5, (UpstreamHeader("X-Key", secret="tollgate/upstream/key"),)
    ),
    description="Wetter für München",
    mime_type="application/json",
    source_address_resends=False,
)


@pytest.fixture
def routes_table(aws_endpoint: str) -> "Dynamo":
    """A client, an empty routes table and the stack's networks."""
    dynamo = client("dynamodb", aws_endpoint)
    return dynamo, create_table(dynamo), [Network(84532)]


def test_an_empty_table_is_an_empty_snapshot_of_version_0(routes_table: Dynamo) -> None:
    """A fresh stack sells nothing."""
    snapshot = RoutesTable(*routes_table).load()
    assert (snapshot.routes, snapshot.networks, snapshot.version) == ((), (), 0)


def test_what_was_replaced_is_loaded_back_whole(routes_table: Dynamo) -> None:
    """Every field of a route, and the version that the next replace must name."""
    table = RoutesTable(*routes_table)
    declared = replace(ROUTE, id="told", pattern="/told", input={"example": {"a": [1, None]}}, output={"example": "x"})
    free = replace(ROUTE, id="free", pattern="/free", accepts=(), previous=(), free=True)
    choice = PriceChoice(Where.BODY, "a.b", (Tier("s", (PRICE,)), Tier("l", (PRICE, PRICE))), "s", (PRICE,))
    bare = PriceChoice(Where.QUERY, "q", (Tier("s", (PRICE,)),))
    by = replace(ROUTE, id="by", pattern="/by", accepts=(), choice=choice, former=(FormerChoice(bare, NOW + 9),))
    limited = replace(ROUTE, id="rare", pattern="/rare", limits=RouteLimits(RateLimit(3, 60), None))
    owned = replace(ROUTE, id="owned", pattern="/owned", owner=Address(b"\xab" * 20), revision=7, fee_bps=250)
    everything = (ROUTE, declared, free, by, limited, owned)
    assert table.replace(everything, 0, NOW) == 1
    loaded = table.load()
    assert (loaded.routes, loaded.applied_at) == (everything, NOW)
    assert table.replace([], table.load().version, NOW + 1) == 2
    assert table.load().routes == ()


def test_headers_are_loaded_back_and_a_table_of_before_is_read(routes_table: Dynamo) -> None:
    """One secret stands where earlier versions wrote it, and read it; more stand where they refuse to."""
    hook = replace(
        ROUTE, id="hook", pattern="/hook", upstream=UpstreamTarget("https://n8n.example/w", 2.5, webhook=True)
    )
    several = (
        UpstreamHeader("X-Tenant", value="a"),
        UpstreamHeader("X-Key", secret="k"),
        UpstreamHeader("B", secret="l"),
    )
    routes = tuple(
        replace(ROUTE, id=f"r{n}", pattern=f"/r{n}", upstream=UpstreamTarget("https://api.example.com/", 2.5, headers))
        for n, headers in enumerate(((), several[:1], several[1:2], several))
    )
    RoutesTable(*routes_table).replace([*routes, hook], 0, NOW)
    assert RoutesTable(*routes_table).load().routes == (*routes, hook)
    written = [route["upstream"] for route in json.loads(routes_to_json(routes))["routes"]]
    assert [("headers" in upstream, upstream["secretHeader"]) for upstream in written] == [
        (False, None), (True, None), (False, {"name": "X-Key", "secret": "k"}), (True, None),
    ]  # fmt: skip


def test_a_lambda_function_is_loaded_back_as_one(routes_table: Dynamo) -> None:
    """By its name or its ARN, beside an HTTP API."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:report:live"
    routes = tuple(
        replace(ROUTE, id=name, pattern=f"/{name}", upstream=FunctionTarget(function, 2.5))
        for name, function in (("a", arn), ("b", "report"))
    )
    RoutesTable(*routes_table).replace([ROUTE, *routes], 0, NOW)
    assert RoutesTable(*routes_table).load().routes == (ROUTE, *routes)


@pytest.mark.parametrize(
    "target",
    [
        {"function": "report:*", "timeoutSeconds": 5.0},
        {"function": 5, "timeoutSeconds": 5.0},
        {"function": "report", "timeoutSeconds": 0},
        {"function": "report", "timeoutSeconds": 5.0, "url": "https://api.example.com/"},
        {"function": "report"},
        {"url": "https://api.example.com/", "timeoutSeconds": True, "secretHeader": None},
        {"url": "https://api.example.com/", "timeoutSeconds": 5, "secretHeader": None, "headers": [{"name": "X"}]},
        {
            "url": "https://api.example.com/",
            "timeoutSeconds": 5,
            "secretHeader": None,
            "headers": [{"name": "X", "value": "a", "secret": "b"}],
        },
    ],
)
def test_a_target_that_something_else_wrote_is_not_served_from(routes_table: Dynamo, target: dict[str, Any]) -> None:
    """Loud, with a sentence."""
    document = json.loads(routes_to_json([ROUTE]))
    document["routes"][0]["upstream"] = target
    item = {"pk": {"S": "CATALOGUE"}, "version": {"N": "1"}, "routes": {"S": json.dumps(document)}}
    routes_table[0].put_item(TableName=routes_table[1], Item=item)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        RoutesTable(*routes_table).load()


@pytest.mark.parametrize("expected", [0, 2])
def test_a_replace_under_another_version_writes_nothing(routes_table: Dynamo, expected: int) -> None:
    """Two operators at once: the second reads again."""
    table = RoutesTable(*routes_table)
    table.replace([ROUTE], 0, NOW)
    with pytest.raises(LostRace):
        table.replace([], expected, NOW + 1)
    assert table.load().routes == (ROUTE,)


def test_a41_a_replace_whose_answer_was_lost_and_was_sent_again_is_no_conflict(
    routes_table: Dynamo,
) -> None:
    """The item that fails the condition is the one that we wrote."""
    table = RoutesTable(*routes_table)
    table.replace([ROUTE], 0, NOW)
    assert table.replace([ROUTE], 0, NOW) == 1
    assert table.load().version == 1


def test_a41_an_owners_change_whose_answer_was_lost_and_was_sent_again_is_no_conflict(routes_table: Dynamo) -> None:
    """All three items are the ones that we wrote; with another sign-in it is a lost race."""
    owner = Owner(Address(b"\xaa" * 20), "/acme", (Address(b"\xaa" * 20),))
    OwnersTable(*routes_table[:2]).write(put(owner, None))
    store = RegisteredRoutes(*routes_table[:2])
    row = store.owner(owner.address)
    assert row is not None
    change = RouteChange("add", "weather", "GET /weather/{city}", owner.address, ())
    for _ in range(2):
        assert store.commit([ROUTE], 0, change, row, ("nonce0001", NOW + 300), NOW) == 1
    with pytest.raises(LostRace):
        store.commit([ROUTE], 0, change, row, ("nonce0002", NOW + 300), NOW)
    now = store.owner(owner.address)
    assert now is not None
    assert (now.used, now.has_used("nonce0001"), now.has_used("nonce0002")) == (
        (("nonce0001", NOW + 300),),
        True,
        False,
    )


def test_a_used_sign_in_is_kept_for_as_long_as_it_could_be_shown(routes_table: Dynamo) -> None:
    """And is forgotten with the first change after that."""
    owner = Owner(Address(b"\xaa" * 20), "/acme", (Address(b"\xaa" * 20),))
    owners = OwnersTable(*routes_table[:2])
    owners.write(put(owner, None))
    for nonce, until, now in (("nonce0001", NOW + 300, NOW), ("nonce0002", NOW + 600, NOW + 300)):
        row = owners.find(owner.address)
        assert row is not None
        owners.write(use(row, nonce, until, now))
    row = owners.find(owner.address)
    assert row is not None
    assert [nonce for nonce, _ in row.used] == ["nonce0001", "nonce0002"]
    owners.write(use(row, "nonce0003", NOW + 900, NOW + 301))
    row = owners.find(owner.address)
    assert row is not None
    assert [nonce for nonce, _ in row.used] == ["nonce0002", "nonce0003"]


def test_more_routes_than_one_item_holds_are_refused_before_writing(routes_table: Dynamo) -> None:
    """DynamoDB's 400 kB, as a sentence."""
    table = RoutesTable(*routes_table)
    with pytest.raises(ConfigurationError, match="1000 routes are"):
        table.replace([ROUTE] * 1000, 0, NOW)
    assert table.load().version == 0


def test_a_network_status_is_kept_and_an_older_check_does_not_replace_it(routes_table: Dynamo) -> None:
    """Two reconciles that overlap: the newest check stays."""
    table = RoutesTable(*routes_table)
    relayers = (Address(b"\3" * 20), Address(b"\4" * 20))
    newer = NetworkStatus(Network(84532), relayers, has_gas=True, checked_at=NOW)
    table.put_network_status(newer)
    table.put_network_status(NetworkStatus(Network(84532), (), has_gas=False, checked_at=NOW - 1))
    assert table.load().status(Network(84532)) == newer
    later = NetworkStatus(Network(84532), relayers, has_gas=False, checked_at=NOW + 60)
    table.put_network_status(later)
    assert table.load().networks == (later,)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format":1}', '{"format":1,"routes":[{}]}'])
def test_an_item_that_something_else_wrote_is_not_served_from(routes_table: Dynamo, text: str) -> None:
    """Loud, with a sentence."""
    item = {"pk": {"S": "CATALOGUE"}, "version": {"N": "1"}, "routes": {"S": text}}
    routes_table[0].put_item(TableName=routes_table[1], Item=item)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        RoutesTable(*routes_table).load()


@pytest.mark.parametrize("text", ["{}", '{"network":"eip155:84532","relayers":[],"hasGas":1,"checkedAt":1}'])
def test_a_status_that_something_else_wrote_is_loud(routes_table: Dynamo, text: str) -> None:
    """Not quietly "has gas"."""
    item = {"pk": {"S": "NETWORK#eip155:84532"}, "status": {"S": text}, "checked_at": {"N": "1"}}
    routes_table[0].put_item(TableName=routes_table[1], Item=item)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        RoutesTable(*routes_table).load()


def test_loading_is_one_consistent_request_for_the_stacks_own_networks(routes_table: Dynamo) -> None:
    """The proxy reads it on its way to a paid call: two keys, however many networks there are in the world."""
    calls: list[tuple[str, bytes]] = []

    def record(model: Any, params: dict[str, Any], **_: object) -> None:
        calls.append((model.name, params["body"]))

    routes_table[0].meta.events.register("before-call.dynamodb", record)
    RoutesTable(*routes_table).load()
    assert [name for name, _ in calls] == ["BatchGetItem"]
    asked = json.loads(calls[0][1])["RequestItems"][routes_table[1]]
    assert asked["ConsistentRead"] is True
    assert [key["pk"]["S"] for key in asked["Keys"]] == ["CATALOGUE", "NETWORK#eip155:84532"]


def test_the_status_of_a_network_that_was_taken_away_is_not_read(routes_table: Dynamo) -> None:
    """Its row stays for ever, and would say that there is gas."""
    client, name, _ = routes_table
    RoutesTable(client, name, []).put_network_status(NetworkStatus(Network(8453), (), has_gas=True, checked_at=NOW))
    assert RoutesTable(*routes_table).load().networks == ()


def test_what_was_seen_of_upstreams_is_read_with_the_routes_and_the_newest_stays(routes_table: Dynamo) -> None:
    """One row for all; a pass that is behind does not undo what a later one saw."""
    table = RoutesTable(*routes_table)
    routed = replace(ROUTE, upstream=UpstreamTarget("https://api.example.com/", 2.5, health="/healthz"))
    table.replace([routed], 0, NOW)
    seen = (
        UpstreamHealth("https://api.example.com/healthz", True, "status_200", NOW, NOW - 60),
        UpstreamHealth("https://b.example/up", False, "timeout", NOW, NOW),
    )
    table.put_health(seen, NOW)
    table.put_health(seen[:1], NOW - 1)
    assert table.load_with_health().health == seen
    assert table.load_with_health().routes == table.load().routes == (routed,)
    table.put_health((), NOW + 1)
    assert table.load_with_health().health == ()


def test_what_cannot_be_read_of_upstreams_does_not_stop_a_paid_call(routes_table: Dynamo) -> None:
    """The proxy does not read it; the listings are loud."""
    table = RoutesTable(*routes_table)
    table.replace([ROUTE], 0, NOW)
    routes_table[0].put_item(TableName=routes_table[1], Item={"pk": {"S": "HEALTH"}, "health": {"S": "[{}]"}})
    assert table.load().routes == (ROUTE,)
    with pytest.raises(ConfigurationError, match="states of upstreams"):
        table.load_with_health()
