"""Threats 84, 89-95 where the upstream is a Lambda function: what it, Lambda or boto3 can do to a paid call."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.lambda_service import (
    HELLO,
    Behaviour,
    LambdaService,
    cut_short,
    hangs_up,
    refuses,
    returns,
    runs,
    slowly,
)
from tests.support.world import ELSEWHERE, PRICE, World, body_of
from tollgate.gateway.upstream import MAX_ANSWER_BYTES
from tollgate.payment.routes import FunctionTarget
from tollgate.payment.states import State
from tollgate.wiring.upstreams import make_functions

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:report:live"
SETTLE = "tollgate-settle"
IDENTIFIER = "pay_5e0c3a1f9b7d42e68a0f1c2b3d4e5f60"


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaService]:
    """Lambda, with one function; boto3 is pointed at it."""
    service = LambdaService()
    service.start()
    for name, value in {
        "AWS_ENDPOINT_URL_LAMBDA": service.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        # What an operator might set for everything must not count here.
        "AWS_MAX_ATTEMPTS": "5",
        "AWS_RETRY_MODE": "adaptive",
    }.items():
        monkeypatch.setenv(name, value)
    yield service
    service.stop()


@pytest.fixture
def shop(world: World, functions: LambdaService) -> World:
    """A gateway that sells the function in both flows."""
    world.make_functions = lambda: make_functions((SETTLE, "tollgate-proxy"), "api.example")  # type: ignore[method-assign]
    target = FunctionTarget(FUNCTION, 2.0)
    first = replace(world.requirements, extra={**world.requirements.extra, "paymentFlow": "upfront"})
    world.routes = [
        world.route("first", "GET", "/first", upstream=target, accepts=(first,)),
        world.route("report", "POST", "/report/{city}", upstream=target),
        world.route("own", "GET", "/own", upstream=FunctionTarget(SETTLE, 2.0)),
        world.route("open", "GET", "/open/{city}", upstream=target, accepts=(), free=True),
        world.route("quick", "GET", "/quick", upstream=FunctionTarget(FUNCTION, 0.3)),
        world.route("patient", "GET", "/patient", upstream=FunctionTarget(FUNCTION, 20.0)),
    ]
    world.gateway = world.make_gateway()
    return world


def buy(shop: World, path: str = "/report/oslo", method: str = "POST", **sent: Any) -> tuple[Any, dict[str, Any]]:
    """One purchase: the answer and the payment."""
    payment = shop.sign(shop.buyer(), shop.offer(path, method=method), identifier=IDENTIFIER)
    return shop.request(path, method=method, payment=payment, **sent), payment


def test_a_paid_call_invokes_the_function_once_and_serves_what_it_returns(
    shop: World, functions: LambdaService
) -> None:
    """The event says who paid; a resend gets the same answer and no second run."""
    functions.behaviour = runs(
        lambda event: {
            "statusCode": 201,
            "headers": {"Content-Type": "application/json", "X-Model": "m"},
            "body": json.dumps({"for": event["pathParameters"]["city"], "asked": event["body"]}),
        }
    )
    answer, payment = buy(shop, query="days=3", body=b"{}", content_type="application/json")
    assert answer.status == 201
    assert body_of(answer) == {"for": "oslo", "asked": "{}"}
    assert answer.header("x-model") == "m"
    ((function, event),) = functions.invoked
    assert function == FUNCTION
    paid = event["requestContext"]["authorizer"]["lambda"]
    kept = shop.payment(payment)
    assert kept is not None
    assert (kept.state, paid["paymentId"]) == (State.SETTLED, kept.id.digest)
    assert (paid["payer"], paid["amount"]) == (str(kept.id.payer), str(PRICE))
    assert (event["rawPath"], event["rawQueryString"]) == ("/report/oslo", "days=3")
    again = shop.request("/report/oslo", method="POST", payment=payment, query="days=3", body=b"{}", source=ELSEWHERE)
    assert (again.status, again.body) == (201, answer.body)
    assert len(functions.invoked) == 1


def test_a_route_that_settles_first_runs_the_function_after_the_money_came(
    shop: World, functions: LambdaService
) -> None:
    """And its failure is owed back (threat 82)."""
    answer, payment = buy(shop, "/first", "GET")
    assert (answer.status, answer.body) == (200, b"hello")
    kept = shop.payment(payment)
    assert kept is not None
    assert kept.state is State.FULFILLED


_FAILURES: dict[str, tuple[Behaviour, int]] = {
    "function_error": (runs(lambda event: 1 // 0), 502),
    "throttled": (refuses(429, "TooManyRequestsException"), 502),
    "function_not_found": (refuses(404, "ResourceNotFoundException"), 502),
    "function_refused": (refuses(403, "AccessDeniedException"), 502),
    "unreachable": (refuses(500, "ServiceException"), 502),
    "hangs up": (hangs_up, 502),
    "cut short": (cut_short(json.dumps(HELLO).encode()), 502),
    "invalid_answer": (returns({"statusCode": 200, "body": {"not": "text"}}), 502),
    "nothing": (returns(b""), 502),
    "too_large": (returns({"statusCode": 200, "body": "x" * (MAX_ANSWER_BYTES + 1)}), 502),
    "long headers": (returns({"statusCode": 200, "headers": {"x-a": "y" * 20_000}}), 502),
    "status_302": (returns({"statusCode": 302, "headers": {"location": "https://evil.example"}}), 502),
    "status_402": (returns({"statusCode": 402}), 502),
    "status_206": (returns({"statusCode": 206, "body": "half"}), 502),
    "status_100": (returns({"statusCode": 100}), 502),
    "its own 404": (returns({"statusCode": 404, "body": "no such city"}), 404),
    "its own 500": (returns({"statusCode": 500, "body": "sorry"}), 500),
}


@pytest.mark.parametrize("name", _FAILURES)
def test_a94_a95_a_function_that_fails_is_not_charged_and_not_tried_again(
    shop: World, functions: LambdaService, name: str
) -> None:
    """FunctionError with status 200, throttles, outages, half answers: released, one call, nothing on chain."""
    functions.behaviour, status = _FAILURES[name]
    sent = shop.sent()
    answer, payment = buy(shop)
    assert answer.status == status
    assert answer.header("payment-response") is None
    if "_" in name:
        assert body_of(answer)["details"]["why"] == name
    kept = shop.payment(payment)
    assert kept is not None
    assert kept.state is State.RELEASED
    assert len(functions.invoked) == 1
    assert shop.sent() == sent


@pytest.mark.parametrize("name", ["function_error", "throttled", "invalid_answer"])
def test_a82_a94_a_function_that_fails_after_the_money_came_is_owed_back(
    shop: World, functions: LambdaService, name: str
) -> None:
    """One run, and the refund's row."""
    functions.behaviour, _ = _FAILURES[name]
    answer, payment = buy(shop, "/first", "GET")
    assert answer.status == 502
    kept = shop.payment(payment)
    assert kept is not None
    assert (kept.state, kept.refund_why) == (State.REFUND_DUE, name)
    again = shop.request("/first", payment=payment)
    assert (again.status, len(functions.invoked)) == (502, 1)


def test_a93_a95_a_function_that_is_late_is_cut_off_and_not_asked_again(shop: World, functions: LambdaService) -> None:
    """At its route's timeout: 504, not charged. What it does afterwards is nobody's purchase."""
    functions.behaviour = slowly(5)
    started = time.monotonic()
    answer, payment = buy(shop, "/quick", "GET")
    assert time.monotonic() - started < 4
    assert answer.status == 504
    kept = shop.payment(payment)
    assert kept is not None
    assert kept.state is State.RELEASED
    assert len(functions.invoked) == 1


def test_a_function_gets_no_more_time_than_its_request_has(shop: World, functions: LambdaService) -> None:
    """What is left of the invocation counts, not the route's own timeout."""
    functions.behaviour = slowly(6)
    payment = shop.sign(shop.buyer(), shop.offer("/patient"))
    started = time.monotonic()
    answer = shop.request("/patient", payment=payment, seconds=7.5)
    assert time.monotonic() - started < 4
    assert answer.status == 504


def test_the_money_paths_own_function_is_never_sold(shop: World, functions: LambdaService) -> None:
    """The proxy's role may invoke settle: that a route names it must not be enough."""
    answer, payment = buy(shop, "/own", "GET")
    assert (answer.status, body_of(answer)["details"]["why"]) == (502, "function_refused")
    assert functions.invoked == []
    kept = shop.payment(payment)
    assert kept is not None
    assert kept.state is State.RELEASED


def test_a89_a90_a91_the_function_sees_nothing_that_pays_or_proves_and_a_buyer_cannot_say_who_paid(
    shop: World, functions: LambdaService
) -> None:
    """Payment headers, cookies and authorization stay behind; so do headers that look like the front door's."""
    answer, payment = buy(
        shop,
        authorization="Bearer x",
        cookie="a=1",
        x_payment_extra="x",
        x_amzn_request_context="{}",
        x_forwarded_for="10.0.0.1",
        connection="x-secret",
        x_secret="1",
        x_public="2",
    )
    assert answer.status == 200
    event = functions.event
    assert set(event["headers"]) == {"x-public", "host"}
    assert "cookies" not in event
    text = json.dumps(event)
    assert payment["payload"]["signature"][2:] not in text
    assert payment["payload"]["authorization"]["nonce"][2:] not in text
    assert IDENTIFIER not in text


def test_a84_a92_what_a_function_answers_passes_the_same_filter_as_an_http_upstreams(
    shop: World, functions: LambdaService
) -> None:
    """No cookie, no caching, no payment header, no connection header, no CORS of its own reaches the buyer."""
    functions.behaviour = returns(
        {
            "statusCode": 200,
            "headers": {
                "PAYMENT-RESPONSE": "forged",
                "payment-required": "forged",
                "X-PAYMENT-RESPONSE": "forged",
                "Cache-Control": "public, max-age=3600",
                "Transfer-Encoding": "chunked",
                "Content-Length": "3",
                "Connection": "x-named",
                "x-named": "1",
                "Set-Cookie": "a=1",
                "Access-Control-Allow-Origin": "https://evil.example",
                "x-amzn-requestid": "1",
                "x-kept": "2",
            },
            "cookies": ["session=1"],
            "body": "goods",
        }
    )
    answer, _ = buy(shop)
    assert answer.body == b"goods"
    names = {name for name, _ in answer.headers}
    assert names == {"x-kept", "content-type", "payment-response", "cache-control"}
    assert answer.header("payment-response") != "forged"
    assert answer.header("cache-control") == "private, no-store"


def test_a_free_route_runs_the_function_and_names_no_payer(shop: World, functions: LambdaService) -> None:
    """Also when a payment comes along: it is not used, so nobody paid."""
    payment = shop.sign(shop.buyer(), shop.offer("/report/oslo", method="POST"))
    answer = shop.request("/open/oslo", payment=payment)
    assert (answer.status, answer.body) == (200, b"hello")
    context = functions.event["requestContext"]
    assert "authorizer" not in context
    assert len(context["requestId"]) == 32
    assert shop.payment(payment) is None


def test_an_answer_in_bytes_comes_back_as_it_was_made(shop: World, functions: LambdaService) -> None:
    """And what is no object with a statusCode is the body."""
    functions.behaviour = returns(
        {"statusCode": 200, "isBase64Encoded": True, "body": "iVBORwA=", "headers": {"content-type": "image/png"}}
    )
    assert buy(shop)[0].body == b"\x89PNG\x00"
    functions.behaviour = returns(b'{"answer":42}')
    answer, _ = buy(shop)
    assert (answer.body, answer.header("content-type")) == (b'{"answer":42}', "application/json")


def test_a_link_that_a_function_answers_stays_as_it_is(shop: World, functions: LambdaService) -> None:
    """There is no origin behind it that the proxy could fetch a result from."""
    functions.behaviour = returns({"statusCode": 202, "headers": {"Location": "https://files.example.com/7"}})
    answer, _ = buy(shop)
    assert (answer.status, answer.header("location")) == (202, "https://files.example.com/7")
