"""Sellers on the official SDK's server middleware verify and settle at our facilitator, with a bearer key."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from eth_account import Account
from eth_account.signers.local import LocalAccount

from local.rpc_gate import SEND, Act
from local.stack import LocalStack
from tests.interop.sellers import PAY_TO, PRICE, add_seller
from tests.support.buyer import decode, encode, sign
from tests.support.official import Seller
from tests.support.official_clients import with_fetch, with_httpx


@pytest.fixture(scope="module")
def key(deployed_stack: LocalStack) -> str:
    """The key that both shops use."""
    deployed_stack.reconcile()
    return add_seller(deployed_stack)


def _shop(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory, framework: str, key: str) -> Seller:
    return Seller(
        stack.chain,
        tmp_path_factory.mktemp(framework),
        facilitator=f"{stack.api_url}/x402/facilitator",
        key=key,
        pay_to=PAY_TO,
        framework=framework,
    )


@pytest.fixture(scope="module")
def fastapi_shop(deployed_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory, key: str) -> Iterator[Seller]:
    """On the ASGI middleware."""
    shop = _shop(deployed_stack, tmp_path_factory, "fastapi", key)
    try:
        shop.start()
        yield shop
    finally:
        shop.stop()


@pytest.fixture(scope="module")
def flask_shop(deployed_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory, key: str) -> Iterator[Seller]:
    """On the WSGI middleware."""
    shop = _shop(deployed_stack, tmp_path_factory, "flask", key)
    try:
        shop.start()
        yield shop
    finally:
        shop.stop()


@pytest.fixture(scope="module")
def keyless_shop(deployed_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory, key: str) -> Iterator[Seller]:
    """Somebody who never got a key."""
    shop = _shop(deployed_stack, tmp_path_factory, "fastapi", "")
    try:
        shop.start()
        yield shop
    finally:
        shop.stop()


@pytest.mark.parametrize(
    ("framework", "client"), [("fastapi", with_httpx), ("flask", with_httpx), ("fastapi", with_fetch)]
)
def test_an_official_server_sells_through_our_facilitator(
    stack: LocalStack,
    buyer: LocalAccount,
    request: pytest.FixtureRequest,
    framework: str,
    client: Callable[[LocalAccount, str], Any],
) -> None:
    """verify, handler, settle: the body, a receipt, and one transaction of our relayer's to the seller's address."""
    shop: Seller = request.getfixturevalue(f"{framework}_shop")
    before, runs = stack.chain.balance(PAY_TO), shop.runs("oslo")
    settlements = len(stack.rows(stack.deployed.settlements_table))
    payments = stack.rows(stack.deployed.payments_table)
    bought = client(buyer, f"{shop.url}/report/oslo")
    assert (bought.status, bought.json) == (200, {"report": "oslo"}), bought
    assert (bought.receipt["success"], bought.receipt["network"]) == (True, "eip155:84532")
    assert bought.receipt["payer"].lower() == buyer.address.lower()
    mined = stack.chain.receipt(bought.receipt["transaction"])
    assert mined is not None
    assert (int(mined["status"], 16), mined["from"].lower()) == (1, stack.relayer.lower())
    assert stack.chain.balance(PAY_TO) == before + PRICE
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE
    assert shop.runs("oslo") == runs + 1
    assert len(stack.rows(stack.deployed.settlements_table)) > settlements
    assert stack.rows(stack.deployed.payments_table) == payments


def _pay(shop: Seller, city: str, payment: dict[str, Any]) -> requests.Response:
    url = f"{shop.url}/report/{city}"
    return requests.get(url, headers={"PAYMENT-SIGNATURE": encode(payment)}, timeout=60)


def _offer(shop: Seller, city: str) -> dict[str, Any]:
    return decode(requests.get(f"{shop.url}/report/{city}", timeout=60).headers["PAYMENT-REQUIRED"])


WRONG: dict[str, dict[str, Any]] = {
    "invalid_exact_evm_payload_authorization_value_mismatch": {"value": str(PRICE - 1)},
    "invalid_exact_evm_payload_recipient_mismatch": {"to": "0x000000000000000000000000000000000000dEaD"},
    "invalid_exact_evm_payload_authorization_valid_before": {"validBefore": "1700000000"},
    "invalid_exact_evm_payload_authorization_valid_after": {"validAfter": "4000000000", "validBefore": "4000000300"},
    "invalid_exact_evm_payload_signature": {},
    "insufficient_funds": {},
}


@pytest.mark.parametrize("reason", WRONG)
def test_a_wrong_payment_is_refused_with_our_reason(
    stack: LocalStack, buyer: LocalAccount, fastapi_shop: Seller, reason: str
) -> None:
    """The official server hands our reason to the buyer; its handler does not run and nothing is broadcast."""
    runs = fastapi_shop.runs("rome")
    payer = Account.create() if reason == "insufficient_funds" else buyer
    payment = sign(payer, _offer(fastapi_shop, "rome"), **WRONG[reason])
    if reason == "invalid_exact_evm_payload_signature":
        payment["payload"]["authorization"]["nonce"] = "0x" + "11" * 32
    answer = _pay(fastapi_shop, "rome", payment)
    assert answer.status_code == 402
    assert decode(answer.headers["PAYMENT-REQUIRED"])["error"] == reason
    assert fastapi_shop.runs("rome") == runs
    assert stack.gate.broadcasts == []


def test_a61_a_seller_without_a_key_gets_nothing(stack: LocalStack, buyer: LocalAccount, keyless_shop: Seller) -> None:
    """The official server takes our 401 for a payment that does not verify: nobody is served, nobody pays."""
    # Reconcile's minute may fall into one of three, not into each.
    for _ in range(3):
        stack.gate.clear()
        answer = _pay(keyless_shop, "bern", sign(buyer, _offer(keyless_shop, "bern")))
        assert answer.status_code == 402
        assert "(401)" in decode(answer.headers["PAYMENT-REQUIRED"])["error"]
        assert keyless_shop.runs("bern") == 0
        if not stack.gate.calls:
            break
    assert stack.gate.calls == {}
    assert stack.chain.balance(buyer.address) == 100_000_000


def test_a_resend_to_an_official_server_is_refused_and_costs_nothing(
    stack: LocalStack, buyer: LocalAccount, fastapi_shop: Seller
) -> None:
    """It keeps no answers and verifies anew: nonce_already_used, one run, one transaction."""
    payment = sign(buyer, _offer(fastapi_shop, "kiel"))
    first, second = (_pay(fastapi_shop, "kiel", payment) for _ in range(2))
    assert first.status_code == 200
    assert second.status_code == 402
    assert decode(second.headers["PAYMENT-REQUIRED"])["error"] == "invalid_exact_evm_nonce_already_used"
    assert fastapi_shop.runs("kiel") == 1
    assert len(set(stack.gate.broadcasts)) == 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE


def test_a39_duplicates_at_once_cost_one_transaction(
    stack: LocalStack, buyer: LocalAccount, fastapi_shop: Seller
) -> None:
    """The official server runs its handler for each, for it has no claim; our facilitator settles once for all."""
    copies = 4
    payment = sign(buyer, _offer(fastapi_shop, "lima"))
    sent = stack.chain.transaction_count(stack.relayer)
    held = stack.gate.rule(Act.HOLD, SEND)
    with ThreadPoolExecutor(copies) as pool:
        replies = [pool.submit(_pay, fastapi_shop, "lima", payment) for _ in range(copies)]
        fastapi_shop.wait_runs("lima", copies)
        held.release()
        answers = [reply.result(timeout=60) for reply in replies]
    assert [answer.status_code for answer in answers] == [200] * copies
    assert len({decode(answer.headers["PAYMENT-RESPONSE"])["transaction"] for answer in answers}) == 1
    assert fastapi_shop.runs("lima") == copies
    assert stack.chain.transaction_count(stack.relayer) == sent + 1
    assert len(set(stack.gate.broadcasts)) == 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE
