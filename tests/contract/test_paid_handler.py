"""A seller's own handler with a price on it (tollgate.paid): the example of examples/paid-handler on real servers.

Its environment and its policy are those of its template, filled with what the stack's outputs say.
"""

import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from unittest.mock import patch

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from local.chain import Chain
from tests.support.buyer import decode, encode
from tests.support.functions import PAY_TO, Functions, Reply
from tests.support.lambda_events import Context, http_event
from tests.support.loaded import LoadedFunction, Run, running
from tests.support.template_values import REGION, Values
from tests.template.cfn import ROOT, listed, load
from tollgate.errors import ConfigurationError
from tollgate.paid import paid

HERE = ROOT / "examples" / "paid-handler"
HOST = "weather.example.com"
PRICE = 10_000
Handler = Callable[[dict[str, Any], Any], Any]


class Shop:
    """The example, deployed beside a stack."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.template = load(HERE / "template.yaml")
        self.template["Conditions"] = {}
        given = {
            "LayerArn": "arn:aws:lambda:us-east-1:000000000000:layer:tollgate:1",
            "Stage": "local",
            "Network": str(functions.chain.info.network),
            "RpcSecretName": functions.made.rpc_secret,
            "PaymentsTableName": functions.resource("PaymentsTable"),
            "RoutesTableName": functions.resource("RoutesTable"),
            "AnswersBucketName": functions.resource("AnswersBucket"),
            "SettleFunctionName": functions.resource("SettleFunction"),
            "PayTo": PAY_TO,
        }
        self.values = Values(self.template, "weather", given, {"Api": "abc123"})
        self.properties = self.template["Resources"]["PaidFunction"]["Properties"]
        told = self.properties["Environment"]["Variables"]
        told["TOLLGATE_PUBLIC_BASE_URL"] = f"https://{HOST}"
        runtime = {
            "AWS_LAMBDA_FUNCTION_NAME": "weather-PaidFunction",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": functions.aws_endpoint,
            "AWS_ENDPOINT_URL_LAMBDA": functions.loaded["proxy"].environment["AWS_ENDPOINT_URL_LAMBDA"],
            "LAMBDA_TASK_ROOT": str(HERE),
        }
        environment = {name: str(self.values.of(value)) for name, value in told.items()} | runtime
        self.function = LoadedFunction("paid", HERE / "app.py", environment, 29, functions.trace)
        self.runs = 0
        self.handler: Handler | None = None

    def request(
        self, method: str, url: str, payment: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request, as API Gateway hands it on."""
        sent = dict(headers or {}) | ({} if payment is None else {"payment-signature": encode(dict(payment))})
        event = http_event(method, url, sent, b"", "203.0.113.9", route_key="$default", host=HOST)
        held = running.set(Run(self.function, 1))
        try:
            if self.function.module is None:
                with patch("sys.stderr", io.StringIO()):
                    self.function.load()
            assert self.function.module is not None
            handler = self.handler or self.function.module.handler
            return Reply.of(handler(event, Context("weather-PaidFunction", "arn:aws:lambda:::weather", 29)))
        finally:
            running.reset(held)

    def sell(self, handler: Handler, routes: Any = "GET /weather/{city}", **terms: Any) -> None:
        """Another handler, in the same environment."""

        def counted(event: dict[str, Any], context: Any) -> Any:
            self.runs += 1
            return handler(event, context)

        held = running.set(Run(self.function, 1))
        try:
            self.handler = paid(routes, **({"price": "$0.01", "pay_to": PAY_TO} | terms))(counted)
        finally:
            running.reset(held)

    def pay(self, url: str = "/weather/oslo") -> tuple[dict[str, Any], Reply]:
        """A payment of somebody new, and what it got."""
        buyer = self.functions.buyer()
        payment = self.functions.sign(buyer, decode(self.request("GET", url).headers["payment-required"]))
        return payment, self.request("GET", url, payment)


@pytest.fixture
def shop(functions: Functions) -> Iterator[Shop]:
    """The example beside a stack of its own."""
    yield Shop(functions)


def test_the_example_sells_and_settles(shop: Shop, chain: Chain) -> None:
    """402 with the offer; 200 with a receipt; the handler knows who paid; the money is the seller's."""
    offered = shop.request("GET", "/weather/oslo")
    assert offered.status == 402
    required = decode(offered.headers["payment-required"])
    assert required["resource"]["url"] == f"https://{HOST}/weather/oslo"
    assert required["accepts"][0]["amount"] == str(PRICE)
    before = chain.balance(PAY_TO)
    buyer = shop.functions.buyer()
    payment = shop.functions.sign(buyer, required)
    reply = shop.request("GET", "/weather/oslo", payment)
    assert reply.status == 200
    assert reply.json() == {"city": "oslo", "tomorrow": "sunny", "paidBy": buyer.address}
    assert decode(reply.headers["payment-response"])["success"]
    assert chain.balance(PAY_TO) == before + PRICE
    assert shop.request("GET", "/health").body == b"well"
    assert shop.request("GET", "/elsewhere").status == 404


def test_its_policy_allows_what_it_calls(shop: Shop) -> None:
    """As deployed: action and resource of every call, in a paid call, a resend and a refused one."""
    start = len(shop.functions.trace)
    payment, reply = shop.pay()
    assert reply.status == 200
    assert shop.request("GET", "/weather/oslo", payment).status == 200
    statements = shop.properties["Policies"][0]["Statement"]
    made = [a for call in shop.functions.trace[start:] if call.function == "paid" for a in getattr(call, "needs", ())]
    assert {access.action for access in made} >= {"dynamodb:PutItem", "lambda:InvokeFunction"}
    for access in made:
        assert any(
            access.action in listed(statement["Action"])
            and any(
                fnmatchcase(access.resource, str(resource))
                for resource in listed(shop.values.of(statement["Resource"]))
            )
            for statement in statements
        ), f"{access} is not allowed"


def test_a36_a_payment_runs_the_handler_once(shop: Shop) -> None:
    """However often it is sent, everybody gets the one answer."""
    shop.sell(lambda event, context: {"statusCode": 200, "body": f"run for {event['pathParameters']['city']}"})
    payment, first = shop.pay()
    again = [shop.request("GET", "/weather/oslo", payment) for _ in range(3)]
    assert [reply.body for reply in (first, *again)] == [b"run for oslo"] * 4
    assert shop.runs == 1


def test_a94_a_handler_that_raises_is_not_charged(shop: Shop, chain: Chain) -> None:
    """502, nothing settled, and the traceback where Lambda writes it."""

    def broken(event: dict[str, Any], context: Any) -> Any:
        raise RuntimeError("the model is down")

    shop.sell(broken)
    before = chain.balance(PAY_TO)
    said = io.StringIO()
    with patch("sys.stderr", said):
        _, reply = shop.pay()
    assert reply.status == 502
    assert b"model" not in reply.body
    assert "the model is down" in said.getvalue()
    assert chain.balance(PAY_TO) == before
    assert shop.runs == 1


@pytest.mark.parametrize(
    "answer", [{"statusCode": 500, "body": "no"}, {"statusCode": "many"}, object(), {"statusCode": 302}]
)
def test_a82_an_answer_that_is_none_is_not_charged(shop: Shop, chain: Chain, answer: Any) -> None:
    """An error, a redirect, or what no API Gateway would pass on."""
    shop.sell(lambda event, context: answer)
    before = chain.balance(PAY_TO)
    with patch("sys.stderr", io.StringIO()):
        _, reply = shop.pay()
    assert reply.status >= 500
    assert "payment-response" not in reply.headers
    assert chain.balance(PAY_TO) == before


def test_a_handler_that_comes_back_too_late_is_not_charged(shop: Shop, chain: Chain) -> None:
    """There would be no time left to settle; that it ran is the seller's loss, not the buyer's."""

    def slow(event: dict[str, Any], context: Any) -> Any:
        time.sleep(0.2)
        return {"statusCode": 200, "body": "late"}

    shop.sell(slow, timeout_seconds=0.1)
    before = chain.balance(PAY_TO)
    _, reply = shop.pay()
    assert reply.status in (502, 504)
    assert chain.balance(PAY_TO) == before


def test_settled_first_for_what_cannot_be_undone(shop: Shop, chain: Chain) -> None:
    """The money is there before the handler runs, and what then fails is owed back."""
    seen: list[int] = []
    before = chain.balance(PAY_TO)

    def irreversible(event: dict[str, Any], context: Any) -> Any:
        seen.append(chain.balance(PAY_TO) - before)
        return {"statusCode": 200, "body": "done"}

    shop.sell(irreversible, flow="upfront")
    _, reply = shop.pay()
    assert reply.status == 200
    assert seen == [PRICE]


def test_the_handler_sees_no_payment_header_and_its_own_context(shop: Shop) -> None:
    """The event is as API Gateway would bring it, and the context is the invocation's."""
    events: list[tuple[dict[str, Any], str]] = []

    def look(event: dict[str, Any], context: Any) -> Any:
        events.append((event, context.function_name))
        return "plain"

    shop.sell(look)
    _, reply = shop.pay("/weather/oslo?units=c")
    assert reply.body == b"plain"
    ((event, name),) = events
    assert "payment-signature" not in json.dumps(event)
    assert event["queryStringParameters"] == {"units": "c"}
    assert name == "weather-PaidFunction"


def test_a_powertools_resolver_is_sold_as_it_is(shop: Shop) -> None:
    """Several routes, each at its price."""
    app = APIGatewayHttpResolver()

    @app.get("/weather/<city>")
    def weather(city: str) -> dict[str, str]:
        return {"city": city}

    @app.get("/news")
    def news() -> dict[str, str]:
        return {"news": "none"}

    shop.sell(app.resolve, {"GET /weather/{city}": "$0.01", "GET /news": "$0.05"})
    _, reply = shop.pay("/weather/rome")
    assert reply.json() == {"city": "rome"}
    dear = decode(shop.request("GET", "/news").headers["payment-required"])
    assert dear["accepts"][0]["amount"] == "50000"
    cheap_payment = shop.functions.sign(
        shop.functions.buyer(), decode(shop.request("GET", "/weather/rome").headers["payment-required"])
    )
    assert shop.request("GET", "/news", cheap_payment).status == 402


@pytest.mark.parametrize(
    ("routes", "terms", "says"),
    [
        ("GET weather", {}, "a method"),
        ("HEAD /weather", {}, "a method"),
        ("GET /x402/settle", {}, "Tollgate's own"),
        ("GET /weather/{", {}, "path"),
        ("GET /weather", {"price": "0.01"}, "dollars such as $0.01"),
        ("GET /weather", {"price": ""}, "dollars such as $0.01"),
        ("GET /weather", {"pay_to": "0x12"}, "pay_to"),
        ("GET /weather", {"pay_to": "0x" + "00" * 20}, "zero address"),
        ("GET /weather", {"flow": "later"}, "flow must be one of"),
        ("GET /weather", {"timeout_seconds": 21}, "at most 20"),
        ("GET /weather", {"flow": "upfront", "timeout_seconds": 16}, "at most 15"),
        ("GET /weather", {"max_timeout_seconds": 20}, "from 25 to 3600"),
    ],
)
def test_wrong_terms_are_refused_when_the_function_is_imported(routes: str, terms: dict[str, Any], says: str) -> None:
    """With a sentence, at deployment, and not at the first paid call."""
    with pytest.raises(ConfigurationError) as refused:
        paid(routes, **({"price": "$0.01", "pay_to": PAY_TO} | terms))
    assert says in str(refused.value)
