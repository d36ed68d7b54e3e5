"""Paid calls that are settled by a remote facilitator: what buyers get, whatever it does."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.facilitator import Facilitator, TimeThatIsSlept, hang_up, reply
from tests.support.odd_answers import ODD, OLD
from tests.support.upstream import Handler
from tests.support.world import ELSEWHERE, PRICE, World, body_of, receipt_of
from tollgate.payment.events import Event
from tollgate.payment.states import State

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"


@pytest.fixture
def facilitator(world: World) -> Iterator[Facilitator]:
    """A facilitator, through which the world settles."""
    made = Facilitator(world.chain)
    settle_anew(world, made)
    yield made
    made.stop()


def settle_anew(world: World, facilitator: Facilitator) -> None:
    """A settler with an empty memory, as after a cold start."""
    slept = TimeThatIsSlept(time.monotonic)
    chains = world.gateway.paid_call.parts.chains
    world.settle_through(facilitator.settler(chains, world.diary, slept.clock, slept.sleep))


def state_of(world: World, payment: dict[str, Any]) -> State:
    """The state in the ledger."""
    found = world.payment(payment)
    assert found is not None
    return found.state


def test_a_paid_call_is_settled_by_the_facilitator_and_served(world: World, facilitator: Facilitator) -> None:
    """200, the receipt names its transaction, the books are as with our own settle."""
    payment = world.sign(world.buyer(), world.offer())
    answer = world.request(payment=payment)
    assert (answer.status, answer.body) == (200, b"sunny")
    assert [receipt_of(answer)["transaction"]] == facilitator.sent
    assert world.revenue() == (PRICE, 1)
    assert world.sent() == 0
    (message,) = facilitator.posts
    assert message["x402Version"] == message["paymentPayload"]["x402Version"] == 2
    assert message["paymentPayload"]["accepted"] == message["paymentRequirements"] == world.offer()["accepts"][0]
    assert message["paymentPayload"]["payload"] == payment["payload"]
    assert message["paymentPayload"]["resource"]["url"] == "https://api.example/weather/paris"


def test_a73_the_body_is_delivered_although_the_answer_was_lost(world: World, facilitator: Facilitator) -> None:
    """The chain shows the payment, and that the facilitator sent it."""

    def pay_and_hang_up(message: dict[str, Any], handler: Handler) -> None:
        facilitator.pay(message)
        hang_up(handler)

    facilitator.on_settle = pay_and_hang_up
    answer = world.request(payment=world.sign(world.buyer(), world.offer()))
    assert (answer.status, answer.body) == (200, b"sunny")
    assert [receipt_of(answer)["transaction"]] == facilitator.sent
    assert world.upstream.runs == 1
    assert len(facilitator.posts) == 1


def test_a73_a_lie_is_503_without_offer_or_body_until_the_chain_has_decided(
    world: World, facilitator: Facilitator
) -> None:
    """success without a payment: nothing leaves, nothing is booked, and at depth it is UNPAID."""
    lie = "0x" + "0d" * 32
    facilitator.on_settle = lambda message, handler: reply(handler, facilitator.success(message, lie))
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    answer = world.request(payment=payment, seconds=7)
    assert answer.status == 503
    assert answer.header("payment-required") is None
    assert b"sunny" not in answer.body
    assert state_of(world, payment) is State.SETTLING
    assert world.revenue() == (0, 0)
    world.advance(100)
    world.chain.mine(world.chain.info.confirmations)
    world.reconcile()
    assert state_of(world, payment) is State.UNPAID
    again = world.request(payment=payment)
    assert again.status == 402
    assert body_of(again)["error"] == "authorization_expired_unused"
    assert world.revenue() == (0, 0)


# One of each kind; tests of the settler alone try them all.
KINDS = [
    "no answer",
    "502 HTML",
    "503 with success",
    "HTML",
    "success as text",
    "another payer",
    "pending without a hash",
]


def answers_with(facilitator: Facilitator, kind: str, *, pays: bool) -> Any:
    """What a facilitator does with a payment that it pays, or not, before it answers so."""

    def settle(message: dict[str, Any], handler: Handler) -> None:
        named = facilitator.pay(message) if pays else OLD
        ODD[kind][0](handler, facilitator.success(message, named))

    return settle


@pytest.mark.parametrize("kind", KINDS)
def test_a73_a76_an_odd_answer_and_no_payment_ends_refused_with_the_truth(
    world: World, facilitator: Facilitator, kind: str
) -> None:
    """No body and no offer while it is open; when the chain has decided, an offer again, and one debt row."""
    facilitator.on_settle = answers_with(facilitator, kind, pays=False)
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    answer = world.request(payment=payment, seconds=8)
    assert (answer.status, answer.header("payment-required")) == (503, None)
    assert b"sunny" not in answer.body
    world.advance(100)
    world.chain.mine(world.chain.info.confirmations)
    world.reconcile()
    assert state_of(world, payment) is State.UNPAID
    again = world.request(payment=payment)
    assert (again.status, body_of(again)["error"]) == (402, "authorization_expired_unused")
    assert again.header("payment-required") is not None
    assert world.row("DEBT", payment) is not None
    assert world.revenue() == (0, 0)
    assert world.upstream.runs == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a73_a76_an_odd_answer_and_a_payment_that_mines_later_ends_served_once(
    world: World, facilitator: Facilitator, kind: str
) -> None:
    """Nobody is told that it failed meanwhile, and nothing is paid or run a second time."""
    facilitator.on_settle = answers_with(facilitator, kind, pays=True)
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    world.chain.stop_mining()
    try:
        answer = world.request(payment=payment, seconds=8)
    finally:
        world.chain.mine_at_once()
    assert (answer.status, answer.header("payment-required")) == (503, None)
    assert b"sunny" not in answer.body
    world.chain.mine()
    settle_anew(world, facilitator)
    world.skew += 30
    world.reconcile()
    assert state_of(world, payment) is State.SETTLED
    served = world.request(payment=payment)
    assert (served.status, served.body) == (200, b"sunny")
    assert [receipt_of(served)["transaction"]] == facilitator.sent
    assert world.revenue() == (PRICE, 1)
    assert world.upstream.runs == len(facilitator.posts) == 1


def test_a_refusal_by_the_facilitator_is_not_taken_for_the_end(world: World, facilitator: Facilitator) -> None:
    """It still holds the signature: 503, no offer; when it pays after all, the same payment is served."""
    facilitator.on_settle = lambda _, handler: reply(
        handler,
        {"success": False, "errorReason": "insufficient_funds", "transaction": "", "network": str(world.network)},
    )
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    answer = world.request(payment=payment, seconds=7)
    assert answer.status == 503
    assert answer.header("payment-required") is None
    assert state_of(world, payment) is State.SETTLING
    facilitator.pay(facilitator.posts[0])
    settle_anew(world, facilitator)
    posts = len(facilitator.posts)
    world.skew += 30
    world.reconcile()
    assert state_of(world, payment) is State.SETTLED
    served = world.request(payment=payment)
    assert (served.status, served.body) == (200, b"sunny")
    assert len(facilitator.posts) == posts
    assert world.upstream.runs == 1


def test_a74_one_hash_backs_one_payment(world: World, facilitator: Facilitator) -> None:
    """The transaction of an earlier payment does not pay for a second one."""
    first = world.request(payment=world.sign(world.buyer(), world.offer()))
    assert first.status == 200
    paid = facilitator.sent[0]
    facilitator.on_settle = lambda message, handler: reply(handler, facilitator.success(message, paid))
    second = world.request(payment=world.sign(world.buyer(), world.offer()), seconds=7)
    assert second.status == 503
    assert b"sunny" not in second.body
    assert world.revenue() == (PRICE, 1)


def test_a51_a115_a_payment_that_a_stranger_submits_is_kept_for_its_payer(
    world: World, facilitator: Facilitator
) -> None:
    """The header alone gets no body once somebody else's transaction has settled it."""

    def preempted(message: dict[str, Any], handler: Handler) -> None:
        if not facilitator.used(message):
            world.submit(message["paymentPayload"])
        facilitator.honest(message, handler)

    facilitator.on_settle = preempted
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    answer = world.request(payment=payment)
    assert answer.status == 409
    assert b"sunny" not in answer.body
    assert "payment-identifier" not in body_of(answer)["error"], "which would not do"
    assert world.revenue() == (PRICE, 1)
    assert world.request(payment=payment, source=ELSEWHERE).status == 409
    assert facilitator.sent == []


def test_reconcile_settles_what_a_dead_proxy_left_behind(world: World, facilitator: Facilitator) -> None:
    """After a crash the facilitator is asked by another process, for the same payment."""
    facilitator.on_settle = lambda _, handler: hang_up(handler)
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    assert world.request(payment=payment, seconds=7).status == 503
    facilitator.on_settle = facilitator.honest
    settle_anew(world, facilitator)
    world.skew += 30
    world.reconcile()
    assert state_of(world, payment) is State.SETTLED
    assert world.request(payment=payment).body == b"sunny"
    assert len(facilitator.sent) == 1
    assert world.diary.count(Event.PAYMENT_SETTLED) == 1
