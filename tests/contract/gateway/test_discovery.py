"""Discovery: what is sold, as the public may know it, from the routes as they stand and from nothing else."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from local.chain import Chain
from tests.support.functions import HOST, PAY_TO, Functions
from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.discovery.fixed import ENDPOINTS
from tollgate.gateway.discovery.listing import Listed, listed
from tollgate.payment.computed_price import ComputedPrice
from tollgate.payment.price_choice import PriceChoice, Tier, Where
from tollgate.payment.routes import Route, Snapshot, UpstreamHeader, UpstreamTarget
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network

BASE = f"https://{HOST}"
DISCOVERY = ("/x402/config", "/.well-known/x402", "/discovery/resources", "/discovery/search?query=weather")
SITE = ("/openapi.json", "/llms.txt")
# Stands for whatever the public must not see: an upstream's place, and the name of its secret.
CANARY = "canary-7d1f"
NO_GAS = '{"network":"eip155:84532","relayers":[],"hasGas":false,"checkedAt":1}'


@pytest.fixture(scope="module")
def functions(aws_endpoint: str, shared_chain: Chain) -> Iterator[Functions]:
    """A stack with a few routes; their upstreams are never called."""
    with Functions(aws_endpoint, shared_chain) as made:
        made.made.put_secret(f"{made.made.upstream_prefix}{CANARY}", {"key": CANARY})
        made.sell(
            "GET",
            "/weather/{city}",
            f"http://{CANARY}.internal:9/{{city}}",
            description="Weather of a city",
            mime_type="application/json",
            upstream_headers=(
                UpstreamHeader(f"X-{CANARY}", secret=f"tollgate/upstream/{CANARY}"),
                UpstreamHeader("X-Tenant", value=CANARY),
            ),
            input={"example": {"units": "metric"}, "schema": {"properties": {"units": {"type": "string"}}}},
            output={"example": {"celsius": 21}},
        )
        made.sell("POST", "/orders", f"http://{CANARY}.internal:9/orders", price=2_000_000, upfront=True)
        made.sell("DELETE", "/orders/{id}", f"http://{CANARY}.internal:9/orders", price=30_000)
        made.sell("PUT", "/orders/{number}", f"http://{CANARY}.internal:9/orders", input={"bodyType": "text"})
        tiers = (Tier("small", made.terms(5_000)), Tier("large", made.terms(50_000)))
        choice = PriceChoice(Where.QUERY, "size", tiers, absent="small", otherwise=made.terms(70_000))
        made.sell("GET", "/images", f"http://{CANARY}.internal:9/images", choice=choice)
        made.sell("GET", "/status", f"http://{CANARY}.internal:9/status", free=True)
        yield made


def get(functions: Functions, url: str) -> Any:
    """A document, as JSON."""
    reply = functions.request("GET", url)
    assert reply.status == 200, reply.body
    return reply.json()


def status(functions: Functions, text: str | None) -> None:
    """Set or forget what is known of the network, and let every function see it."""
    item = {"pk": {"S": "NETWORK#eip155:84532"}, "status": {"S": text or ""}, "checked_at": {"N": "1"}}
    table = functions.resource("RoutesTable")
    if text is None:
        functions.client("dynamodb").delete_item(TableName=table, Key={"pk": item["pk"]})
    else:
        functions.client("dynamodb").put_item(TableName=table, Item=item)
    functions.cold("discovery", "proxy")


def test_config_says_what_the_stack_speaks_and_takes(functions: Functions) -> None:
    """Versions, networks with tokens and price bounds, flows, facilitator, and where the rest is."""
    said = get(functions, "/x402/config")
    assert (said["x402Versions"], said["schemes"]) == ([1, 2], ["exact"])
    assert said["flows"] == ["authorization", "upfront"] == said["routes"]["flows"]
    assert said["extensions"] == ["payment-identifier", "bazaar"]
    assert said["routes"]["count"] == 5
    (network,) = said["networks"]
    assert (network["network"], network["v1Name"], network["payable"]) == ("eip155:84532", "base-sepolia", True)
    (token,) = network["tokens"]
    asset = functions.chain.asset
    assert (token["address"], token["decimals"]) == (str(asset.address), 6)
    assert token["domain"] == {"name": asset.name, "version": asset.version}
    assert token["minimum"] == {"amount": "5000", "price": "$0.005 USDC"}
    assert token["maximum"] == {"amount": "2000000", "price": "$2.00 USDC"}
    own = f"{BASE}/x402/facilitator"
    assert said["facilitator"]["own"] is True
    assert said["facilitator"]["urls"] == [own]
    assert said["facilitator"]["endpoints"]["settle"] == f"{own}/settle"


def test_every_address_that_config_names_answers(functions: Functions) -> None:
    """No dead link."""
    for name, url in get(functions, "/x402/config")["documents"].items():
        query = {"challenge": "?path=/orders&method=POST", "search": "?query=x"}.get(name, "")
        assert functions.request("GET", url.removeprefix(BASE) + query).status in (200, 402), name


def test_the_well_known_document_names_every_priced_url_once(functions: Functions) -> None:
    """In the form that x402scan reads, and with method and price."""
    said = get(functions, "/.well-known/x402")
    assert said["version"] == 1
    assert said["resources"] == [
        f"{BASE}/weather/{{city}}",
        f"{BASE}/orders",
        f"{BASE}/orders/{{id}}",
        f"{BASE}/orders/{{number}}",
        f"{BASE}/images",
    ]
    assert [(one["method"], one["prices"][0]["price"]) for one in said["items"]] == [
        ("GET", "$0.01 USDC"),
        ("POST", "$2.00 USDC"),
        ("DELETE", "$0.03 USDC"),
        ("PUT", "$0.01 USDC"),
        ("GET", "$0.005 USDC"),
    ]


def test_a_listed_resource_is_what_its_offer_says(functions: Functions) -> None:
    """accepts are those of the 402, and so is the declaration but for the path's own values."""
    (item, *_) = get(functions, "/discovery/resources")["items"]
    offer = functions.offer("GET", "/weather/oslo")
    assert item["accepts"] == offer["accepts"]
    assert item["resource"] == f"{BASE}/weather/:city"
    assert (item["type"], item["x402Version"], item["description"]) == ("http", 2, "Weather of a city")
    offered = offer["extensions"]["bazaar"]
    assert offered["info"]["input"].pop("pathParams") == {"city": "oslo"}
    assert item["extensions"]["bazaar"] == offered


def test_pages_of_the_list_do_not_overlap_and_miss_nothing(functions: Functions) -> None:
    """limit and offset, with the total."""
    whole = get(functions, "/discovery/resources")
    assert whole["pagination"] == {"limit": 20, "offset": 0, "total": 5}
    paged = [get(functions, f"/discovery/resources?limit=3&offset={offset}") for offset in (0, 3, 6)]
    assert [len(page["items"]) for page in paged] == [3, 2, 0]
    assert [item for page in paged for item in page["items"]] == whole["items"]
    assert paged[1]["pagination"] == {"limit": 3, "offset": 3, "total": 5}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("type=http", 5),
        ("type=mcp", 0),
        ("scheme=exact&network=eip155:84532", 5),
        ("network=eip155:8453", 0),
        (f"payTo={PAY_TO.lower()}", 5),
        ("payTo=0x" + "1" * 40, 0),
        ("extensions=bazaar", 5),
        ("extensions=sign-in-with-x", 0),
        ("somethingNew=1", 5),
    ],
)
def test_the_filters_of_official_clients(functions: Functions, query: str, count: int) -> None:
    """Each alone; one that is not known yet changes nothing."""
    assert get(functions, f"/discovery/resources?{query}")["pagination"]["total"] == count
    assert len(get(functions, f"/discovery/search?query=orders+weather+images&{query}")["resources"]) == count


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("weather", ["/weather/:city"]),
        ("city weather", ["/weather/:city"]),
        ("orders", ["/orders", "/orders/:id", "/orders/:number"]),
        ("delete order", ["/orders/:id", "/orders", "/orders/:number"]),
        ("celsius", ["/weather/:city"]),
        ("units", ["/weather/:city"]),
        ("nothing of it", []),
        ("canary", []),
    ],
)
def test_search_finds_by_words_the_best_first(functions: Functions, words: str, found: list[str]) -> None:
    """Path, method, description and declared names; never what is not public."""
    said = get(functions, "/discovery/search?query=" + words.replace(" ", "%20"))
    assert [one["resource"].removeprefix(BASE) for one in said["resources"]] == found


def test_search_goes_on_at_its_cursor(functions: Functions) -> None:
    """Until there is none."""
    first = get(functions, "/discovery/search?query=orders&limit=2")
    assert (first["partialResults"], first["pagination"]) == (True, {"limit": 2, "cursor": "2"})
    last = get(functions, "/discovery/search?query=orders&limit=2&cursor=2")
    assert (last["partialResults"], last["pagination"]) == (False, {"limit": 2, "cursor": None})
    assert len(first["resources"] + last["resources"]) == 3


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=1.0", "limit=٣", "limit=", "offset=-1", "offset=x", "limit=1&limit=2", "a=%FF"],
)
def test_a_page_that_cannot_be_is_400(functions: Functions, query: str) -> None:
    """With what to ask for; and so is a search for nothing."""
    for url in (f"/discovery/resources?{query}", "/discovery/search", "/discovery/search?query=%20"):
        reply = functions.request("GET", url)
        assert (reply.status, reply.json()["code"]) == (400, "invalid_parameters")
        assert reply.headers["cache-control"] == "private, no-store"


def test_openapi_is_valid_and_prices_every_route(functions: Functions) -> None:
    """OpenAPI's own schema takes it; each priced operation has its 402, its headers and x-payment-info."""
    document = get(functions, "/openapi.json")
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(document)] == []
    read = [found.ok().label for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    sold = {"GET /weather/{city}", "POST /orders", "DELETE /orders/{id}", "PUT /orders/{id}", "GET /images"}
    assert sold < set(read)
    assert len(read) == len(sold) + len(ENDPOINTS)
    weather = document["paths"]["/weather/{city}"]["get"]
    assert weather["x-payment-info"] == {
        "protocols": [{"x402": {}}],
        "price": {"currency": "USD", "mode": "fixed", "amount": "0.01"},
    }
    assert weather["x-x402"]["accepts"] == functions.offer("GET", "/weather/oslo")["accepts"]
    assert weather["responses"]["402"] == {"$ref": "#/components/responses/Offer"}
    assert document["components"]["responses"]["Offer"]["headers"]["PAYMENT-REQUIRED"]["required"] is True
    assert {(one["name"], one["in"], one["required"]) for one in weather["parameters"]} == {
        ("city", "path", True),
        ("units", "query", False),
        ("PAYMENT-SIGNATURE", "header", False),
    }
    assert weather["responses"]["200"]["content"]["application/json"]["example"] == {"celsius": 21}
    orders = document["paths"]["/orders/{id}"]
    assert set(orders) == {"delete", "put"}, "two templates of one shape would be one path with two meanings"
    assert [one["name"] for one in orders["put"]["parameters"] if one["in"] == "path"] == ["id"]
    assert list(orders["put"]["requestBody"]["content"]) == ["text/plain"]
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(ids)) == len(ids)


def test_a_price_that_depends_on_the_request_is_listed_with_what_it_depends_on(functions: Functions) -> None:
    """Every tier's offer, and by which value it is chosen."""
    (item,) = get(functions, "/discovery/search?query=images")["resources"]
    depends = item["dependsOn"]
    assert (depends["in"], depends["name"], depends["absent"]) == ("query", "size", "small")
    for tier in depends["prices"]:
        offer = functions.offer("GET", f"/images?size={tier.get('value', 'else')}")
        assert tier["accepts"] == offer["accepts"]
        assert offer["accepts"][0] in item["accepts"]
    assert [tier.get("value") for tier in depends["prices"]] == ["small", "large", None]
    operation = get(functions, "/openapi.json")["paths"]["/images"]["get"]
    assert operation["x-x402"]["dependsOn"] == depends
    assert operation["x-payment-info"]["price"] == {"currency": "USD", "mode": "dynamic", "min": "0.005", "max": "0.07"}
    line = "by `size` in the query (small: $0.005 USDC on base-sepolia; large: $0.05 USDC on base-sepolia; else: $0.07"
    assert line in functions.request("GET", "/llms.txt").body.decode()


def test_llms_txt_says_what_is_sold_for_how_much_and_how_to_pay(functions: Functions) -> None:
    """One line a route."""
    reply = functions.request("GET", "/llms.txt")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    text = reply.body.decode()
    assert text.startswith(f"# {HOST}\n\n> ")
    assert f"- `GET {BASE}/weather/{{city}}`: $0.01 USDC on base-sepolia. Weather of a city\n" in text
    assert f"- `POST {BASE}/orders`: $2.00 USDC on base-sepolia (settled before it runs)\n" in text
    assert f"({BASE}/openapi.json)" in text


@pytest.mark.parametrize("url", DISCOVERY + SITE)
def test_nothing_internal_is_in_any_document(functions: Functions, url: str) -> None:
    """No upstream, no secret's name, no header of the upstream's, no table, no RPC, no route id."""
    body = functions.request("GET", url).body.decode()
    assert CANARY not in body
    hidden = ("upstream", "internal:9", "secret", "route-0", functions.resource("RoutesTable"), functions.chain.url)
    for text in hidden:
        assert text not in body, text
    assert any(price in body for price in ("0.01", "0.005", "10000")), "it is about the priced routes at all"
    assert "/status" not in body, "what costs nothing is not for sale"


@pytest.mark.parametrize("url", DISCOVERY + SITE)
def test_a_document_is_free_read_only_and_may_be_kept_for_a_minute(functions: Functions, url: str) -> None:
    """One read of the routes at most, no RPC, and the same whatever payment comes along."""
    payment = functions.sign(functions.buyer(), functions.offer("GET", "/weather/paris"))
    functions.cold("discovery", "proxy")
    with functions.recording() as seen:
        plain = functions.request("GET", url)
        paying = functions.request("GET", url, payment=payment)
    assert [call.operation for call in seen.aws] == ["BatchGetItem"]
    assert seen.rpc == []
    assert (plain.status, plain.body) == (paying.status, paying.body)
    assert plain.headers["cache-control"] == "public, max-age=60"
    assert not {"payment-required", "payment-response"} & set(paying.headers)
    head = functions.request("HEAD", url)
    assert (head.status, head.headers, head.body) == (200, plain.headers, b"")
    assert functions.request("OPTIONS", url).status == 204
    for method in ("POST", "PUT", "DELETE"):
        refused = functions.request(method, url)
        assert (refused.status, refused.json()["code"]) == (405, "method_not_allowed")
        assert {"GET", "HEAD"} <= set(refused.headers["allow"].split(", "))


def test_a69_what_cannot_be_paid_is_not_listed(functions: Functions) -> None:
    """While the only network waits for gas there is nothing to buy, and config says why."""
    try:
        status(functions, NO_GAS)
        assert get(functions, "/discovery/resources")["pagination"]["total"] == 0
        assert get(functions, "/discovery/search?query=weather")["resources"] == []
        assert get(functions, "/.well-known/x402")["resources"] == []
        assert "/weather/{city}" not in get(functions, "/openapi.json")["paths"]
        assert "Nothing at the moment." in functions.request("GET", "/llms.txt").body.decode()
        said = get(functions, "/x402/config")
        assert (said["networks"][0]["payable"], said["routes"]["count"]) == (False, 0)
        assert "minimum" not in said["networks"][0]["tokens"][0]
    finally:
        status(functions, None)


def test_a_sellers_own_route_comes_before_the_document(aws_endpoint: str, shared_chain: Chain) -> None:
    """Where it is priced it is never free: by its name, or by a param that takes it."""
    with Functions(aws_endpoint, shared_chain) as functions:
        functions.sell("GET", "/openapi.json", "http://127.0.0.1:9/openapi.json")
        assert functions.request("GET", "/openapi.json").status == 402
        assert functions.request("GET", "/llms.txt").status == 200
        functions.sell("GET", "/{page}", "http://127.0.0.1:9/{page}")
        functions.cold("proxy")
        assert functions.request("GET", "/llms.txt").status == 402


def test_another_method_of_a_sellers_own_route_is_not_the_document(aws_endpoint: str, shared_chain: Chain) -> None:
    """The place is the seller's with all its methods."""
    with Functions(aws_endpoint, shared_chain) as functions:
        functions.sell("POST", "/openapi.json", "http://127.0.0.1:9/openapi.json")
        reply = functions.request("GET", "/openapi.json")
        assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_a_route_without_a_price_is_in_no_document() -> None:
    """Nor is one at a place of our own."""
    target = UpstreamTarget("http://127.0.0.1:9/", 5.0)
    price = Requirements("exact", Network(84532), 1, Address(b"\1" * 20), Address(b"\2" * 20), 60)
    routes = [
        Route(pattern, "GET", pattern, accepts, (), target)
        for pattern, accepts in (("/unpriced", ()), ("/discovery/own", (price,)), ("/priced", (price,)))
    ]
    assert [one.pattern for one in listed(Catalogue(Snapshot(tuple(routes))))] == ["/priced"]


def test_a_computed_price_is_listed_with_its_least_and_its_most(aws_endpoint: str, shared_chain: Chain) -> None:
    """Wherever there is a price; which function says it is nobody's business."""
    with Functions(aws_endpoint, shared_chain) as functions:
        computed = ComputedPrice(f"price-{CANARY}", functions.terms(4_000), functions.terms(40_000), (), 90)
        functions.sell("GET", "/computed", "http://127.0.0.1:9/computed", computed=computed)
        (listed,) = get(functions, "/discovery/resources")["items"]
        depends = listed["dependsOn"]
        assert [terms["amount"] for terms in (*depends["minimum"], *depends["maximum"])] == ["4000", "40000"]
        assert (depends["in"], depends["computed"], depends["validSeconds"]) == ("request", True, 90)
        operation = get(functions, "/openapi.json")["paths"]["/computed"]["get"]
        bounds = {"currency": "USD", "mode": "dynamic", "min": "0.004", "max": "0.04"}
        assert operation["x-payment-info"]["price"] == bounds
        assert operation["x-x402"]["dependsOn"] == depends
        (token,) = get(functions, "/x402/config")["networks"][0]["tokens"]
        assert (token["minimum"]["amount"], token["maximum"]["amount"]) == ("4000", "40000")
        texts = [functions.request("GET", url).body.decode() for url in DISCOVERY + SITE]
        assert CANARY not in "".join(texts)
        assert "an offer is good for 90 s" in functions.request("GET", "/llms.txt").body.decode()


def test_what_is_listed_has_no_place_for_what_is_internal() -> None:
    """Whoever adds a field here decides that the world may read it: no upstream, no function, no secret, no limit."""
    public = {
        "method",
        "pattern",
        "accepts",
        "available",
        "choice",
        "computed_for",
        "description",
        "mime_type",
        "input",
        "output",
    }
    assert {field.name for field in dataclasses.fields(Listed)} == public


def test_another_facilitator_is_named(aws_endpoint: str, shared_chain: Chain) -> None:
    """Buyers see who settles."""
    remote = "https://facilitator.example/x402"
    with Functions(aws_endpoint, shared_chain, FacilitatorUrl=remote) as functions:
        said = get(functions, "/x402/config")["facilitator"]
        assert (said["own"], said["urls"]) == (False, [remote])
