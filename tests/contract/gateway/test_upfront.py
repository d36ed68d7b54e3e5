"""The upfront flow: settle first, run once, and owe back what is not delivered."""

import dataclasses
from typing import Any

import pytest

from tests.support.buyer import fresh_signature
from tests.support.upstream import answers, slowly
from tests.support.world import ELSEWHERE, PRICE, World, body_of, receipt_of
from tollgate.payment.events import Event
from tollgate.payment.record import Payment
from tollgate.payment.routes import PreviousPrice
from tollgate.payment.states import Flow, State

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"
PATH = "/report/paris"


@pytest.fixture
def upfront(world: World) -> World:
    """A world with a route that settles first."""
    settles_first = dataclasses.replace(
        world.requirements, extra={**world.requirements.extra, "paymentFlow": "upfront"}
    )
    world.routes.append(world.route("report", "GET", "/report/{city}", accepts=(settles_first,)))
    return world


def signed(world: World, **kwargs: Any) -> dict[str, Any]:
    """A payment for the report."""
    return world.sign(world.buyer(), world.offer(PATH), **kwargs)


def known(world: World, payment: dict[str, Any]) -> Payment:
    """How the ledger holds it."""
    found = world.payment(payment)
    assert found is not None
    return found


def test_a50_the_offer_says_that_it_is_settled_first(upfront: World) -> None:
    """``extra.paymentFlow``, so that a buyer can tell; the other routes leave it out."""
    assert upfront.offer(PATH)["accepts"][0]["extra"]["paymentFlow"] == "upfront"
    assert "paymentFlow" not in upfront.offer()["accepts"][0]["extra"]


def test_it_is_settled_before_the_upstream_runs_and_served_with_its_receipt(upfront: World) -> None:
    """CLAIMED, SETTLING, SETTLED, EXECUTING_PAID, FULFILLED; the money was there when the upstream was asked."""
    payment = signed(upfront)
    at_run: list[tuple[int, State]] = []

    def look(handler: Any) -> None:
        at_run.append((upfront.sent(), known(upfront, payment).state))
        handler.answer(200, b"report")

    upfront.upstream.behave(look)
    answer = upfront.request(PATH, payment=payment)
    assert (answer.status, answer.body) == (200, b"report")
    assert receipt_of(answer)["success"] is True
    assert at_run == [(1, State.EXECUTING_PAID)]
    assert upfront.revenue() == (PRICE, 1)
    history = [move.what for move in known(upfront, payment).moves]
    assert history == ["CLAIMED", "SETTLING", "SETTLED", "EXECUTING_PAID", "FULFILLED"]
    assert known(upfront, payment).claim.flow is Flow.UPFRONT


def test_a_resend_gets_the_stored_answer_and_a_copy_gets_409(upfront: World) -> None:
    """Rule 6 holds here as everywhere."""
    payment = signed(upfront, identifier=IDENTIFIER)
    first = upfront.request(PATH, payment=payment)
    again = upfront.request(PATH, payment=payment, source=ELSEWHERE)
    assert (again.status, again.body, receipt_of(again)) == (200, first.body, receipt_of(first))
    copy = upfront.request(PATH, payment=_without_identifier(payment), source=ELSEWHERE)
    assert copy.status == 409
    assert upfront.upstream.runs == 1
    assert upfront.sent() == 1


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (answers(500), "status_500"),
        (answers(404), "status_404"),
        (answers(302, headers={"Location": "/x"}), "status_302"),
        (answers(402), "status_402"),
        (slowly(6), "timeout"),
    ],
)
def test_a82_an_upstream_that_fails_after_the_payment_is_owed_back(upfront: World, behaviour: Any, why: str) -> None:
    """502 with the receipt and the refund's reference, no offer; the row stood before the answer left."""
    upfront.upstream.behave(behaviour)
    payment = signed(upfront, identifier=IDENTIFIER)
    answer = upfront.request(PATH, payment=payment, seconds=25)
    assert answer.status == 502
    assert answer.header("payment-required") is None
    assert receipt_of(answer)["success"] is True
    details = body_of(answer)["details"]
    digest = upfront.id_of(payment).digest
    assert details["refund"]["reference"] == digest
    assert details["refund"]["amount"] == str(PRICE)
    row = upfront.row("RFD", payment)
    assert row is not None
    assert (row["payer"], row["amount"], row["why"]) == (upfront.id_of(payment).payer.lower, PRICE, why)
    assert row["transaction"] == receipt_of(answer)["transaction"] == details["transaction"]
    assert upfront.diary.count(Event.PAYMENT_REFUND_DUE) == 1
    again = upfront.request(PATH, payment=payment)
    assert (again.status, body_of(again)) == (502, body_of(answer))
    assert upfront.upstream.runs == 1
    # What came in stays counted; what is owed is a row of its own.
    assert upfront.revenue() == (PRICE, 1)
    assert upfront.row("DEBT", payment) is None


def test_a_payment_that_cannot_be_settled_runs_nothing(upfront: World) -> None:
    """While settle does not answer: 503, no offer, and the upstream stays idle."""
    upfront.settler.down = True
    payment = signed(upfront)
    answer = upfront.request(PATH, payment=payment, seconds=6)
    assert answer.status == 503
    assert answer.header("payment-required") is None
    assert known(upfront, payment).state is State.SETTLING
    assert upfront.upstream.runs == 0


def test_one_that_is_proven_unpaid_leaves_no_debt(upfront: World) -> None:
    """Nothing ran, so nothing is owed to anybody; a new payment is right."""
    upfront.settler.down = True
    payment = signed(upfront)
    upfront.request(PATH, payment=payment, seconds=6)
    upfront.settler.down = False
    upfront.advance(200)
    upfront.chain.mine(upfront.chain.info.confirmations)
    upfront.reconcile()
    assert known(upfront, payment).state is State.UNPAID
    assert upfront.row("DEBT", payment) is None
    assert upfront.request(PATH, payment=payment).status == 402
    assert upfront.upstream.runs == 0


def test_a_settlement_whose_answer_was_lost_is_served_to_the_resend(upfront: World) -> None:
    """Reconcile books it; the buyer who comes back within the window gets what was paid for, once."""
    upfront.settler.lose_answers = 100
    payment = signed(upfront, identifier=IDENTIFIER)
    assert upfront.request(PATH, payment=payment, seconds=6).status == 503
    upfront.settler.lose_answers = 0
    upfront.skew += 60
    upfront.reconcile()
    assert known(upfront, payment).unserved
    assert upfront.upstream.runs == 0
    upfront.skew += 60
    stranger = upfront.request(PATH, payment=_without_identifier(payment), source=ELSEWHERE)
    assert stranger.status == 409
    assert upfront.upstream.runs == 0
    answer = upfront.request(PATH, payment=payment, source=ELSEWHERE)
    assert (answer.status, answer.body) == (200, b"sunny")
    assert upfront.request(PATH, payment=payment, source=ELSEWHERE).status == 200
    assert (upfront.upstream.runs, upfront.sent()) == (1, 1)


def test_a_resend_settles_and_serves_for_an_owner_that_died_settling(upfront: World) -> None:
    """No reconcile needed: whoever may have the answer carries it through."""
    upfront.settler.down = True
    payment = signed(upfront, identifier=IDENTIFIER)
    assert upfront.request(PATH, payment=payment, seconds=6).status == 503
    upfront.settler.down = False
    upfront.skew += 15
    answer = upfront.request(PATH, payment=payment)
    assert (answer.status, answer.body) == (200, b"sunny")
    assert (upfront.upstream.runs, upfront.sent()) == (1, 1)


def test_what_nobody_came_for_is_owed_back_after_the_window_and_not_before(upfront: World) -> None:
    """15 minutes after the settlement, by reconcile; a resend then gets the refund's reference."""
    upfront.settler.lose_answers = 100
    payment = signed(upfront, identifier=IDENTIFIER)
    upfront.request(PATH, payment=payment, seconds=6)
    upfront.settler.lose_answers = 0
    upfront.skew += 60
    upfront.reconcile()
    upfront.skew += 890
    # Looked at early, for whatever reason.
    upfront.payments.reschedule(known(upfront, payment), int(upfront.clock()))
    upfront.reconcile()
    assert known(upfront, payment).unserved
    upfront.skew += 30
    upfront.reconcile()
    assert known(upfront, payment).state is State.REFUND_DUE
    row = upfront.row("RFD", payment)
    assert row is not None
    assert row["why"] == "not_fetched"
    answer = upfront.request(PATH, payment=payment)
    assert answer.status == 502
    assert upfront.upstream.runs == 0


def test_a_payment_that_somebody_else_submitted_is_served_to_a_fresh_signature_only(upfront: World) -> None:
    """Rule 3: the claim itself may have been a copy from the mempool."""
    upfront.settler.down = True
    buyer = upfront.buyer()
    payment = upfront.sign(buyer, upfront.offer(PATH), identifier=IDENTIFIER)
    upfront.request(PATH, payment=payment, seconds=6)
    upfront.submit(payment)
    upfront.settler.down = False
    upfront.skew += 15
    refused = upfront.request(PATH, payment=payment)
    assert refused.status == 409
    assert known(upfront, payment).unserved
    assert upfront.upstream.runs == 0
    upfront.skew += 40
    shown = fresh_signature(buyer, body_of(refused)["details"]["signIn"], now=upfront.clock())
    answer = upfront.request(PATH, payment=payment, source=ELSEWHERE, sign_in_with_x=shown)
    assert (answer.status, answer.body) == (200, b"sunny")
    assert upfront.upstream.runs == 1


def test_with_too_little_time_left_nothing_runs_and_the_resend_is_served_at_once(upfront: World) -> None:
    """A run that is cut short would be owed back for want of time alone."""
    payment = signed(upfront, identifier=IDENTIFIER)
    answer = upfront.request(PATH, payment=payment, seconds=9)
    assert answer.status == 503
    assert receipt_of(answer)["success"] is True
    assert answer.header("payment-required") is None
    assert known(upfront, payment).unserved
    again = upfront.request(PATH, payment=payment)
    assert (again.status, again.body) == (200, b"sunny")
    assert upfront.upstream.runs == 1


def test_an_authorization_need_not_outlive_the_upstream(upfront: World) -> None:
    """It is used before the upstream is asked."""
    slow = dataclasses.replace(upfront.routes[-1].upstream, timeout_seconds=15.0)
    upfront.routes[-1] = dataclasses.replace(upfront.routes[-1], upstream=slow)
    payment = signed(upfront, valid_before=str(int(upfront.clock()) + 20))
    assert upfront.request(PATH, payment=payment, seconds=28).status == 200


def test_an_offer_without_the_flow_stays_what_it_was_when_the_route_changes(upfront: World) -> None:
    """A buyer who accepted the other flow is not charged before the upstream answered."""
    payment = upfront.sign(upfront.buyer(), upfront.offer())
    weather = upfront.routes[0]
    upfront.routes[0] = dataclasses.replace(
        weather,
        accepts=upfront.routes[-1].accepts,
        previous=(PreviousPrice(weather.accepts[0], int(upfront.clock()) + 60),),
    )
    upfront.upstream.behave(answers(500))
    assert upfront.request(payment=payment).status == 500
    assert known(upfront, payment).state is State.RELEASED
    assert upfront.sent() == 0


def _without_identifier(payment: dict[str, Any]) -> dict[str, Any]:
    return {**payment, "extensions": {k: v for k, v in payment["extensions"].items() if k != "payment-identifier"}}
