"""Two hundred threads that start together, against a DynamoDB server over HTTP: one payment, and 200 of them."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import pytest

from local.chain import Chain
from tests.support.upstream import Handler, sunny
from tests.support.world import ELSEWHERE, PAY_TO, PRICE, World, a_world, receipt_of
from tollgate.gateway.messages import Answer
from tollgate.gateway.ports import Settler
from tollgate.ledger.resends import WAITERS
from tollgate.payment.events import Event
from tollgate.payment.routes import UpstreamTarget
from tollgate.payment.settlement import Pending, SettleOutcome, SettleRequest

AT_ONCE = 200
PAYERS = 10
# An invocation has 29 s; every thread of a crowd on one small machine gets as long.
SECONDS = 29.0
IDENTIFIER = "pay_7d5d747be160e280504c099d984bcfe0"

# How many settles an operator lets run at once (SettleConcurrency): Lambda throttles the others.
SETTLES = 8

T = TypeVar("T")


@pytest.fixture
def world(aws_endpoint: str, chain: Chain) -> Iterator[World]:
    """A gateway with settle, on real servers; blocks come when there is something to mine."""
    chain.mine_at_once()
    with a_world(aws_endpoint, chain) as made:
        # However slow the machine is: nothing runs out, so that every payment can end well.
        target = UpstreamTarget(made.upstream.url + "/weather/{city}", SECONDS)
        terms = replace(made.requirements, max_timeout_seconds=600)
        made.routes[0] = made.route("weather", "GET", "/weather/{city}", upstream=target, accepts=(terms,))
        yield made


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run the calls on threads of their own that start together."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def offered(answer: Answer) -> bool:
    """Whether an answer asks for another payment."""
    return answer.header("payment-required") is not None


class Throttled:
    """A settle with reserved concurrency: whoever comes when all are busy is turned away, and asks again."""

    def __init__(self, inner: Settler) -> None:
        self._inner = inner
        self._free = threading.Semaphore(SETTLES)

    def settle(self, request: SettleRequest, timeout: float) -> SettleOutcome:
        """As FunctionSettler reads a TooManyRequestsException: nobody knows."""
        if not self._free.acquire(blocking=False):
            return Pending()
        try:
            return self._inner.settle(request, timeout)
        finally:
            self._free.release()


class Held:
    """An upstream whose one run lasts until so many others were answered: nobody has to guess how long that is."""

    def __init__(self, world: World, others: int) -> None:
        self._others = threading.Semaphore(0)
        self._count = others
        self.started = threading.Event()
        world.upstream.behave(self._behave)

    def answered(self, answer: Answer) -> Answer:
        """One more has its answer."""
        self._others.release()
        return answer

    def _behave(self, handler: Handler) -> None:
        self.started.set()
        for _ in range(self._count):
            if not self._others.acquire(timeout=SECONDS):
                return handler.answer(500, b"the others were not answered")
        return sunny(handler)


def test_a36_two_hundred_resends_at_once_are_one_run_one_transaction_and_two_hundred_truths(world: World) -> None:
    """The owner and three who wait get the answer; 196 are told at once that it is being served, and not to pay."""
    payment = world.sign(world.buyer(), world.offer(), identifier=IDENTIFIER)
    turned_away = AT_ONCE - 1 - WAITERS
    held = Held(world, turned_away)
    answers = together([lambda: held.answered(world.request(payment=payment, seconds=SECONDS)) for _ in range(AT_ONCE)])
    assert world.upstream.runs == 1
    assert world.sent() == world.diary.count(Event.SETTLEMENT_SIGNED) == 1
    assert Counter(answer.status for answer in answers) == {200: 1 + WAITERS, 503: turned_away}
    assert not any(map(offered, answers))
    served = [answer for answer in answers if answer.status == 200]
    assert {answer.body for answer in served} == {b"sunny"}
    assert len({receipt_of(answer)["transaction"] for answer in served}) == 1
    assert all(b"sunny" not in answer.body for answer in answers if answer.status != 200)
    assert world.revenue() == (PRICE, 1)
    assert world.chain.balance(str(PAY_TO)) >= PRICE


def test_a112_among_two_hundred_at_once_only_the_buyer_gets_the_body(world: World) -> None:
    """Half of them have the header without its payment-identifier: they get neither the body nor an offer."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer(), identifier=IDENTIFIER)
    copied = {**payment, "extensions": world.sign(buyer, world.offer())["extensions"]}
    # What they copy is known to others only once it was sent: the claim stands.
    first = world.request(payment=payment, seconds=SECONDS)
    assert first.status == 200
    honest = [lambda: world.request(payment=payment, seconds=SECONDS)] * (AT_ONCE // 2)
    thieves = [lambda: world.request(payment=copied, source=ELSEWHERE, seconds=SECONDS)] * (AT_ONCE // 2)
    answers = together([*honest, *thieves])
    assert [answer.status for answer in answers] == [200] * len(honest) + [409] * len(thieves)
    assert {answer.body for answer in answers[: len(honest)]} == {b"sunny"}
    assert {receipt_of(answer)["transaction"] for answer in answers[: len(honest)]} == {
        receipt_of(first)["transaction"]
    }
    assert not any(offered(answer) or b"sunny" in answer.body for answer in answers[len(honest) :])
    assert world.upstream.runs == world.sent() == 1
    assert world.revenue() == (PRICE, 1)


def test_a96_two_hundred_payments_at_once_are_in_every_book_once(world: World) -> None:
    """Ten payers, twenty payments each, one relayer: runs, transactions, receipts, log rows and revenue agree."""
    world.settle_through(Throttled(world.settles))
    payers = [world.buyer() for _ in range(PAYERS)]
    offer = world.offer()
    payments = [world.sign(payers[number % PAYERS], offer) for number in range(AT_ONCE)]
    earned = world.chain.balance(str(PAY_TO))

    def buy(payment: dict[str, object]) -> Answer:
        answer = world.request(payment=payment, seconds=SECONDS)
        while answer.status == 503:
            assert not offered(answer)
            answer = world.request(payment=payment, seconds=SECONDS)
        return answer

    answers = together([lambda payment=payment: buy(payment) for payment in payments])
    assert Counter(answer.status for answer in answers) == {200: AT_ONCE}
    assert world.upstream.runs == AT_ONCE
    transactions = [receipt_of(answer)["transaction"] for answer in answers]
    assert len(set(transactions)) == AT_ONCE == world.sent()
    receipts = [world.row("RCT", payment) for payment in payments]
    assert [receipt["transaction"] for receipt in receipts if receipt] == transactions
    assert world.revenue() == (AT_ONCE * PRICE, AT_ONCE)
    assert world.chain.balance(str(PAY_TO)) == earned + AT_ONCE * PRICE
    assert [world.chain.balance(payer.address) for payer in payers] == [100_000_000 - 20 * PRICE] * PAYERS
