"""Threats 20-22 and 24 where the price depends on the request: what is paid for is what is run."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.buyer import as_v1, encode
from tests.support.world import World, body_of
from tollgate.gateway.catalogue import CACHE_SECONDS, merge
from tollgate.payment.price_choice import PriceChoice, Tier, Where
from tollgate.payment.routes import Route
from tollgate.payment.states import Flow, State
from tollgate.payment.terms import PAYMENT_FLOW
from tollgate.wire.models import Requirements

SMALL, LARGE = 10_000, 200_000
IMAGE = {"query": "size=small"}
BODY = b'{"size":"small","prompt":"a cat"}'


@pytest.fixture
def tiers(world: World) -> Callable[..., PriceChoice]:
    """Makes a choice on this world's network."""

    def make(
        where: Where = Where.QUERY, *, flow: Flow | None = None, absent: str | None = None, **prices: int
    ) -> PriceChoice:
        extra = {} if flow is None else {PAYMENT_FLOW: flow.value}

        def terms(amount: int) -> tuple[Requirements, ...]:
            return (replace(world.requirements, amount=amount, extra={**world.requirements.extra, **extra}),)

        named = prices or {"small": SMALL, "large": LARGE}
        return PriceChoice(where, "size", tuple(Tier(v, terms(a)) for v, a in named.items()), absent)

    return make


@pytest.fixture(autouse=True)
def image(world: World, tiers: Callable[..., PriceChoice]) -> Route:
    """A route priced by its query, and one by its body."""
    route = world.route("image", "GET", "/image/{id}", accepts=(), choice=tiers())
    world.routes += [route, world.route("draw", "POST", "/draw", accepts=(), choice=tiers(Where.BODY))]
    return route


def draw(world: World, body: bytes = BODY, content_type: str = "application/json", **kwargs: Any) -> Any:
    """A request whose price is in its body."""
    return world.request("/draw", method="POST", body=body, content_type=content_type, **kwargs)


def draw_offer(world: World, body: bytes = BODY) -> dict[str, Any]:
    """Its offer."""
    return world.offer("/draw", method="POST", body=body, content_type="application/json")


def amounts(offer: dict[str, Any]) -> list[int]:
    """What an offer asks for."""
    return [int(terms["amount"]) for terms in offer["accepts"]]


def test_each_request_is_offered_at_its_own_price_and_again_the_same(world: World) -> None:
    """The offer is a function of the request; nothing is written for it."""
    first = world.request("/image/1", query="size=large").header("payment-required")
    assert amounts(world.offer("/image/1", query="size=large")) == [LARGE]
    assert amounts(world.offer("/image/1", query="size=small")) == [SMALL]
    assert amounts(draw_offer(world)) == [SMALL]
    assert world.request("/image/1", query="size=large").header("payment-required") == first
    assert world.request("/image/1", query="size=large", method="HEAD").header("payment-required") == first


def test_a_request_without_a_price_is_400_and_says_what_to_send(world: World) -> None:
    """With a payment or without one; nothing is run."""
    payment = world.sign(world.buyer(), world.offer("/image/1", **IMAGE))
    for query, code in (("", "price_field_missing"), ("size=huge", "price_value_unknown")):
        for answer in (world.request("/image/1", query=query), world.request("/image/1", query=query, payment=payment)):
            assert (answer.status, body_of(answer)["code"]) == (400, code)
            assert "small, large" in body_of(answer)["error"]
            assert answer.header("payment-required") is None
    assert (world.upstream.runs, world.payment(payment)) == (0, None)


def test_a20_paying_for_small_does_not_buy_large(world: World) -> None:
    """By v2, by v1, and whatever the client says that it accepted: 402 with the offer of what was asked for."""
    payment = world.sign(world.buyer(), world.offer("/image/1", **IMAGE))
    lying = {**payment, "accepted": world.offer("/image/1", query="size=large")["accepts"][0]}
    for sent in ({"payment": payment}, {"payment": lying}, {"X_PAYMENT": encode(as_v1(payment))}):
        answer = world.request("/image/1", query="size=large", **sent)  # type: ignore[arg-type]
        assert answer.status == 402
        assert int(body_of(answer)["accepts"][0]["maxAmountRequired"]) == LARGE
    assert (world.upstream.runs, world.settler.calls) == (0, 0)


@pytest.mark.parametrize("by_v1", [False, True], ids=["v2", "v1"])
@pytest.mark.parametrize("flow", [Flow.AUTHORIZATION, Flow.UPFRONT])
def test_the_price_of_the_request_is_what_is_settled(
    world: World, tiers: Callable[..., PriceChoice], flow: Flow, by_v1: bool
) -> None:
    """In both flows; the upstream sees the query as it was priced, and a resend gets the answer."""
    settles_first = flow if flow is Flow.UPFRONT else None
    world.routes[-2] = replace(world.routes[-2], choice=tiers(flow=settles_first))
    payment = world.sign(world.buyer(), world.offer("/image/1", query="size=large&q=1"))
    sent: dict[str, Any] = {"X_PAYMENT": encode(as_v1(payment))} if by_v1 else {"payment": payment}
    for _ in range(2):
        assert world.request("/image/1", query="size=large&q=1", **sent).body == b"sunny"
    assert [seen[1] for seen in world.upstream.seen] == ["/image/1?size=large&q=1"]
    assert world.revenue() == (LARGE, 1)
    assert world.request("/image/1", query="size=small&q=1", **sent).status == 409


@pytest.mark.parametrize(
    "query",
    [
        "size=small&size=large", "size=large&size=small", "%73ize=large", "size=small&%73ize=large", "size=sm%61ll",
        "size=small;size=large", "size=small&size[]=large", "size=%6c%61rge", "size=small&size%00=large",
        "size=small&SIZE=large",
    ],
)  # fmt: skip
def test_a21_no_pollution_of_the_query_is_served_at_any_price(world: World, query: str) -> None:
    """Not for the small price, and not for the large one."""
    account = world.buyer()
    for size in ("small", "large"):
        payment = world.sign(account, world.offer("/image/1", query=f"size={size}"))
        answer = world.request("/image/1", query=query, payment=payment)
        assert answer.status == 400
        assert body_of(answer)["code"].startswith("price_")
    assert world.request("/image/1", query=query).status == 400
    assert world.upstream.runs == 0


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"size":"large","prompt":"a cat"}', "application/json", 402),
        (b'{"size":"small","size":"large"}', "application/json", 400),
        (b'{"size":"small","Size":"large"}', "application/json", 400),
        (b'{"size":"small","x":"&size=large"}', "application/x-www-form-urlencoded", 415),
        (b"size=large", "application/x-www-form-urlencoded", 415),
        (b'{"size":"small"', "application/json", 400),
        (b'{"prompt":"a cat"}', "application/json", 400),
        (b'{"size":"small","x":"' + b"x" * 300_000 + b'"}', "application/json", 413),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a22_another_body_is_not_bought_at_the_small_ones_price(
    world: World, body: bytes, content_type: str, status: int
) -> None:
    """The body that is priced is the body that is claimed and sent."""
    payment = world.sign(world.buyer(), draw_offer(world))
    assert draw(world, body, content_type, payment=payment).status == status
    assert world.upstream.runs == 0
    assert draw(world, payment=payment).status == 200
    assert world.upstream.seen[0][3] == BODY
    assert draw(world, BODY + b" ", payment=payment).status == 409
    assert world.upstream.runs == 1


def change(world: World, id: str, **fields: Any) -> None:
    """As an apply would, now."""
    wanted = [replace(r, previous=(), former=(), **(fields if r.id == id else {})) for r in world.routes]
    world.routes = list(merge(world.routes, wanted, int(world.clock())))


def test_a24_a_tiers_old_price_is_taken_for_that_tier_alone(world: World, tiers: Callable[..., PriceChoice]) -> None:
    """Small gets dearer than its buyer signed; large must not be had for what small once cost."""
    account = world.buyer()
    small = world.sign(account, world.offer("/image/1", **IMAGE))
    large = world.sign(account, world.offer("/image/1", query="size=large"))
    change(world, "image", choice=tiers(small=SMALL + 1, large=SMALL))
    assert amounts(world.offer("/image/1", **IMAGE)) == [SMALL + 1]
    assert world.request("/image/1", payment=small, **IMAGE).status == 200
    assert world.request("/image/1", payment=large, query="size=large").status == 200
    assert world.revenue() == (SMALL + LARGE, 2)
    late = world.sign(account, world.offer("/image/1", query="size=large"))
    late["accepted"]["amount"] = str(LARGE)
    world.skew += CACHE_SECONDS + 61
    assert world.request("/image/1", payment=late, query="size=large").status == 402


def test_a24_from_one_price_to_tiers_and_back(world: World, tiers: Callable[..., PriceChoice]) -> None:
    """Each request may be paid for at what was offered for it, and nothing else."""
    account = world.buyer()
    flat, unsized, late = (world.sign(account, world.offer("/weather/paris")) for _ in range(3))
    change(world, "weather", accepts=(), choice=tiers(small=SMALL * 2, large=LARGE))
    assert world.request("/weather/paris").status == 400
    assert world.request("/weather/paris", payment=world.sign(account, world.offer("/image/1", **IMAGE))).status == 400
    assert world.request("/weather/paris", payment=unsized).status == 200
    small = world.sign(account, world.offer("/weather/paris", **IMAGE))
    assert amounts({"accepts": [small["accepted"]]}) == [SMALL * 2]
    assert world.request("/weather/paris", payment=flat, query="size=large").status == 200
    change(world, "weather", accepts=(replace(world.requirements, amount=LARGE),), choice=None)
    assert world.request("/weather/paris", payment=small, query="size=large").status == 402
    assert world.request("/weather/paris", payment=small, **IMAGE).status == 200
    change(world, "weather", accepts=(), choice=tiers())
    world.skew += CACHE_SECONDS + 61
    assert world.request("/weather/paris", payment=late).status == 400


def test_a_resend_gets_its_answer_when_its_value_has_no_price_any_more(
    world: World, tiers: Callable[..., PriceChoice]
) -> None:
    """What is on the books is never merely refused (rule 1); a new payment for it is."""
    account = world.buyer()
    payment = world.sign(account, world.offer("/image/1", **IMAGE))
    assert world.request("/image/1", payment=payment, **IMAGE).status == 200
    new = world.sign(account, world.offer("/image/1", **IMAGE))
    change(world, "image", choice=tiers(large=LARGE))
    again = world.request("/image/1", payment=payment, **IMAGE)
    assert (again.status, again.body, world.upstream.runs) == (200, b"sunny", 1)
    assert world.request("/image/1", **IMAGE).status == 400
    world.skew += CACHE_SECONDS + 61
    assert world.request("/image/1", payment=new, **IMAGE).status == 400
    assert world.payment(new) is None
    assert world.request("/image/1", payment=payment, **IMAGE).body == b"sunny"


def test_a_payment_that_cannot_be_read_is_answered_with_the_requests_own_offer(world: World) -> None:
    """A refusal before anything is known of the payment offers what this request costs."""
    payment = world.sign(world.buyer(), world.offer("/image/1", **IMAGE))
    payment["accepted"]["scheme"] = "upto"
    answer = world.request("/image/1", query="size=large", payment=payment)
    assert answer.status == 402
    assert int(body_of(answer)["accepts"][0]["maxAmountRequired"]) == LARGE


def test_an_upstream_that_fails_is_not_charged_at_any_tier(world: World) -> None:
    """And the same request may be bought again."""
    world.upstream.behave(lambda handler: handler.answer(500, b"no"))
    payment = world.sign(world.buyer(), draw_offer(world))
    assert draw(world, payment=payment).status == 500
    assert world.payment(payment).state is State.RELEASED  # type: ignore[union-attr]
    again = draw(world, payment=payment)
    assert (again.status, json.loads(again.body)["accepts"][0]["maxAmountRequired"]) == (402, str(SMALL))
