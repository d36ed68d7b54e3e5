"""R0-R10: a settled payment is served once, and nothing else is, whatever /settle answers."""

from collections.abc import Callable
from functools import partial

from tests.conformance.hostile import NOT_PAID
from tests.conformance.shop import CHEAP, GOODS, Problems, Shop, pay, problems


def check_R0(shop: Shop) -> Problems:
    """An unpaid request is answered 402 with an offer that can be paid, and nothing runs."""
    reply = shop.request("GET", "/cheap")
    accepts = (reply.offer or {}).get("accepts", [{}])
    return problems(
        answered_402=reply.status == 402,
        offers_exact=accepts[0].get("scheme") == "exact" and accepts[0].get("amount") == str(CHEAP),
        names_a_network=str(accepts[0].get("network")).startswith("eip155:"),
        nothing_ran=shop.handler.runs == 0,
    )


def check_R1(shop: Shop) -> Problems:
    """A settled payment is served, and it was the facilitator that settled it."""
    reply = shop.request("GET", "/cheap", payment=pay(shop))
    return problems(
        served=(reply.status, reply.body) == (200, GOODS),
        settled_once=shop.settles() == shop.transactions() == 1,
    )


def check_R2(shop: Shop) -> Problems:
    """The same payment runs and settles once.

    The suite counts answers; ours counts what was done for them: a resend that proves itself gets the *stored* answer
    of the same settlement (R14 and R20b want that), and never a second run.
    """
    payment = pay(shop)
    first = shop.request("GET", "/cheap", payment=payment)
    again = shop.request("GET", "/cheap", payment=payment)
    return problems(
        served_first=first.status == 200,
        ran_once=shop.handler.runs == 1,
        settled_once=shop.transactions() == 1,
        refused_or_the_stored_answer=not again.served
        or (again.body == first.body and again.transaction == first.transaction),
    )


def _check_unsettled(id: str, shop: Shop) -> Problems:
    shop.facilitator.on_settle = NOT_PAID[id](shop.facilitator)
    reply = shop.request("GET", "/cheap", payment=pay(shop), seconds=7)
    return problems(
        it_was_asked_to_settle=shop.settles() >= 1,
        content_not_served=not reply.served,
        no_success_is_claimed=reply.receipt.get("success") is not True,
        no_second_payment_is_asked_for=reply.offer is None,
        no_server_error_of_its_own=reply.status != 500,
    )


def _unsettled(id: str) -> Callable[[Shop], Problems]:
    """R3-R9: not served when /settle never answers, answers an HTML 502, 503 with a success in it, a page that is no
    JSON, a truncated success, ``settlement_pending`` or ``invalid_transaction_state``, and no payment is on chain.

    The suite takes any 402; ours has to be without an offer, since a client that is offered signs again (threat 78). So
    R9 is 503 too, although the specification calls it final: a facilitator's word is no proof, and it holds the
    signature until that expires.
    """
    return partial(_check_unsettled, id)


def check_R10(shop: Shop) -> Problems:
    """The content comes with a PAYMENT-RESPONSE that decodes to the settlement."""
    payment = pay(shop)
    reply = shop.request("GET", "/cheap", payment=payment)
    receipt = reply.receipt
    return problems(
        served=reply.status == 200,
        says_success=receipt.get("success") is True,
        names_the_transaction=len(str(receipt.get("transaction"))) == 66,
        names_the_network=receipt.get("network") == payment["accepted"]["network"],
        names_the_payer=receipt.get("payer") == payment["payload"]["authorization"]["from"],
    )


def check_R20(shop: Shop) -> Problems:
    """The control of R20: the route answers 402 with an exact offer that the probe can pay."""
    return check_R0(shop) or problems(can_be_paid=shop.request("GET", "/cheap", payment=pay(shop)).status == 200)


CHECKS: dict[str, Callable[[Shop], Problems]] = {
    "R0": check_R0,
    "R1": check_R1,
    "R2": check_R2,
    **{id: _unsettled(id) for id in NOT_PAID},
    "R10": check_R10,
    "R20": check_R20,
}
