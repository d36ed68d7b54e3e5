"""A webhook starts a workflow: it knows its payment, says its end once, and the buyer fetches what it said."""

import dataclasses
import json
from typing import Any

import pytest

from tests.support.upstream import Handler, answers
from tests.support.world import BASE_URL, ELSEWHERE, Answer, World, body_of, receipt_of
from tollgate.gateway.executions import EXECUTIONS_PATH, MAX_RESULT_BYTES
from tollgate.ledger.executions import EXECUTION_SECONDS
from tollgate.payment.events import Event
from tollgate.payment.routes import UpstreamTarget
from tollgate.payment.states import State

PATH = "/summaries"
LINK = BASE_URL + "/x402/results?token="
IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"


@pytest.fixture(params=["authorization", "upfront"])
def selling(request: pytest.FixtureRequest, world: World) -> World:
    """A world with a workflow behind a route, in either flow."""
    extra = {"paymentFlow": "upfront"} if request.param == "upfront" else {}
    terms = dataclasses.replace(world.requirements, extra={**world.requirements.extra, **extra})
    target = UpstreamTarget(world.upstream_url + "/webhook/summarize", 5.0, webhook=True)
    world.routes.append(world.route("summaries", "POST", PATH, accepts=(terms,), upstream=target))
    return world


def accepting(handler: Handler) -> None:
    """As n8n's node "Respond to Webhook" does with status 202."""
    handler.answer(202, b'{"executionId":231}', {"Content-Type": "application/json"})


def buy(world: World, **headers: str) -> tuple[dict[str, Any], Answer]:
    payment = world.sign(world.buyer(), world.offer(PATH, method="POST"), identifier=IDENTIFIER)
    return payment, world.request(PATH, method="POST", body=b"a text", payment=payment, **headers)


def started(world: World, **headers: str) -> tuple[dict[str, Any], str, str]:
    """A workflow that was started: its payment, the buyer's link, and the query of where it says its end."""
    world.upstream.behave(accepting)
    payment, answer = buy(world, **headers)
    assert (answer.status, receipt_of(answer)["success"]) == (202, True)
    link = answer.header("location") or ""
    assert link.startswith(LINK)
    (run,) = world.upstream.seen
    callback = {name.lower(): value for name, value in run[2].items()}["x-payment-callback"]
    base, _, query = callback.partition("?")
    assert base == BASE_URL + EXECUTIONS_PATH
    return payment, link.partition("?")[2], query


def say(world: World, query: str, body: bytes = b'{"summary":"short"}', **kwargs: Any) -> Answer:
    """The workflow says its end."""
    kwargs = {"method": "POST", "content_type": "application/json", "source": ELSEWHERE, **kwargs}
    return world.request(EXECUTIONS_PATH, query=query, body=body, **kwargs)


def look(world: World, link: str) -> Answer:
    """The buyer looks."""
    return world.request("/x402/results", query=link, source=ELSEWHERE)


def test_a_workflow_knows_its_payment_and_what_it_says_is_the_buyers(selling: World) -> None:
    """202 while it is at work; then the result, with the receipt; the workflow was started once."""
    payment, link, callback = started(selling)
    headers = {name.lower(): value for name, value in selling.upstream.seen[0][2].items()}
    assert headers["x-payment-id"] == selling.id_of(payment).digest
    waiting = look(selling, link)
    assert (waiting.status, body_of(waiting), waiting.header("retry-after")) == (202, {"done": False}, "5")
    assert say(selling, callback).status == 200
    result = look(selling, link)
    assert (result.status, body_of(result)) == (200, {"summary": "short"})
    assert result.header("content-type") == "application/json"
    assert receipt_of(result)["success"] is True
    again = selling.request(PATH, method="POST", body=b"a text", payment=payment)
    assert (again.status, (again.header("location") or "").partition("?")[2]) == (202, link)
    assert (selling.upstream.runs, selling.sent()) == (1, 1)
    assert selling.diary.count(Event.EXECUTION_ENDED) == 1


def test_a91_a_buyer_cannot_say_which_payment_a_workflow_is_for(selling: World) -> None:
    """Nor where it says its end: such headers of a buyer's stay behind, in any spelling."""
    payment, _, callback = started(
        selling, X_Payment_Id="theirs", X_PAYMENT_CALLBACK="https://evil.example/", x_payment_callback_url="theirs"
    )
    assert selling.id_of(payment).digest in callback
    assert "theirs" not in json.dumps(selling.upstream.seen[0][2])
    assert "evil" not in json.dumps(selling.upstream.seen[0][2])


def test_an_end_is_said_once_and_only_by_the_workflow_itself(selling: World) -> None:
    """404 for every other token, and for another's payment; the same again is 200, another end 409."""
    payment, link, callback = started(selling)
    digest = selling.id_of(payment).digest
    token = callback.rpartition("=")[2]
    for query in (
        "", f"payment={digest}", f"payment={digest}&token={'0' * 32}", f"payment={'0' * 64}&token={token}",
        f"payment={digest}&{link}", f"{callback}&x=1", f"{callback}&outcome=done",
    ):  # fmt: skip
        refused = say(selling, query)
        assert (refused.status, body_of(refused)["code"]) == (404, "unknown_execution"), query
    assert selling.request(EXECUTIONS_PATH, query=callback).status == 405
    assert say(selling, callback, b"x" * (MAX_RESULT_BYTES + 1)).status == 413
    assert look(selling, link).status == 202
    assert [say(selling, callback).status for _ in range(2)] == [200, 200]
    for other in (say(selling, callback, b"else"), say(selling, callback + "&outcome=failed")):
        assert (other.status, body_of(other)["code"]) == (409, "execution_ended")
    assert body_of(look(selling, link)) == {"summary": "short"}


def test_a_workflow_that_fails_says_so_and_the_buyer_hears_it(selling: World) -> None:
    """502 with the payment's name, and no offer; whatever it said beside that stays inside."""
    payment, link, callback = started(selling)
    assert say(selling, callback + "&outcome=failed", b"the seller's stack trace").status == 200
    failed = look(selling, link)
    assert (failed.status, body_of(failed)["code"]) == (502, "execution_failed")
    assert body_of(failed)["details"]["payment"] == selling.id_of(payment).digest
    assert b"stack trace" not in failed.body
    assert failed.header("payment-required") is None


def test_a_workflow_may_say_its_end_before_it_answers(selling: World) -> None:
    """What it is told is written down before it is asked."""
    statuses: list[int] = []

    def quick(handler: Handler) -> None:
        query = str(handler.headers["x-payment-callback"]).partition("?")[2]
        statuses.append(say(selling, query).status)
        accepting(handler)

    selling.upstream.behave(quick)
    _, answer = buy(selling)
    assert statuses == [200]
    assert body_of(look(selling, (answer.header("location") or "").partition("?")[2])) == {"summary": "short"}


def test_one_that_answers_at_once_or_names_a_place_is_served_like_any_upstream(selling: World) -> None:
    """200: the answer. 202 with a Location of its own: the link leads there."""
    selling.upstream.behave(answers(200, b"done"))
    payment, answer = buy(selling)
    assert (answer.status, answer.body) == (200, b"done")
    held = selling.payment(payment)
    assert held is not None
    assert held.state in (State.SETTLED, State.FULFILLED)
    selling.upstream.behave(answers(202, b"at it", {"Location": "/jobs/7"}))
    payment = selling.sign(selling.buyer(), selling.offer(PATH, method="POST"))
    answer = selling.request(PATH, method="POST", payment=payment)
    selling.upstream.behave(answers(200, b"the job"))
    assert look(selling, (answer.header("location") or "").partition("?")[2]).body == b"the job"
    assert selling.upstream.seen[-1][1] == "/jobs/7"


def test_a95_a_webhook_that_fails_is_asked_once_and_not_charged(world: World) -> None:
    """The payment is released, and the URL that it was told does no harm."""
    target = UpstreamTarget(world.upstream_url + "/webhook", 5.0, webhook=True)
    world.routes.append(world.route("summaries", "POST", PATH, upstream=target))
    world.upstream.behave(answers(500))
    payment, answer = buy(world)
    held = world.payment(payment)
    assert held is not None
    assert (answer.status, held.state, world.upstream.runs, world.sent()) == (500, State.RELEASED, 1, 0)


def test_after_a_day_nothing_is_taken_and_nothing_is_handed_out(selling: World) -> None:
    """404 and 410, whatever TTL has done."""
    _, link, callback = started(selling)
    selling.advance(EXECUTION_SECONDS + 1)
    assert say(selling, callback).status == 404
    assert look(selling, link).status == 410


def test_every_answer_of_an_upstream_is_counted_by_its_route_and_kind(world: World) -> None:
    """Whatever it is worth, and what was no answer by its reason."""
    for behaviour in (answers(200), answers(404), answers(302, headers={"Location": "/"})):
        world.upstream.behave(behaviour)
        world.request("/weather/paris", payment=world.sign(world.buyer(), world.offer()))
    world.upstream.stop()
    world.request("/weather/paris", payment=world.sign(world.buyer(), world.offer()))
    counted = [fields for event, fields in world.diary.events if event is Event.UPSTREAM_ANSWERED]
    assert [(fields["route"], fields["answer"]) for fields in counted] == [
        ("weather", kind) for kind in ("2xx", "4xx", "3xx", "unreachable")
    ]
    assert all(0 <= fields["took_seconds"] < 60 for fields in counted)


def test_a_plain_upstream_is_told_nothing(world: World) -> None:
    """Nothing is added to what it gets, and nothing is written."""
    world.request("/weather/paris", payment=world.sign(world.buyer(), world.offer()))
    assert not [name for name in world.upstream.seen[0][2] if name.lower().startswith("x-payment")]
