"""R11: each payment is bound to the request that it pays for."""

from collections.abc import Callable
from typing import Any

from tests.conformance.shop import CHEAP, PRICES, Problems, Shop, offer_of, pay, problems


def check_R11(shop: Shop) -> Problems:
    """The control: each route is served and settled once with its own payment."""
    wrong: Problems = []
    for method, pattern in PRICES:
        path = pattern.replace("{id}", "one")
        before = shop.handler.runs, shop.transactions()
        reply = shop.request(method, path, payment=pay(shop, path, method))
        if reply.status != 200 or (shop.handler.runs, shop.transactions()) != (before[0] + 1, before[1] + 1):
            wrong.append(f"{method} {path} is served and settled once")
    return wrong


def check_R11a(shop: Shop) -> Problems:
    """A payment for the cheap route is refused on the dear one, whatever it says that it accepted."""
    wrong: Problems = []
    for forged in (False, True):
        payment = pay(shop)
        if forged:
            dear = offer_of(shop, "/dear")
            payment |= {"accepted": dear["accepts"][0], "resource": dear["resource"]}
        else:
            payment.pop("resource")
        reply = shop.request("GET", "/dear", payment=payment)
        wrong += problems(not_served=not reply.served)
    return wrong + problems(nothing_ran=shop.handler.runs == 0, not_asked_to_settle=shop.settles() == 0)


def check_R11b(shop: Shop) -> Problems:
    """An altered recipient, asset or network is refused before /settle, signed for or not."""
    wrong: Problems = []
    for change in ({"payTo": "0x" + "12" * 20}, {"asset": "0x" + "36" * 20}, {"network": "eip155:8453"}):
        for signed in (False, True):
            offer = offer_of(shop)
            altered: dict[str, Any] = {**offer, "accepts": [{**offer["accepts"][0], **change}]}
            payment = shop.sign(shop.buyer(), altered if signed else offer)
            payment["accepted"] = altered["accepts"][0]
            if shop.request("GET", "/cheap", payment=payment).served:
                wrong.append(f"{next(iter(change))} altered is not served")
    return wrong + problems(nothing_ran=shop.handler.runs == 0, not_asked_to_settle=shop.settles() == 0)


def check_R11c(shop: Shop) -> Problems:
    """A payment for the cheaper method is refused on the dearer one."""
    payment = pay(shop, "/both", "GET")
    reply = shop.request("POST", "/both", payment=payment)
    return problems(
        the_methods_differ=offer_of(shop, "/both", "POST")["accepts"][0]["amount"] == str(5 * CHEAP),
        not_served=not reply.served,
        not_asked_to_settle=shop.settles() == 0,
    )


def check_R11d(shop: Shop) -> Problems:
    """A payment for the cheaper query is refused on the dearer one.

    Tollgate has one price a method and path, so there is no cheaper query; what is left to show is that both cost the
    same, and that what was bought for one does not buy the other as well.
    """
    small, large = (offer_of(shop, "/sized", query=f"size={size}") for size in "sl")
    payment = shop.sign(shop.buyer(), small)
    if shop.prices_by_query:
        reply = shop.request("GET", "/sized", query="size=l", payment=payment)
        return problems(the_queries_differ=small["accepts"] != large["accepts"], not_served=not reply.served)
    first = shop.request("GET", "/sized", query="size=s", payment=payment)
    other = shop.request("GET", "/sized", query="size=l", payment=payment)
    return problems(
        one_price=small["accepts"] == large["accepts"],
        served=first.status == 200,
        not_served_again=not other.served,
        ran_once=shop.handler.runs == 1,
    )


_ALIASES = [
    "/item/a%2Fb", "/item/a%2fb", "/item%2fone", "/item/..%2fcheap", "/item/%2e%2e/cheap", "/item/../cheap",
    "//item/one", "/item//one", "/./item/one", "/item/one%3Fx", "/item/one%23", "/item/one%5C..", "/cheap%2F",
    "/item/%252e%252e%252fcheap", "/cheap%00", "/cheap;x", "/CHEAP", "/cheap/",
]  # fmt: skip


def check_R11e(shop: Shop) -> Problems:
    """An encoded separator or a dot segment in a parameter never reaches the handler unpaid."""
    wrong: Problems = []
    for alias in _ALIASES:
        reply = shop.request("GET", alias)
        if reply.served or shop.handler.runs:
            return [f"{alias} is not served unpaid"]
        if reply.status not in (400, 402, 404):
            wrong.append(f"{alias} is priced or refused")
    return wrong


def check_R11f(shop: Shop) -> Problems:
    """Sign-in access is for the route that was settled, not for the client's ``resource.url``.

    Tollgate gives no access by signing in: a payer who shows that a payment is theirs gets that payment's answer.
    """
    buyer = shop.buyer()
    cheap, dear = offer_of(shop), offer_of(shop, "/dear")
    lying = shop.sign(buyer, cheap)
    lying["resource"] = dear["resource"]
    shop.request("GET", "/cheap", payment=lying)
    bought = shop.request("GET", "/cheap", payment=shop.sign(buyer, cheap))
    dear_again = shop.request("GET", "/dear", sign_in=shop.signed_in(buyer, "/dear"))
    own_again = shop.request("GET", "/cheap", sign_in=shop.signed_in(buyer, "/cheap"))
    return problems(
        the_honest_payment_is_served=bought.status == 200,
        the_dear_route_stays_closed=not dear_again.served,
        the_own_route_is_as_promised=own_again.served is shop.signs_in,
    )


CHECKS: dict[str, Callable[[Shop], Problems]] = {
    "R11": check_R11,
    "R11a": check_R11a,
    "R11b": check_R11b,
    "R11c": check_R11c,
    "R11d": check_R11d,
    "R11e": check_R11e,
    "R11f": check_R11f,
}
