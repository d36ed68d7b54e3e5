"""Free routes: the same upstreams with the same hygiene, nothing written, and no payment taken."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.buyer import as_v1, encode
from tests.support.upstream import answers, sunny
from tests.support.world import ELSEWHERE, World, body_of
from tollgate.gateway.upstream import HttpUpstream
from tollgate.payment.events import Event
from tollgate.payment.routes import Route, UpstreamTarget
from tollgate.payment.states import Flow, State
from tollgate.payment.terms import PAYMENT_FLOW


@pytest.fixture(autouse=True)
def free(world: World) -> Route:
    """A free route beside the priced ones."""
    route = world.route("status", "GET", "/status/{city}", accepts=(), free=True)
    world.routes += [route, world.route("count", "POST", "/count", accepts=(), free=True)]
    return route


def items(world: World) -> int:
    """How many items the ledger holds."""
    return int(world.table._client.scan(TableName=world.table._name, Select="COUNT")["Count"])


def make_free(world: World, id: str) -> None:
    """As an apply that ends a price would."""
    world.routes = [replace(r, accepts=(), free=True) if r.id == id else r for r in world.routes]


def test_a_free_route_is_passed_through_and_nothing_is_written(world: World) -> None:
    """Status, headers and body of the upstream; the query and the body as they came; no cache keeps it."""
    world.upstream.behave(answers(201, b"fine", {"X-Weather": "sun", "Set-Cookie": "s=1", "Cache-Control": "public"}))
    answer = world.request("/count", method="POST", query="a=1", body=b"{}", content_type="application/json")
    assert (answer.status, answer.body) == (201, b"fine")
    assert answer.header("x-weather") == "sun"
    assert answer.header("set-cookie") is None
    assert answer.header("cache-control") == "private, no-store"
    assert answer.header("payment-required") is answer.header("payment-response") is None
    (method, path, _, body) = world.upstream.seen[0]
    assert (method, path, body) == ("POST", "/count?a=1", b"{}")
    assert items(world) == 0
    assert world.diary.count(Event.FREE_SERVED) == 1


def test_a90_what_must_not_travel_does_not_travel_for_free(world: World) -> None:
    """Payments, credentials and what front doors say stay behind, as on a priced route."""
    payment = world.sign(world.buyer(), world.offer())
    world.request(
        "/status/paris", payment=payment, authorization="Bearer x", cookie="a=b", x_forwarded_for="1.2.3.4", x_mine="1"
    )
    sent = {name.lower() for name in world.upstream.seen[0][2]}
    assert sent == {"host", "accept-encoding", "connection", "x-mine"}


def test_a_payment_for_a_free_route_is_neither_claimed_nor_charged(world: World) -> None:
    """Good, stale, broken, of v1 or of v2: the answer is the free one, and no money moves."""
    payment = world.sign(world.buyer(), world.offer())
    for header in ({"payment": payment}, {"X_PAYMENT": encode(as_v1(payment))}, {"payment": "no payment"}):
        answer = world.request("/status/paris", **header)
        assert (answer.status, answer.body) == (200, b"sunny")
        assert answer.header("payment-response") is answer.header("x-payment-response") is None
    assert items(world) == 0
    assert world.settler.calls == 0
    assert world.upstream.runs == 3


def test_a_price_that_has_ended_in_free_is_not_taken(world: World) -> None:
    """The buyer signed for the old price; the route is free by now."""
    payment = world.sign(world.buyer(), world.offer())
    make_free(world, "weather")
    assert world.request(payment=payment).body == b"sunny"
    assert world.payment(payment) is None
    assert world.settler.calls == 0


def test_what_was_paid_before_a_route_became_free_keeps_its_answer(world: World) -> None:
    """A resend gets the stored answer, not a second run; somebody else's gets nothing of it."""
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 200
    make_free(world, "weather")
    again = world.request(payment=payment)
    assert (again.status, again.body, world.upstream.runs) == (200, b"sunny", 1)
    assert again.header("payment-response") is not None
    assert world.request(payment=payment, source=ELSEWHERE).status == 409


def test_what_was_released_before_a_route_became_free_is_served_free(world: World) -> None:
    """It was never charged, and nothing is offered any more."""
    payment = world.sign(world.buyer(), world.offer())
    world.upstream.behave(answers(500))
    assert world.request(payment=payment).status == 500
    world.upstream.behave(sunny)
    make_free(world, "weather")
    assert world.request(payment=payment).body == b"sunny"
    assert world.payment(payment).state is State.RELEASED  # type: ignore[union-attr]


def test_a_claim_of_the_dead_is_not_settled_once_its_route_is_free(world: World) -> None:
    """Upfront flow: nothing was settled yet, so nothing is."""
    first = replace(world.requirements, extra={**world.requirements.extra, PAYMENT_FLOW: Flow.UPFRONT.value})
    world.routes[0] = replace(world.routes[0], accepts=(first,))
    payment = world.sign(world.buyer(), world.offer())

    def die(*_: Any) -> Any:
        raise KeyboardInterrupt

    begin, world.gateway.parts.upfront.begin = world.gateway.parts.upfront.begin, die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        world.request(payment=payment)
    world.gateway.parts.upfront.begin = begin  # type: ignore[method-assign]
    make_free(world, "weather")
    world.skew += 60
    assert world.request(payment=payment).body == b"sunny"
    assert world.payment(payment).state is State.CLAIMED  # type: ignore[union-attr]
    assert world.settler.calls == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE"])
def test_a_method_that_is_not_declared_reaches_no_upstream(world: World, method: str) -> None:
    """Free is the declared method alone."""
    answer = world.request("/status/paris", method=method)
    assert answer.status == 405
    assert world.upstream.runs == 0


def test_head_of_a_free_route_is_asked_of_the_upstream(world: World) -> None:
    """As HEAD: it has no body, and the upstream knows."""
    answer = world.request("/status/paris", method="HEAD")
    assert (answer.status, answer.body, world.upstream.seen[0][0]) == (200, b"", "HEAD")
    assert world.request("/count", method="HEAD").status == 405


@pytest.mark.parametrize(
    "path", ["/status//paris", "/status/..%2Fask", "/status/../ask", "/STATUS/paris", "/status/a%2fb", "/status/a;b"]
)
def test_a29_another_spelling_of_a_free_path_reaches_no_upstream(world: World, path: str) -> None:
    """The same canonical form as for what is sold."""
    assert world.request(path).status in (400, 404)
    assert world.upstream.runs == 0


@pytest.mark.parametrize(("status", "wanted"), [(404, 404), (503, 503), (302, 502), (402, 502), (206, 502)], ids=str)
def test_an_upstreams_other_answers_are_judged_alike(world: World, status: int, wanted: int) -> None:
    """No redirect is followed or handed on, and an upstream's own 402 is not ours."""
    world.upstream.behave(answers(status, b"no", {"Location": "http://127.0.0.1:1/"}))
    answer = world.request("/status/paris")
    assert answer.status == wanted
    if wanted == 502:
        assert body_of(answer)["code"] == "upstream_unusable"
        assert "charged" not in body_of(answer)["error"]


def test_a87_a_free_route_does_not_open_private_addresses(world: World) -> None:
    """The one dialler, with its one rule."""
    world.fetches = HttpUpstream(allow_private=False, clock=lambda: 0.0, secrets=lambda name: name)
    world.gateway = world.make_gateway()
    world.routes.append(
        replace(
            world.route("in", "GET", "/in", accepts=(), free=True), upstream=UpstreamTarget("https://127.0.0.1/", 1.0)
        )
    )
    assert world.request("/in").status == 502


def test_a_body_over_the_cap_is_not_passed_on(world: World) -> None:
    """413, as for a paid call."""
    assert world.request("/count", method="POST", body=b"x" * (4 * 1024 * 1024 + 1)).status == 413
    assert world.upstream.runs == 0
