"""A page from another origin buys something: by the Fetch standard, and in a real browser."""

import json
import secrets

import pytest
from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.support import browser_cors
from tests.support.browser import run_page
from tests.support.browser_cors import Seen
from tests.support.buyer import decode, encode, sign

SHOP = "https://shop.example"
# What the official browser client sends with its payment, besides the payment.
ADDED = {"Access-Control-Expose-Headers": "PAYMENT-RESPONSE,X-PAYMENT-RESPONSE"}
SCRIPT = """
const url = %s;
const unpaid = await fetch(url);
const payment = await (await fetch("/sign", {method: "POST", body: unpaid.headers.get("PAYMENT-REQUIRED")})).text();
const paid = await fetch(url, {headers: {"PAYMENT-SIGNATURE": payment, ...%s}});
const receipt = paid.headers.get("PAYMENT-RESPONSE");
const again = await fetch(url, {headers: {"PAYMENT-SIGNATURE": payment, ...%s}});
return {unpaid: unpaid.status, paid: paid.status, receipt, body: await paid.json(),
        again: again.headers.get("PAYMENT-RESPONSE"), hidden: paid.headers.get("apigw-requestid")};
"""


def pay(buyer: LocalAccount, offer: str) -> str:
    """PAYMENT-SIGNATURE for a PAYMENT-REQUIRED."""
    return encode(sign(buyer, decode(offer), identifier=f"pay_{secrets.token_hex(16)}"))


@pytest.mark.parametrize("reaches_function", [False, True])
def test_a31_a_page_pays_by_the_rules_of_the_fetch_standard(
    stack: LocalStack, buyer: LocalAccount, reaches_function: bool
) -> None:
    """Offer, payment and receipt, whether API Gateway answers preflights or hands them to the proxy."""
    stack.front.preflights_reach_functions = reaches_function
    try:
        url = f"{stack.api_url}/weather/oslo"
        unpaid = browser_cors.fetch(SHOP, url)
        assert unpaid.status == 402
        sent = {"PAYMENT-SIGNATURE": pay(buyer, unpaid.headers["payment-required"]), **ADDED}
        paid = browser_cors.fetch(SHOP, url, headers=sent)
    finally:
        stack.front.preflights_reach_functions = False
    assert (paid.status, json.loads(paid.body)["city"]) == (200, "oslo")
    assert decode(paid.headers["payment-response"])["success"] is True
    assert stack.upstream.runs["/weather/oslo"] == 1


def test_a31_a_page_in_a_real_browser_pays(stack: LocalStack, buyer: LocalAccount) -> None:
    """Chromium's own CORS: it sends the payment, and shows the page the offer and the receipt."""
    added = json.dumps(ADDED)
    url = json.dumps(f"{stack.api_url}/weather/rome")
    _, seen = run_page(SCRIPT % (url, added, added), sign=lambda offer: pay(buyer, offer))
    assert (seen["unpaid"], seen["paid"], seen["body"]["city"]) == (402, 200, "rome")
    assert decode(seen["receipt"])["success"] is True
    assert seen["again"] == seen["receipt"]
    assert seen["hidden"] is None
    assert stack.upstream.runs["/weather/rome"] == 1


@pytest.mark.parametrize("path", ["/weather/oslo", "/no-such-route", "/x402/anything", "/"])
@pytest.mark.parametrize("header", ["PAYMENT-SIGNATURE", "X-PAYMENT", "SIGN-IN-WITH-X", "Content-Type"])
def test_a31_every_header_of_x402_passes_a_preflight_everywhere(stack: LocalStack, path: str, header: str) -> None:
    """Errors too are for the page to read."""
    value = "application/json" if header == "Content-Type" else "e30="
    seen: Seen = browser_cors.fetch(SHOP, stack.api_url + path, headers={header: value})
    assert seen.status in (400, 402, 404)
    assert not stack.upstream.runs


def test_a31_no_page_gets_credentials(stack: LocalStack) -> None:
    """There are no cookies here; a page that insists is told so by its browser."""
    with pytest.raises(browser_cors.NetworkError):
        browser_cors.fetch(SHOP, f"{stack.api_url}/weather/oslo", credentials=True)
