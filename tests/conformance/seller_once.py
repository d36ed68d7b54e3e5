"""R12-R14, R20a, R20b and R23: one purchase is charged once, in parallel, on replicas, after a crash, on a retry."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.conformance.shop import GOODS, IDENTIFIER, Problems, Reply, Shop, offer_of, pay, problems
from tests.support.facilitator import Facilitator, reply
from tests.support.upstream import Handler

AT_ONCE = 8


def _fresh(shop: Shop, count: int) -> list[dict[str, Any]]:
    """Payments of one payer under one identifier, each with a nonce of its own."""
    buyer, offer = shop.buyer(), offer_of(shop)
    return [shop.sign(buyer, offer, identifier=IDENTIFIER) for _ in range(count)]


def _at_once(shops: Sequence[Shop], payments: Sequence[dict[str, Any]]) -> list[Reply]:
    start = threading.Barrier(len(payments))

    def send(index: int) -> Reply:
        start.wait()
        return shops[index % len(shops)].request("GET", "/cheap", payment=payments[index], seconds=20)

    with ThreadPoolExecutor(len(payments)) as pool:
        return list(pool.map(send, range(len(payments))))


def _one_purchase(shop: Shop, replies: Sequence[Reply]) -> Problems:
    served = [reply for reply in replies if reply.served]
    return problems(
        ran_once=shop.handler.runs == 1,
        settled_once=shop.transactions() == 1,
        somebody_is_served=bool(served),
        whoever_is_served_is_told_of_the_one_settlement=len({reply.transaction for reply in served}) == 1,
        nobody_is_asked_to_pay_again=all(reply.offer is None for reply in replies),
    )


def check_R12(shop: Shop) -> Problems:
    """Eight requests at once with one payment-identifier, each with a fresh payment: one is settled."""
    return _one_purchase(shop, _at_once([shop], _fresh(shop, AT_ONCE)))


def check_R13(shop: Shop) -> Problems:
    """One payment-identifier over two replicas, one after the other and then at once: one is settled."""
    other = shop.replica()
    first, second, *rest = _fresh(shop, 6)
    replies = [shop.request("GET", "/cheap", payment=first), other.request("GET", "/cheap", payment=second)]
    return _one_purchase(shop, replies + _at_once([shop, other], rest))


def check_R14(shop: Shop) -> Problems:
    """Killed between a settled /settle and the answer, and again as the answer starts: the same payment then is
    delivered from the record, or refused naming the transaction or the payment, and never charged or offered again."""
    wrong: Problems = []
    for moment in ("settled", "answering"):
        before = shop.transactions()
        payment = pay(shop, identifier=IDENTIFIER)
        shop.dies(moment, "GET", "/cheap", payment)
        shop.restart()
        reply = shop.request("GET", "/cheap", payment=payment)
        named = reply.transaction or reply.named("payment")
        claims = problems(
            charged_once=shop.transactions() == before + 1,
            no_second_payment_is_asked_for=reply.offer is None,
            delivered_or_named=reply.body == GOODS or bool(named),
        )
        wrong += [f"{moment}: {claim}" for claim in claims]
    return wrong + problems(each_ran_once=shop.handler.runs == 2)


class _Slow:
    """A facilitator that has paid and takes its time to say so."""

    def __init__(self, facilitator: Facilitator) -> None:
        self._facilitator = facilitator
        self.paid, self.may_answer = threading.Event(), threading.Event()

    def __call__(self, message: dict[str, Any], handler: Handler) -> None:
        if not self._facilitator.sent:
            transaction = self._facilitator.pay(message)
            self.paid.set()
            self.may_answer.wait(1.0)
            reply(handler, self._facilitator.success(message, transaction))
        else:
            self._facilitator.honest(message, handler)


def _retried(shop: Shop, first: dict[str, Any], retry: dict[str, Any]) -> tuple[Reply, Reply, Reply]:
    """A client that gave up before /settle answered: what it lost, what its retry got, and what a later one gets."""
    slow = _Slow(shop.facilitator)
    shop.facilitator.on_settle = slow
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(shop.request, "GET", "/cheap", payment=first, seconds=20)
        assert slow.paid.wait(10), "the facilitator was never asked"
        early = shop.request("GET", "/cheap", payment=retry, seconds=4)
        slow.may_answer.set()
        answered = lost.result()
    return answered, early, shop.request("GET", "/cheap", payment=retry)


def check_R20a(shop: Shop) -> Problems:
    """A retry with a fresh payment under the same payment-identifier is not charged.

    The suite wants the earlier result for it; the extension's specification says 409 for another payload under a used
    id, and so do we: the payment that was settled is resent, not replaced (threats 27 and 38).
    """
    first, retry = _fresh(shop, 2)
    return _one_purchase(shop, _retried(shop, first, retry))


def check_R20b(shop: Shop) -> Problems:
    """A retry that resends the same signed payment is settled once and gets the original result."""
    (payment,) = _fresh(shop, 1)
    answered, early, later = _retried(shop, payment, payment)
    return _one_purchase(shop, (answered, early, later)) + problems(
        the_original_result=(later.status, later.body, later.transaction)
        == (answered.status, answered.body, answered.transaction)
        and later.status == 200
    )


def check_R23(shop: Shop) -> Problems:
    """A client that is gone while /settle is in flight is charged once, and its resend gets the settled result."""
    payment = pay(shop, identifier=IDENTIFIER)
    shop.request("GET", "/cheap", payment=payment, hung_up=True)
    again = shop.request("GET", "/cheap", payment=payment)
    charged = shop.transactions()
    return problems(
        charged_at_most_once=charged <= 1,
        the_settled_result=charged == 0 or (again.status, again.body) == (200, GOODS),
        ran_once=shop.handler.runs == 1,
    )


CHECKS: dict[str, Callable[[Shop], Problems]] = {
    "R12": check_R12,
    "R13": check_R13,
    "R14": check_R14,
    "R20a": check_R20a,
    "R20b": check_R20b,
    "R23": check_R23,
}
