"""R15-R19, R22 and R24: what is delivered is charged, what is charged is delivered, and both are said truly."""

import json
from collections.abc import Callable

from tests.conformance.hostile import pays_and_never_answers, pays_and_says_pending
from tests.conformance.shop import GOODS, IDENTIFIER, Problems, Reply, Shop, offer_of, pay, problems
from tests.support.facilitator import hang_up
from tests.support.upstream import Behaviour, Handler, answers

_FAILURES: dict[str, Behaviour] = {
    "500": answers(500, b"broken"),
    "503": answers(503, b"later"),
    "302": answers(302, b"", {"Location": "/elsewhere"}),
    "304": answers(304, b""),
    "a throw": hang_up,
}


def check_R15(shop: Shop) -> Problems:
    """Not settled, and no PAYMENT-RESPONSE, when the handler fails, redirects or throws."""
    wrong: Problems = []
    for name, behaviour in _FAILURES.items():
        shop.handler.behave(behaviour)
        reply = shop.request("GET", "/cheap", payment=pay(shop))
        claims = problems(
            not_served=not reply.served,
            no_receipt="payment-response" not in reply.headers,
            not_settled=shop.settles() == 0 and shop.transactions() == 0,
        )
        wrong += [f"{name}: {claim}" for claim in claims]
    return wrong


def check_R16(shop: Shop) -> Problems:
    """A paid HEAD settles nothing: no 2xx, no /settle, no PAYMENT-RESPONSE."""
    reply = shop.request("HEAD", "/cheap", payment=pay(shop))
    return problems(
        not_served=not reply.served,
        not_settled=shop.settles() == 0,
        no_receipt="payment-response" not in reply.headers,
    )


def check_R16a(shop: Shop) -> Problems:
    """An unpaid HEAD is answered with the 402 and the offer of the GET."""
    get, head = shop.request("GET", "/cheap"), shop.request("HEAD", "/cheap")
    return problems(
        the_same_402=head.status == get.status == 402,
        the_same_offer=head.offer is not None and head.offer == get.offer,
        nothing_ran=shop.handler.runs == 0,
    )


def check_R17(shop: Shop) -> Problems:
    """A paid answer may be kept by no shared cache, whatever the handler says."""
    wrong: Problems = []
    for said in ({}, {"Cache-Control": "public, max-age=3600"}, {"Surrogate-Control": "max-age=3600"}):
        shop.handler.behave(answers(200, GOODS, said))
        reply = shop.request("GET", "/cheap", payment=pay(shop))
        control = reply.headers.get("cache-control", "").lower()
        varies = "payment-signature" in reply.headers.get("vary", "").lower()
        wrong += problems(
            served=reply.status == 200,
            private=varies or "private" in control or "no-store" in control,
            not_public="public" not in control,
        )
    return wrong


def _said_what_it_is_about(reply: Reply) -> bool:
    return bool(reply.transaction or reply.named("payment"))


def check_R18(shop: Shop) -> Problems:
    """Not served while a settlement is pending or unanswered, every refusal names it, and served once it is final."""
    wrong: Problems = []
    for settling in (pays_and_says_pending, pays_and_never_answers):
        shop.facilitator.on_settle = settling(shop.facilitator)
        before = shop.handler.runs, shop.transactions()
        payment = pay(shop, identifier=IDENTIFIER)
        shop.chain.stop_mining()
        try:
            refused = [shop.request("GET", "/cheap", payment=payment, seconds=7) for _ in range(2)]
        finally:
            shop.mine()
        served = shop.request("GET", "/cheap", payment=payment)
        claims = problems(
            not_served_while_pending=not any(reply.served for reply in refused),
            no_second_payment_is_asked_for=all(reply.offer is None for reply in refused),
            every_refusal_names_it=all(_said_what_it_is_about(reply) for reply in refused),
            served_when_final=(served.status, served.body) == (200, GOODS),
            names_the_transaction=served.transaction == shop.facilitator.sent[-1],
            ran_and_settled_once=(shop.handler.runs, shop.transactions()) == (before[0] + 1, before[1] + 1),
        )
        wrong += [f"{settling.__name__}: {claim}" for claim in claims]
    return wrong


def check_R19(shop: Shop) -> Problems:
    """An upfront offer says so and is settled before the handler runs; a flow that was not offered is refused."""
    payment = pay(shop)
    payment["accepted"]["extra"] = {**payment["accepted"]["extra"], "paymentFlow": "escrow"}
    wrong = problems(
        a_flow_that_was_not_offered_is_refused=not shop.request("GET", "/cheap", payment=payment).served,
        nothing_ran_for_it=shop.handler.runs == 0 and shop.settles() == 0,
        authorization_is_the_default=offer_of(shop)["accepts"][0]["extra"].get("paymentFlow", "authorization")
        == "authorization",
    )
    settled_by_then: list[int] = []

    def noting(handler: Handler) -> None:
        settled_by_then.append(shop.transactions())
        handler.answer(200, GOODS)

    shop.handler.behave(noting)
    offer = offer_of(shop, shop.upfront_path)
    reply = shop.request("GET", shop.upfront_path, payment=shop.sign(shop.buyer(), offer))
    return wrong + problems(
        the_offer_says_upfront=offer["accepts"][0]["extra"].get("paymentFlow") == "upfront",
        served=reply.status == 200,
        settled_before_it_ran=settled_by_then == [1],
        settled_once=shop.transactions() == 1,
    )


def check_R22(shop: Shop) -> Problems:
    """The handler's 2xx and its headers survive: 201 with Location, 202 with Content-Location."""
    wrong: Problems = []
    for status, name in ((201, "Location"), (202, "Content-Location")):
        shop.handler.behave(answers(status, GOODS, {name: "/made/1"}))
        reply = shop.request("GET", "/cheap", payment=pay(shop))
        wrong += problems(
            the_status_survives=reply.status == status,
            the_header_survives=reply.headers.get(name.lower()) == "/made/1",
            settled=bool(reply.transaction),
        )
    return wrong


_MALFORMED = ["%%%not-base64%%%", "bm90IGpzb24=", "W10=", "bnVsbA==", "ImEi"]


def check_R24(shop: Shop) -> Problems:
    """Five malformed PAYMENT-SIGNATUREs: 400 or 402 with a structured error; no 5xx, no dropped connection."""
    wrong: Problems = []
    for value in _MALFORMED:
        try:
            reply = shop.request("GET", "/cheap", header=value)
        except Exception as error:
            wrong.append(f"{value!r} is answered ({type(error).__name__})")
            continue
        claims = problems(
            is_400_or_402=reply.status in (400, 402),
            has_a_structured_error=bool(_error(reply)),
            not_served=not reply.served,
        )
        wrong += [f"{value!r} {claim}" for claim in claims]
    return wrong + problems(nothing_ran=shop.handler.runs == 0)


def _error(reply: Reply) -> object:
    try:
        return json.loads(reply.body).get("error")
    except (ValueError, AttributeError):
        return None


CHECKS: dict[str, Callable[[Shop], Problems]] = {
    "R15": check_R15,
    "R16": check_R16,
    "R16a": check_R16a,
    "R17": check_R17,
    "R18": check_R18,
    "R19": check_R19,
    "R22": check_R22,
    "R24": check_R24,
}
