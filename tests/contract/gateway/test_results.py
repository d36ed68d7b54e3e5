"""A slow upstream answers 202 with a Location, and the buyer fetches the paid result under a link."""

import dataclasses
from typing import Any

import pytest

from tests.support.upstream import Handler, answers
from tests.support.world import BASE_URL, ELSEWHERE, Answer, World, body_of, receipt_of
from tollgate.payment.record import Payment
from tollgate.payment.routes import UpstreamHeader, UpstreamTarget
from tollgate.payment.states import State
from tollgate.wire.primitives import Address

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"
PATH = "/report/paris"
LINK = BASE_URL + "/x402/results?token="


class Job:
    """An upstream that takes its time: 202 until it is ``done``."""

    def __init__(self, location: str = "/jobs/7?part=all") -> None:
        self.location = location
        self.done = False

    def __call__(self, handler: Handler) -> None:
        if handler.path.startswith("/report"):
            handler.answer(202, b"at it", {"Location": self.location, "Retry-After": "5"})
        elif handler.path == "/jobs/7?part=all" and self.done:
            handler.answer(200, b"the report", {"ETag": '"v1"', "Set-Cookie": "session=1"})
        elif handler.path == "/jobs/7?part=all":
            handler.answer(202, b"still at it", {"Retry-After": "5"})
        else:
            handler.answer(404, b"no such job")


@pytest.fixture(params=["authorization", "upfront"])
def selling(request: pytest.FixtureRequest, world: World) -> World:
    """A world with a route whose upstream takes its time, in either flow."""
    extra = {"paymentFlow": "upfront"} if request.param == "upfront" else {}
    terms = dataclasses.replace(world.requirements, extra={**world.requirements.extra, **extra})
    world.routes.append(world.route("report", "GET", "/report/{city}", accepts=(terms,)))
    return world


def bought(world: World, job: Any) -> tuple[dict[str, Any], Answer]:
    world.upstream.behave(job)
    payment = world.sign(world.buyer(), world.offer(PATH), identifier=IDENTIFIER)
    answer = world.request(PATH, payment=payment)
    assert answer.status == 202
    assert receipt_of(answer)["success"] is True
    return payment, answer


def link_of(answer: Answer) -> str:
    location = answer.header("location")
    assert location is not None
    assert location.startswith(LINK)
    return location.removeprefix(BASE_URL)


def follow(world: World, link: str, **kwargs: Any) -> Answer:
    path, _, query = link.partition("?")
    return world.request(path, query=query, **kwargs)


def test_a_paid_result_is_fetched_under_a_link_without_paying_again(selling: World) -> None:
    """202 while the upstream is at it, then the result; from anywhere, and for whoever has the link."""
    job = Job()
    payment, answer = bought(selling, job)
    waiting = follow(selling, link_of(answer), source=ELSEWHERE)
    assert (waiting.status, waiting.body, waiting.header("retry-after")) == (202, b"still at it", "5")
    job.done = True
    result = follow(selling, link_of(answer))
    assert (result.status, result.body, result.header("etag")) == (200, b"the report", '"v1"')
    assert result.header("set-cookie") is None
    assert result.header("cache-control") == "private, no-store"
    assert receipt_of(result)["transaction"] == receipt_of(answer)["transaction"]
    again = selling.request(PATH, payment=payment)
    assert (again.status, link_of(again)) == (202, link_of(answer))
    assert selling.sent() == 1


def test_a_link_is_not_fetched_with_the_secrets_of_who_took_over_its_routes_id(selling: World) -> None:
    """On one host, of which many sell a part: the id is another owner's by now, and so is the key."""
    job = Job()
    _, answer = bought(selling, job)
    job.done = True
    route = selling.routes[-1]
    assert isinstance(route.upstream, UpstreamTarget)
    keyed = dataclasses.replace(route.upstream, headers=(UpstreamHeader("x-key", secret="theirs"),))
    for owner, sent in ((None, "theirs"), (Address(b"\xbb" * 20), None)):
        selling.routes[-1] = dataclasses.replace(route, upstream=keyed, owner=owner)
        selling.skew += 31
        assert follow(selling, link_of(answer)).status == 200
        headers = {name.lower(): value for name, value in selling.upstream.seen[-1][2].items()}
        assert headers.get("x-key") == sent


def test_a_link_that_nobody_was_given_leads_nowhere(selling: World) -> None:
    """404, whatever is tried; the upstream is not asked; and only GET."""
    _, answer = bought(selling, Job())
    runs = selling.upstream.runs
    token = link_of(answer).partition("=")[2]
    for query in ("", "token=", f"token={'0' * 32}", f"token={token[:-1]}", f"token={token}&x=1", f"x={token}"):
        refused = selling.request("/x402/results", query=query)
        assert (refused.status, body_of(refused)["code"]) == (404, "unknown_result"), query
        assert refused.header("payment-required") is None
    assert selling.request("/x402/results", query=f"token={token}", method="POST").status == 405
    assert selling.upstream.runs == runs


def test_only_the_hash_of_a_token_is_a_key(selling: World) -> None:
    """Whoever reads the table's keys holds no link."""
    _, answer = bought(selling, Job())
    token = link_of(answer).partition("=")[2]
    assert len(token) == 32
    items = selling.table._client.scan(TableName=selling.table._name)["Items"]
    assert any(item["pk"]["S"].startswith("RES#") for item in items)
    assert not any(token in item["pk"]["S"] for item in items)


@pytest.mark.parametrize(
    "location", ["https://elsewhere.example/jobs/7", "//elsewhere.example/x", "http://127.0.0.1:9/x", "/a%2Fb", "/{x}"]
)
def test_a87_a_location_elsewhere_is_never_fetched_by_us(selling: World, location: str) -> None:
    """It passes as it is: the link leads to the upstream's own origin, or there is none."""
    _, answer = bought(selling, Job(location))
    assert answer.header("location") == location


@pytest.mark.parametrize("behaviour", [answers(302, headers={"Location": "/x"}), answers(402), answers(206)])
def test_what_cannot_be_delivered_under_a_link_is_502_and_no_offer(selling: World, behaviour: Any) -> None:
    """A redirect is never followed, and the upstream's own 402 never passes for one of ours."""
    _, answer = bought(selling, Job())
    selling.upstream.behave(behaviour)
    refused = follow(selling, link_of(answer))
    assert refused.status == 502
    assert body_of(refused)["code"] == "result_unavailable"
    assert refused.header("payment-required") is None


def test_a_link_is_good_for_a_day(selling: World) -> None:
    """Then 410, whatever TTL has deleted."""
    _, answer = bought(selling, Job())
    selling.skew += 86_401
    assert follow(selling, link_of(answer)).status == 410


def test_a_link_opens_nothing_while_its_payment_is_not_settled(selling: World) -> None:
    """As after a reorganisation: 503, and no offer."""
    payment, answer = bought(selling, Job())
    known = selling.payment(payment)
    assert isinstance(known, Payment)
    reversed_ = selling.books.reverse(known, int(selling.clock()))
    assert reversed_.state is State.REVERSED
    runs = selling.upstream.runs
    waiting = follow(selling, link_of(answer))
    assert waiting.status == 503
    assert waiting.header("payment-required") is None
    assert selling.upstream.runs == runs
