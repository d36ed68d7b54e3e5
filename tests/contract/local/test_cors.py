"""CORS of the front door: what AWS documents of HTTP APIs, and what a browser makes of it."""

from collections.abc import Iterator

import httpx
import pytest

from local.api_template import Api, ApiRoute
from local.cors import Cors, read_cors
from local.front import FrontDoor
from tests.contract.local.test_front import FakeLambda
from tests.support.browser_cors import NetworkError, fetch, unsafe_names

SHOP = "https://shop.example"
X402 = Cors(("*",), ("GET", "POST"), ("payment-signature", "content-type"), ("payment-required",), 300)


@pytest.fixture
def function() -> Iterator[FakeLambda]:
    """The function behind the door."""
    server = FakeLambda()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def door(function: FakeLambda) -> Iterator[FrontDoor]:
    """A door with one route for everything."""
    made = FrontDoor()
    made.open(Api((ApiRoute("$default", "Proxy"),), X402), {"Proxy": "the-proxy"}, function.url)
    yield made
    made.stop()


def configure(door: FrontDoor, **changes: object) -> None:
    """Another CorsConfiguration."""
    said = {
        "AllowOrigins": list(X402.origins),
        "AllowMethods": list(X402.methods),
        "AllowHeaders": list(X402.allow_headers),
        "ExposeHeaders": list(X402.expose_headers),
        **changes,
    }
    door.api = Api(door.api.routes, read_cors(said))


def allowed(door: FrontDoor, origin: str) -> str | None:
    """Access-Control-Allow-Origin for a page at ``origin``, which a preflight and an answer must agree on."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    preflight = httpx.options(door.url + "/a", headers=asked)
    assert preflight.status_code == 204
    answer = httpx.get(door.url + "/a", headers={"Origin": origin})
    name = "access-control-allow-origin"
    assert preflight.headers.get_list(name) == answer.headers.get_list(name)
    assert len(answer.headers.get_list(name)) <= 1
    return answer.headers.get(name)


@pytest.mark.parametrize(
    ("origins", "origin", "expected"),
    [
        (["*"], SHOP, "*"),
        (["*"], "null", "*"),
        ([SHOP, "https://other.example"], SHOP, SHOP),
        ([SHOP, "https://other.example"], "https://other.example", "https://other.example"),
        ([SHOP], "https://shop.example.evil.example", None),
        ([SHOP], "http://shop.example", None),
        (["https://*"], SHOP, SHOP),
        (["https://*"], "http://shop.example", None),
        (["http://*"], "http://localhost:3000", "http://localhost:3000"),
    ],
)
def test_of_several_origins_only_the_callers_is_named(
    door: FrontDoor, origins: list[str], origin: str, expected: str | None
) -> None:
    """A browser takes one origin or ``*``; a disallowed one gets 204 and no CORS header at all."""
    configure(door, AllowOrigins=origins)
    assert allowed(door, origin) == expected


def test_credentials_are_allowed_to_named_origins_only(door: FrontDoor) -> None:
    """AWS refuses them together with ``*``, and so does a browser."""
    configure(door, AllowOrigins=[SHOP], AllowCredentials=True)
    assert fetch(SHOP, door.url + "/a", credentials=True).status == 200
    with pytest.raises(ValueError, match="AllowCredentials"):
        read_cors({"AllowOrigins": ["*"], "AllowCredentials": True})
    configure(door)
    with pytest.raises(NetworkError, match="Allow-Origin is \\*"):
        fetch(SHOP, door.url + "/a", credentials=True)


def test_answers_of_the_door_itself_promise_no_cors(door: FrontDoor, function: FakeLambda) -> None:
    """AWS adds the headers to what an integration answered; a page cannot read the rest."""
    function.error = "Unhandled"
    with pytest.raises(NetworkError, match="no Access-Control-Allow-Origin"):
        fetch(SHOP, door.url + "/a")


@pytest.mark.parametrize("forwarded", [False, True])
def test_a_preflight_passes_whoever_answers_it(door: FrontDoor, function: FakeLambda, forwarded: bool) -> None:
    """The door alone, or a function whose answer has a good status: the headers are the door's in both cases."""
    door.preflights_reach_functions = forwarded
    function.result = {"statusCode": 204}
    sent = {"PAYMENT-SIGNATURE": "e30="}
    assert fetch(SHOP, door.url + "/a", headers=sent).status == 204
    methods = [event["requestContext"]["http"]["method"] for event in function.events]
    assert methods == (["OPTIONS", "GET"] if forwarded else ["GET"])
    function.result = {"statusCode": 402}
    if forwarded:
        with pytest.raises(NetworkError, match="status is 402"):
            fetch(SHOP, door.url + "/a", headers=sent)


def test_a_header_or_method_that_is_not_listed_is_never_sent(door: FrontDoor, function: FakeLambda) -> None:
    """The browser stops after the preflight."""
    for name, method in (("X-PAYMENT", "GET"), ("Content-Type", "DELETE")):
        with pytest.raises(NetworkError, match="is not allowed"):
            fetch(SHOP, door.url + "/a", method=method, headers={name: "application/json"})
    assert function.events == []


def test_a_page_reads_what_is_exposed_and_no_more(door: FrontDoor, function: FakeLambda) -> None:
    """The offer yes, anything else no."""
    function.result = {"statusCode": 402, "headers": {"payment-required": "e30=", "x-secret": "1"}, "body": "{}"}
    seen = fetch(SHOP, door.url + "/a")
    assert (seen.status, seen.headers["payment-required"]) == (402, "e30=")
    assert "x-secret" not in seen.headers
    assert "apigw-requestid" not in seen.headers


def test_what_a_preflight_asks_for_is_sorted_and_lower_case() -> None:
    """By the standard's list of safe headers: x402's are not on it, nor is JSON."""
    sent = {
        "PAYMENT-SIGNATURE": "a",
        "Access-Control-Expose-Headers": "PAYMENT-RESPONSE,X-PAYMENT-RESPONSE",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Accept-Language": "en",
    }
    assert unsafe_names(sent) == ["access-control-expose-headers", "content-type", "payment-signature"]
    assert unsafe_names({"Content-Type": "text/plain", "Range": "bytes=0-9"}) == []
    assert unsafe_names({"Accept": "a" * 129}) == ["accept"]


@pytest.mark.parametrize("name", ["Origin", "Cookie", "Sec-Fetch-Mode", "Proxy-Authorization"])
def test_a_script_cannot_send_a_forbidden_header(name: str) -> None:
    """Nothing goes out."""
    with pytest.raises(NetworkError, match="cannot send"):
        fetch(SHOP, "http://127.0.0.1:9/", headers={name: "x"})
