"""Buyers' software that others wrote, with its defaults, pays for a priced route of the deployed stack."""

import json
from collections.abc import Callable

import pytest
from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.support.official_clients import (
    Bought,
    post_with_httpx,
    with_fetch,
    with_fetch_v1,
    with_httpx,
    with_httpx_and_both_versions,
    with_httpx_v1,
    with_requests,
    with_requests_v1,
)

PRICE = 10_000
V1 = ("x-payment-response", "base-sepolia")
V2 = ("payment-response", "eip155:84532")
CLIENTS = [
    (with_httpx, V2),
    (with_requests, V2),
    (with_httpx_and_both_versions, V2),
    (with_fetch, V2),
    (with_fetch_v1, V1),
    (with_httpx_v1, V1),
    (with_requests_v1, V1),
]


@pytest.mark.parametrize(("client", "spoken"), CLIENTS, ids=[client.__name__ for client, _ in CLIENTS])
def test_a_client_pays_with_its_defaults(
    stack: LocalStack, buyer: LocalAccount, client: Callable[[LocalAccount, str], Bought], spoken: tuple[str, str]
) -> None:
    """402, signature, 200 with the body and, in the version that was spoken, a receipt that the chain bears out."""
    seller = stack.chain.balance(stack.pay_to)
    bought = client(buyer, f"{stack.api_url}/weather/oslo")
    assert bought.status == 200, bought
    assert bought.json["city"] == "oslo"
    assert (bought.header, bought.receipt["network"]) == spoken
    assert bought.receipt["success"] is True
    assert bought.receipt["payer"].lower() == buyer.address.lower()
    mined = stack.chain.receipt(bought.receipt["transaction"])
    assert mined is not None
    assert int(mined["status"], 16) == 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE
    assert stack.chain.balance(stack.pay_to) == seller + PRICE
    assert stack.upstream.runs["/weather/oslo"] == 1


@pytest.mark.parametrize(("client", "spoken"), CLIENTS, ids=[client.__name__ for client, _ in CLIENTS])
def test_a_client_pays_for_a_route_that_settles_first(
    stack: LocalStack, buyer: LocalAccount, client: Callable[[LocalAccount, str], Bought], spoken: tuple[str, str]
) -> None:
    """``extra.paymentFlow`` is in the offer, and stands in nobody's way."""
    bought = client(buyer, f"{stack.api_url}/report/tides")
    assert bought.status == 200, bought
    assert bought.json == {"report": "tides"}
    assert (bought.header, bought.receipt["success"]) == (spoken[0], True)
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE
    assert stack.upstream.runs["/report/tides"] == 1


@pytest.mark.parametrize("client", [with_httpx, with_requests, with_fetch, with_fetch_v1])
def test_a_client_pays_what_its_query_costs(
    stack: LocalStack, buyer: LocalAccount, client: Callable[[LocalAccount, str], Bought]
) -> None:
    """The offer that it signs is the one that its second request meets."""
    for size, price in (("small", 10_000), ("large", 90_000)):
        before = stack.chain.balance(buyer.address)
        bought = client(buyer, f"{stack.api_url}/maps/oslo?units=metric&size={size}")
        assert (bought.status, bought.json["city"]) == (200, "oslo"), bought
        assert stack.chain.balance(buyer.address) == before - price


def test_a_client_pays_what_its_body_costs(stack: LocalStack, buyer: LocalAccount) -> None:
    """It sends the same body again with the payment, and the upstream gets it."""
    for size, price in (("small", 10_000), ("large", 90_000)):
        before = stack.chain.balance(buyer.address)
        wanted = {"prompt": "a cat", "options": {"size": size}}
        bought = post_with_httpx(buyer, f"{stack.api_url}/draw", wanted)
        assert bought.status == 200, bought
        assert json.loads(bought.json["body"]) == wanted
        assert stack.chain.balance(buyer.address) == before - price
