"""Paid answers above 64 kB: kept before they are sold, delivered byte for byte, or not charged."""

import random
from typing import Any

import pytest
from botocore.config import Config

from tests.support.aws import client
from tests.support.buyer import fresh_signature
from tests.support.upstream import answers
from tests.support.world import ELSEWHERE, PRICE, World, body_of, receipt_of
from tollgate.gateway.messages import Answer
from tollgate.ledger.answers import S3Bodies
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.events import Event
from tollgate.payment.states import State

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"
MEGABYTE = random.Random(81).randbytes(1024 * 1024)
QUICK = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})


def buy(world: World, body: bytes = MEGABYTE, seconds: float = 12.0) -> tuple[dict[str, Any], Answer]:
    """Pay once for this body."""
    world.upstream.behave(answers(200, body, {"Content-Type": "image/png", "ETag": '"1"'}))
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    return payment, world.request(payment=payment, seconds=seconds)


def key_of(world: World, payment: dict[str, Any]) -> str:
    """Where a payment's body is."""
    return f"answers/{world.id_of(payment).digest}/1"


def unplug(world: World) -> None:
    """S3 answers nobody from now on."""
    dead = client("s3", "http://127.0.0.1:9", QUICK)
    world.payments = PaymentsLedger(world.table, S3Bodies(lambda: dead, world.bucket))
    world.gateway = world.make_gateway()


def test_a81_a_megabyte_is_sold_once_and_resent_byte_for_byte(world: World) -> None:
    """One run, one settlement; the resend, from anywhere with the identifier, is what the first answer was."""
    payment, first = buy(world)
    assert (first.status, first.body == MEGABYTE) == (200, True)
    again = world.request(payment=payment, source=ELSEWHERE)
    assert (again.status, again.body == MEGABYTE) == (200, True)
    assert again.header("content-type") == "image/png"
    assert receipt_of(again) == receipt_of(first)
    assert again.header("cache-control") == "private, no-store"
    assert (world.upstream.runs, world.sent(), world.revenue()) == (1, 1, (PRICE, 1))


def test_an_offer_and_a_small_answer_make_no_s3_client(world: World) -> None:
    """It is made when the first big answer needs it, and only then."""
    world.request()
    payment, first = buy(world, b"small")
    assert (first.status, world.request(payment=payment).status) == (200, 200)
    assert world.s3_clients == 0
    buy(world)
    buy(world)
    assert world.s3_clients == 1


def test_a81_an_answer_that_cannot_be_kept_is_502_and_not_charged(world: World) -> None:
    """S3 is down when the answer is to be put: the upstream ran, the payment is released, nothing names an object."""
    unplug(world)
    payment, answer = buy(world)
    assert (answer.status, body_of(answer)["details"]) == (502, {"why": "answer_not_kept"})
    assert answer.header("payment-required") is None
    assert answer.header("payment-response") is None
    released = world.payment(payment)
    assert released is not None
    assert released.state is State.RELEASED
    assert world.row("ANS", payment) is None
    assert (world.sent(), world.settler.calls) == (0, 0)
    assert world.diary.count(Event.ANSWER_UNAVAILABLE) == 1
    assert body_of(world.request(payment=payment))["error"] == "payment_released"


def test_a81_a_settled_answer_that_cannot_be_read_is_503_with_its_receipt_and_no_offer(world: World) -> None:
    """It was paid: never 410 while nobody knows, never an offer; and the outage costs the buyer no proof."""
    payment, first = buy(world)
    working = world.payments
    unplug(world)
    answer = world.request(payment=payment, source=ELSEWHERE)
    assert (answer.status, body_of(answer)["code"]) == (503, "answer_unavailable")
    assert receipt_of(answer) == receipt_of(first)
    assert answer.header("retry-after") is not None
    assert answer.header("payment-required") is None
    world.payments = working
    world.gateway = world.make_gateway()
    assert world.request(payment=payment, source=ELSEWHERE).body == MEGABYTE


def test_an_outage_spends_neither_a_fresh_signature_nor_a_resend_by_address(world: World) -> None:
    """What works once, or three times, is counted when the body leaves."""
    world.upstream.behave(answers(200, MEGABYTE))
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer())
    assert world.request(payment=payment).status == 200
    how = body_of(world.request(payment=payment, source=ELSEWHERE))["details"]["signIn"]
    shown = fresh_signature(buyer, how, now=world.clock())
    working = world.payments
    unplug(world)
    assert world.request(payment=payment, source=ELSEWHERE, sign_in_with_x=shown).status == 503
    assert [world.request(payment=payment).status for _ in range(4)] == [503] * 4
    world.payments = working
    world.gateway = world.make_gateway()
    assert world.request(payment=payment, source=ELSEWHERE, sign_in_with_x=shown).status == 200
    assert [world.request(payment=payment).status for _ in range(4)] == [200, 200, 200, 409]


@pytest.mark.parametrize("altered", [True, False])
def test_a81_an_altered_or_missing_object_is_410_and_never_another_body(world: World, altered: bool) -> None:
    """With a sentence, the receipt and an event for the operator; no offer."""
    payment, first = buy(world)
    if altered:
        world.s3().put_object(Bucket=world.bucket, Key=key_of(world, payment), Body=MEGABYTE[::-1])
    else:
        world.s3().delete_object(Bucket=world.bucket, Key=key_of(world, payment))
    answer = world.request(payment=payment)
    assert (answer.status, body_of(answer)["code"]) == (410, "answer_lost")
    assert "Ask the seller" in body_of(answer)["error"]
    assert receipt_of(answer) == receipt_of(first)
    assert answer.header("payment-required") is None
    assert [fields["why"] for event, fields in world.diary.events if event is Event.ANSWER_LOST] == [
        "altered" if altered else "missing"
    ]


def test_a81_a_big_answer_whose_owner_died_in_settling_is_delivered_by_whoever_resumes(world: World) -> None:
    """The answer was kept before settle was asked, so that a resend finds it."""
    world.settler.down = True
    payment, first = buy(world, seconds=6.5)
    assert first.status == 503
    world.settler.down = False
    world.advance(20)
    again = world.request(payment=payment, source=ELSEWHERE)
    assert (again.status, again.body == MEGABYTE) == (200, True)
    assert (world.upstream.runs, world.revenue()) == (1, (PRICE, 1))


@pytest.mark.parametrize("status", [200, 500])
def test_a93_what_lambda_cannot_return_is_502_and_not_charged(world: World, status: int) -> None:
    """5 MB of goods, or of an error page that would be passed through."""
    world.upstream.behave(answers(status, bytes(5_000_000)))
    payment = world.sign(world.buyer(), world.offer())
    answer = world.request(payment=payment)
    assert (answer.status, body_of(answer)["code"]) == (502, "upstream_unusable")
    assert (world.sent(), world.s3_clients) == (0, 0)
    released = world.payment(payment)
    assert released is not None
    assert released.state is State.RELEASED


def test_a93_headers_that_api_gateway_refuses_are_502_and_not_charged(world: World) -> None:
    """Its quota is 10,240 bytes, the receipt's included."""
    world.upstream.behave(answers(200, b"fine", {f"X-{n}": "v" * 900 for n in range(10)}))
    answer = world.request(payment=world.sign(world.buyer(), world.offer()))
    assert (answer.status, body_of(answer)["details"]) == (502, {"why": "answer_too_large"})
    assert world.sent() == 0


def test_a_second_payment_is_not_charged_while_the_store_of_the_firsts_answer_is_down(world: World) -> None:
    """503 after settlement is a 503 too: who signs again gets the first one's answer, once it can be read."""
    world.upstream.behave(answers(200, MEGABYTE))
    buyer = world.buyer()
    first, second = world.sign(buyer, world.offer(), identifier=IDENTIFIER), world.sign(buyer, world.offer())
    assert world.request(payment=first).status == 200
    working = world.payments
    unplug(world)
    assert world.request(payment=first, source=ELSEWHERE).status == 503
    assert world.request(payment=second, source=ELSEWHERE).status == 503
    world.payments = working
    world.gateway = world.make_gateway()
    assert world.request(payment=second, source=ELSEWHERE).body == MEGABYTE
    assert world.payment(second) is None
    assert (world.upstream.runs, world.sent(), world.revenue()) == (1, 1, (PRICE, 1))
