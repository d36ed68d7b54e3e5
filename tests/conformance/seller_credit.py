"""F6 and F9: what a seller credits when its facilitator's transport breaks."""

from collections.abc import Callable

from tests.conformance.hostile import NOT_PAID, never_answers
from tests.conformance.shop import GOODS, IDENTIFIER, Problems, Shop, pay, problems


def check_F6(shop: Shop) -> Problems:
    """A timeout or an error page of the facilitator's is not credited."""
    wrong: Problems = []
    for behaviour in (never_answers, NOT_PAID["R4"]):
        shop.facilitator.on_settle = behaviour(shop.facilitator)
        reply = shop.request("GET", "/cheap", payment=pay(shop), seconds=7)
        wrong += problems(not_credited=not reply.served and reply.receipt.get("success") is not True)
    return wrong + problems(it_was_asked=shop.settles() >= 2)


def check_F9(shop: Shop) -> Problems:
    """A 503, a page that is no JSON and a truncated answer are never credited; a retry then credits exactly once."""
    payment = pay(shop, identifier=IDENTIFIER)
    wrong: Problems = []
    for mode in ("R5", "R6", "R7"):
        shop.facilitator.on_settle = NOT_PAID[mode](shop.facilitator)
        reply = shop.request("GET", "/cheap", payment=payment, seconds=7)
        wrong += problems(broken_is_not_credited=not reply.served, no_second_payment=reply.offer is None)
        shop.restart()
    shop.facilitator.on_settle = shop.facilitator.honest
    retries = [shop.request("GET", "/cheap", payment=payment) for _ in range(2)]
    return wrong + problems(
        the_retry_is_credited=(retries[0].status, retries[0].body) == (200, GOODS),
        once=shop.transactions() == 1 and shop.handler.runs == 1,
        a_second_retry_is_the_same=not retries[1].served or retries[1].transaction == retries[0].transaction,
    )


CHECKS: dict[str, Callable[[Shop], Problems]] = {"F6": check_F6, "F9": check_F9}
