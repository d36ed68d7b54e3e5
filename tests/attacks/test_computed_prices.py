"""Prices that a function computes: what was offered is what is taken, from whoever was offered it, while it holds."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.attacks.test_function_upstream import functions as functions  # noqa: PLC0414 - a fixture
from tests.support.buyer import as_v1, encode
from tests.support.lambda_service import LambdaService, returns
from tests.support.world import World, body_of
from tollgate.errors import ConfigurationError
from tollgate.gateway.catalogue import merge
from tollgate.gateway.dialing import FailureKind, UpstreamFailed
from tollgate.payment.computed_price import ComputedPrice, sealed
from tollgate.payment.events import Event
from tollgate.payment.routes import UpstreamTarget
from tollgate.payment.states import State
from tollgate.wiring.upstreams import make_functions

PRICER = "price-it"
LOW, HIGH = 10_000, 900_000
BODY = b'{"text":"some words","options":{"tone":"formal"},"other":1}'
JSON = {"method": "POST", "content_type": "application/json"}


class Pricer:
    """A price function in this process: what it was asked, and what it answers or raises."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Any = {"price": "$0.25"}

    def invoke(self, function: str, payload: bytes, usual: float, timeout: float) -> bytes:
        """As ``FunctionUpstream`` does."""
        assert function == PRICER
        assert 0 < timeout <= usual
        self.asked.append(json.loads(payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()


@pytest.fixture
def pricer(world: World) -> Pricer:
    """A route whose price it computes from the query, and one from the body."""
    pricer = Pricer()
    world.price_functions = lambda: pricer  # type: ignore[method-assign]
    world.gateway = world.make_gateway()
    world.routes += [
        world.route("maps", "GET", "/maps/{city}", accepts=(), computed=computed(world)),
        world.route("write", "POST", "/write", accepts=(), computed=computed(world, "text", "options.tone")),
    ]
    return pricer


def computed(world: World, *fields: str, **changes: Any) -> ComputedPrice:
    """Between a cent and ninety."""
    low, high = (replace(world.requirements, amount=amount) for amount in (LOW, HIGH))
    return replace(ComputedPrice(PRICER, (low,), (high,), fields), **changes)


def amounts(offer: dict[str, Any]) -> list[int]:
    """What an offer asks for."""
    return [int(terms["amount"]) for terms in offer["accepts"]]


def test_what_the_function_says_is_offered_paid_and_not_asked_for_again(world: World, pricer: Pricer) -> None:
    """It sees what it is to price and nothing of who asks; the payment is served though it is down by then."""
    offer = world.offer("/maps/oslo", query="zoom=3&zoom=4", x_api_key="theirs")
    assert amounts(offer) == [250_000]
    assert pricer.asked == [
        {
            "version": "1", "route": "maps", "method": "GET", "path": "/maps/oslo", "params": {"city": "oslo"},
            "query": "zoom=3&zoom=4", "parameters": {"zoom": ["3", "4"]}, "body": {},
        }
    ]  # fmt: skip
    payment = world.sign(world.buyer(), offer)
    pricer.answer = UpstreamFailed(FailureKind.TIMEOUT)
    paid = world.request("/maps/oslo", query="zoom=3&zoom=4", payment=payment)
    assert (paid.status, len(pricer.asked), world.revenue()) == (200, 1, (250_000, 1))
    held = world.payment(payment)
    assert held is not None
    assert held.state is State.SETTLED
    assert world.request("/maps/oslo", query="zoom=3&zoom=4", payment=payment).body == paid.body


def test_only_the_named_fields_of_a_body_are_asked_about_and_binding(world: World, pricer: Pricer) -> None:
    """Another value of such a field is another question; the rest of the body is not the price's business."""
    offer = world.offer("/write", body=BODY, **JSON)
    assert pricer.asked[0]["body"] == {"text": "some words", "options.tone": "formal"}
    payment = world.sign(world.buyer(), offer)
    longer = BODY.replace(b"some words", b"some more words")
    refused = world.request("/write", body=longer, payment=payment, **JSON)
    assert (refused.status, world.upstream.runs, world.payment(payment)) == (402, 0, None)
    other = BODY.replace(b'"other":1', b'"other":2')
    assert world.request("/write", body=other, payment=payment, **JSON).status == 200


@pytest.mark.parametrize(
    "body", [b'{"text":"a","TEXT":"b"}', b'{"text":"a","text":"b"}', b'{"options":1}', b"text=a"], ids=repr
)
def test_a21_a_body_that_two_readers_read_differently_has_no_price(world: World, pricer: Pricer, body: bytes) -> None:
    """400, and the function is not asked."""
    assert world.request("/write", body=body, **JSON).status == 400
    assert pricer.asked == []


def test_a16_no_buyer_names_the_price(world: World, pricer: Pricer) -> None:
    """Whatever of the accepted terms is changed, with the seal of others or none: 402, nothing runs or is claimed."""
    offer = world.offer("/maps/oslo")
    terms = offer["accepts"][0]
    quote = terms["extra"]["quote"]
    expires, _, seal = quote.partition(".")
    forged = sealed(replace(world.requirements, amount=LOW), b"?", b"another key", int(expires)).extra["quote"]
    bare = {key: value for key, value in terms["extra"].items() if key != "quote"}
    lies: list[dict[str, Any]] = [
        {"amount": str(LOW)},
        {"amount": "1"},
        {"payTo": str(world.asset.address)},
        {"maxTimeoutSeconds": 600},
        {"extra": bare},
        {"extra": {**bare, "quote": f"{int(expires) + 600}.{seal}"}},
        {"extra": {**bare, "quote": ""}},
        {"extra": {**bare, "quote": 7}},
        {"amount": str(LOW), "extra": {**bare, "quote": forged}},
    ]
    for lie in lies:
        payment = world.sign(world.buyer(), {**offer, "accepts": [{**terms, **lie}]})
        answer = world.request("/maps/oslo", payment=payment)
        assert answer.status in (400, 402), lie
        assert world.payment(payment) is None
    assert world.upstream.runs == 0


def test_a17_an_offer_is_good_for_its_own_request_only(world: World, pricer: Pricer) -> None:
    """Another path, another query, another route of the same price: refused, with an offer of what was asked for."""
    cheap = world.sign(world.buyer(), world.offer("/maps/oslo", query="zoom=1"))
    pricer.answer = {"price": "$0.80"}
    for path, query in (("/maps/rome", "zoom=1"), ("/maps/oslo", "zoom=9"), ("/maps/oslo", "")):
        answer = world.request(path, query=query, payment=cheap)
        assert answer.status == 402
        assert body_of(answer)["error"] == "no_matching_requirements"
        assert amounts(world.offer(path, query=query)) == [800_000]
    assert world.upstream.runs == 0


def test_an_offer_expires_and_is_made_anew_but_what_was_claimed_keeps_its_answer(world: World, pricer: Pricer) -> None:
    """The last second still counts; a payment that is on the books is found whatever its quote is worth."""
    offer = world.offer("/maps/oslo")
    first = world.sign(world.buyer(), offer)
    late = world.sign(world.buyer(), offer, validBefore=str(int(world.clock()) + 110))
    expires = int(offer["accepts"][0]["extra"]["quote"].partition(".")[0])
    assert 58 <= expires - world.clock() <= 60
    served = world.request("/maps/oslo", payment=first)
    world.advance(61)
    pricer.answer = {"price": "$0.30"}
    refused = world.request("/maps/oslo", payment=late)
    assert (refused.status, body_of(refused)["error"]) == (402, "no_matching_requirements")
    assert world.request("/maps/oslo", payment=first).body == served.body
    assert world.upstream.runs == 1


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        ({"price": "$0.001"}, LOW),
        ({"amount": "12345"}, 12_345),
        ({"amount": 12_345}, 12_345),
        ({"price": "$7"}, HIGH),
        ({"amount": 10**20}, None),
        ({"price": "$0.0000001"}, None),
        ({"amount": "0"}, None),
        ({"amount": 0.5}, None),
        ({"amount": True}, None),
        ({"price": 0.01}, None),
        ({"price": "$0.01", "amount": "1"}, None),
        ({"price": "$0.01", "note": ""}, None),
        ({"price": "$0.01", "validSeconds": 0}, None),
        ({"statusCode": 200, "body": '{"price":"$0.01"}'}, None),
        ([], None),
        (b"$0.01", None),
        (b" " * 5000, None),
        (UpstreamFailed(FailureKind.FUNCTION_ERROR), None),
        (UpstreamFailed(FailureKind.TIMEOUT), None),
    ],
    ids=repr,
)
def test_an_answer_is_an_exact_price_within_bounds_or_there_is_no_offer(
    world: World, pricer: Pricer, answer: Any, asked: int | None
) -> None:
    """Under the least it is the least, over the most it is the most; what is no price is 503, told and counted."""
    pricer.answer = answer
    got = world.request("/maps/oslo")
    failed = [fields for event, fields in world.diary.events if event is Event.PRICE_FAILED]
    if asked is not None:
        assert (got.status, amounts(world.offer("/maps/oslo")), failed) == (402, [asked], [])
        return
    assert (got.status, body_of(got)["code"], got.header("payment-required")) == (503, "price_unavailable", None)
    assert got.header("retry-after") is not None
    assert failed[0]["route"] == "maps"


def test_the_function_may_shorten_an_offer_and_not_stretch_it(world: World, pricer: Pricer) -> None:
    """What it says is good for 5 seconds is; 10,000 are 60."""
    for said, seconds in ((5, 5), (10_000, 60)):
        pricer.answer = {"price": "$0.25", "validSeconds": said}
        expires = int(world.offer("/maps/oslo")["accepts"][0]["extra"]["quote"].partition(".")[0])
        assert seconds - 2 <= expires - world.clock() <= seconds


def test_without_the_key_nothing_is_offered_or_refused(world: World, pricer: Pricer) -> None:
    """A payment may be good: 503 without an offer. What is on the books has its answer all the same."""
    offer = world.offer("/maps/oslo")
    known, new = (world.sign(world.buyer(), offer) for _ in range(2))
    served = world.request("/maps/oslo", payment=known)

    def missing() -> bytes:
        raise ConfigurationError("the secret cannot be read")

    world.quote_key = missing  # type: ignore[method-assign]
    world.gateway = world.make_gateway()
    for answer in (world.request("/maps/oslo"), world.request("/maps/oslo", payment=new)):
        assert (answer.status, body_of(answer)["code"], answer.header("payment-required")) == (
            503, "price_unavailable", None,
        )  # fmt: skip
    assert world.request("/maps/oslo", payment=known).body == served.body
    assert (world.payment(new), world.upstream.runs) == (None, 1)


def test_v1_is_not_offered_what_it_could_not_pay(world: World, pricer: Pricer) -> None:
    """Its payment sends no quote back: the body is the v2 offer, and X-PAYMENT is refused."""
    answer = world.request("/maps/oslo")
    assert body_of(answer)["x402Version"] == 2
    payment = world.sign(world.buyer(), world.offer("/maps/oslo"))
    assert world.request("/maps/oslo", X_PAYMENT=encode(as_v1(payment))).status == 402
    assert world.upstream.runs == 0


@pytest.mark.parametrize("becomes", ["other bounds", "fixed", "free", "computed by another", "renamed"])
def test_an_apply_does_not_void_an_offer_that_somebody_holds(world: World, pricer: Pricer, becomes: str) -> None:
    """Rule 8: what was offered before stays acceptable until it expires; to no new price's disadvantage."""
    ends = [str(int(world.clock()) + seconds) for seconds in (60, 110)]
    payments = [world.sign(world.buyer(), world.offer("/maps/oslo"), validBefore=end) for end in ends]
    old = next(route for route in world.routes if route.id == "maps")
    changes: dict[str, dict[str, Any]] = {
        "other bounds": {"computed": computed(world, low=(replace(world.requirements, amount=HIGH),))},
        "computed by another": {"computed": computed(world, function="other")},
        "renamed": {
            "id": "atlas",
            "pattern": "/maps/{town}",
            "upstream": UpstreamTarget(f"{world.upstream_url}/maps/{{town}}", 5.0),
        },
        "fixed": {"computed": None, "accepts": (world.requirements,)},
        "free": {"computed": None, "free": True},
    }
    new = replace(old, **changes[becomes])
    world.routes = list(merge(world.routes, [new], int(world.clock())))
    answer = world.request("/maps/oslo", payment=payments[0])
    assert answer.status == 200
    assert (world.payment(payments[0]) is None) is (becomes == "free")
    world.advance(61)
    if becomes == "fixed":
        late = world.request("/maps/oslo", payment=payments[1])
        assert (late.status, world.payment(payments[1])) == (402, None)


def test_what_cannot_be_paid_is_not_asked_for(world: World, pricer: Pricer) -> None:
    """No network with gas: 503 as for every route, and the function is left alone."""
    world.has_gas = False
    answer = world.request("/maps/oslo")
    assert (answer.status, body_of(answer)["code"], pricer.asked) == (503, "no_payable_network", [])


def test_a95_lambda_is_asked_once_within_its_time_and_never_for_our_own(world: World, functions: LambdaService) -> None:
    """The real client: retries off, a function that throttles or fails is asked once, and settle never."""
    functions.behaviour = returns({"price": "$0.25"})
    asked = make_functions(("settle",), "")
    world.price_functions = lambda: asked  # type: ignore[method-assign]
    world.gateway = world.make_gateway()
    world.routes = [
        world.route("maps", "GET", "/maps", accepts=(), computed=computed(world)),
        world.route("own", "GET", "/own", accepts=(), computed=computed(world, function="settle")),
    ]
    assert amounts(world.offer("/maps")) == [250_000]
    functions.behaviour = lambda http, event: http.answer_json(
        200, {"errorMessage": "no"}, [("X-Amz-Function-Error", "Unhandled")]
    )
    assert world.request("/maps").status == 503
    assert world.request("/own").status == 503
    assert [name for name, _ in functions.invoked] == [PRICER, PRICER]
