"""The front door does what API Gateway's HTTP APIs do: events in, answers out, caps and CORS."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local import front
from local.api_template import Api, ApiRoute, read_api
from local.cors import Cors
from local.front import FrontDoor
from local.http_base import Handler, Server
from local.paths import ROOT
from tollgate.gateway.path_pattern import is_reserved

CORS = Cors(("*",), ("GET", "POST"), ("payment-signature",), ("payment-required",), 300)


class FakeLambda(Server):
    """Lambda's Invoke API: keeps the events, answers ``result`` (or the error that is set)."""

    def __init__(self) -> None:
        super().__init__(_Invoke)
        self.events: list[dict[str, Any]] = []
        self.result: Any = {"statusCode": 200, "body": "fine"}
        self.error = ""
        self.status = 200
        self.seconds = 0.0


class _Invoke(Handler):
    server: FakeLambda

    def do_POST(self) -> None:
        event = json.loads(self.read_body(20_000_000) or b"null")
        self.server.events.append({"function": self.path.split("/")[3], **event})
        time.sleep(self.server.seconds)
        headers = [("X-Amz-Function-Error", self.server.error)] if self.server.error else []
        self.answer_json(self.server.status, self.server.result, headers)


@pytest.fixture
def function() -> Iterator[FakeLambda]:
    """The function behind the door."""
    server = FakeLambda()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def door(function: FakeLambda) -> Iterator[FrontDoor]:
    """A door with one route for everything and CORS for everyone."""
    made = FrontDoor()
    made.open(Api((ApiRoute("$default", "Proxy"),), CORS), {"Proxy": "the-proxy"}, function.url)
    yield made
    made.stop()


def test_the_event_holds_the_real_client_address(door: FrontDoor, function: FakeLambda) -> None:
    """Two loopback addresses are two clients; X-Forwarded-For changes nothing but itself."""
    for source in ("127.0.0.1", "127.0.0.2"):
        with httpx.Client(transport=httpx.HTTPTransport(local_address=source)) as client:
            client.get(door.url + "/a", headers={"X-Forwarded-For": "9.9.9.9"})
    seen = [event["requestContext"]["http"]["sourceIp"] for event in function.events]
    assert seen == ["127.0.0.1", "127.0.0.2"]
    assert function.events[1]["headers"]["x-forwarded-for"] == "9.9.9.9, 127.0.0.2"


def test_the_event_is_payload_format_2(door: FrontDoor, function: FakeLambda) -> None:
    """Lower-case names, repeated headers joined by a comma, cookies apart, path and query as sent."""
    headers = [("Payment-Signature", "a"), ("PAYMENT-SIGNATURE", "b"), ("Cookie", "x=1; y=2")]
    httpx.request("POST", door.url + "/w%2Fo//x?q=%20&q=2", headers=headers, content=b"")
    (event,) = function.events
    assert event["function"] == "the-proxy"
    assert event["headers"]["payment-signature"] == "a,b"
    assert event["cookies"] == ["x=1", "y=2"] and "cookie" not in event["headers"]
    assert (event["rawPath"], event["rawQueryString"]) == ("/w%2Fo//x", "q=%20&q=2")
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["stage"] == "$default"
    assert "body" not in event and event["isBase64Encoded"] is False


@pytest.mark.parametrize(
    ("kind", "body", "encoded"),
    [
        ("application/json", b'{"a":1}', False),
        ("text/plain; charset=utf-8", "ø".encode(), False),
        ("application/octet-stream", b"\x00\xff", True),
        ("text/plain", b"\xff", True),
    ],
)
def test_only_text_bodies_travel_as_text(
    door: FrontDoor, function: FakeLambda, kind: str, body: bytes, encoded: bool
) -> None:
    """Everything else is base64, and says so."""
    httpx.post(door.url + "/", headers={"Content-Type": kind}, content=body)
    event = function.events[0]
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(event["body"]) if encoded else event["body"].encode()) == body


def test_a_chunked_body_arrives_whole(door: FrontDoor, function: FakeLambda) -> None:
    """A client that streams is no different to the function."""
    httpx.post(door.url + "/", headers={"Content-Type": "text/plain"}, content=iter([b"one ", b"two"]))
    assert function.events[0]["body"] == "one two"


def test_headers_over_10240_bytes_are_431_and_never_reach_the_function(door: FrontDoor, function: FakeLambda) -> None:
    """API Gateway counts the request line and the values."""
    assert httpx.get(door.url + "/", headers={"x": "a" * 10_240}).status_code == 431
    assert function.events == []
    assert httpx.get(door.url + "/", headers={"x": "a" * 9_900}).status_code == 200


def test_a_body_over_10_mb_is_413(door: FrontDoor, function: FakeLambda) -> None:
    """The function never sees it."""
    assert httpx.post(door.url + "/", content=b"a" * (10 * 1024 * 1024 + 1)).status_code == 413
    assert function.events == []


def test_an_answer_without_status_code_is_a_200(door: FrontDoor, function: FakeLambda) -> None:
    """The fail-open rule of format 2.0, which a handler must never meet."""
    function.result = {"error": "payment required"}
    answer = httpx.get(door.url + "/")
    assert (answer.status_code, answer.json()) == (200, {"error": "payment required"})


def test_a_base64_answer_is_decoded_and_headers_and_cookies_pass(door: FrontDoor, function: FakeLambda) -> None:
    """Content-Length is the door's own."""
    function.result = {
        "statusCode": 402,
        "headers": {"payment-required": "e30=", "content-length": "999"},
        "cookies": ["a=1", "b=2"],
        "body": base64.b64encode(b"\x00\x01").decode(),
        "isBase64Encoded": True,
    }
    answer = httpx.get(door.url + "/")
    assert (answer.status_code, answer.content) == (402, b"\x00\x01")
    assert answer.headers["payment-required"] == "e30="
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("result", "error", "status", "expected"),
    [
        ({"errorMessage": "boom"}, "Unhandled", 200, 500),
        ({"statusCode": 200, "body": "!", "isBase64Encoded": True}, "", 200, 500),
        ({"statusCode": "many"}, "", 200, 500),
        ({"message": "Rate Exceeded."}, "", 429, 503),
    ],
)
def test_a_function_that_fails_is_500_and_a_throttled_one_503(
    door: FrontDoor, function: FakeLambda, result: Any, error: str, status: int, expected: int
) -> None:
    """Nothing of the error leaves."""
    function.result, function.error, function.status = result, error, status
    answer = httpx.get(door.url + "/")
    assert answer.status_code == expected
    assert set(answer.json()) == {"message"} and "boom" not in answer.text


def test_an_integration_that_outlasts_its_time_is_503(
    door: FrontDoor, function: FakeLambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """API Gateway gives up after 30 s, here after less."""
    monkeypatch.setattr(front, "INTEGRATION_SECONDS", 0.2)
    function.seconds = 0.6
    answer = httpx.get(door.url + "/")
    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})


def test_preflight_is_answered_by_the_door_and_plain_options_is_not(door: FrontDoor, function: FakeLambda) -> None:
    """As API Gateway does where CORS is configured."""
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    preflight = httpx.options(door.url + "/", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-headers"] == "payment-signature"
    assert function.events == []
    httpx.options(door.url + "/")
    assert len(function.events) == 1


def test_cors_headers_are_the_doors_own(door: FrontDoor, function: FakeLambda) -> None:
    """What a function sends about CORS is overridden, and without an Origin there is none."""
    function.result = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "https://evil.example"}}
    answer = httpx.get(door.url + "/", headers={"Origin": "https://shop.example"})
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    assert answer.headers["access-control-expose-headers"] == "payment-required"
    assert "access-control-allow-origin" not in httpx.get(door.url + "/").headers


def test_routes_and_cors_come_from_the_template() -> None:
    """Our own endpoints first, one route for everything else, and the headers that x402 needs."""
    api = read_api(ROOT / "template.yaml")
    *own, last = api.routes
    assert (last.key, last.function) == ("$default", "ProxyFunction")
    assert all(route.key.startswith("ANY /") and is_reserved(route.key.removeprefix("ANY ")) for route in own)
    assert api.cors is not None
    assert {"payment-signature", "sign-in-with-x"} <= set(api.cors.allow_headers)
    assert {"payment-required", "payment-response"} <= set(api.cors.expose_headers)


@pytest.mark.parametrize(
    ("key", "method", "path", "matches"),
    [
        ("GET /a", "GET", "/a", True),
        ("GET /a", "POST", "/a", False),
        ("ANY /a/{id}", "PUT", "/a/b", True),
        ("ANY /a/{id}", "PUT", "/a/b/c", False),
        ("ANY /{proxy+}", "GET", "/a/b/c", True),
        ("$default", "GET", "/anything", True),
    ],
)
def test_route_keys_match_as_in_http_apis(key: str, method: str, path: str, matches: bool) -> None:
    """A parameter is one segment, a greedy one is any number."""
    assert ApiRoute(key, "F").matches(method, path) is matches
