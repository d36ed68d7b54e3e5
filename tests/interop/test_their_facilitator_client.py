"""The official SDK's facilitator client against our facilitator: what any seller's server hears from it."""

from collections.abc import Iterator
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from x402.http import HTTPFacilitatorClientSync
from x402.mechanisms.evm.exact.v1.client import ExactEvmSchemeV1
from x402.schemas import PaymentPayload, PaymentRequirements
from x402.schemas.v1 import PaymentPayloadV1, PaymentRequirementsV1

from local.stack import LocalStack
from tests.interop.sellers import PAY_TO, PRICE, add_seller
from tests.support.buyer import sign


@pytest.fixture(scope="module")
def key(deployed_stack: LocalStack) -> str:
    """A seller's key."""
    return add_seller(deployed_stack)


@pytest.fixture
def client(stack: LocalStack, key: str) -> Iterator[HTTPFacilitatorClientSync]:
    """A client with that key."""
    with client_of(stack, key) as client:
        yield client


def client_of(stack: LocalStack, key: str) -> HTTPFacilitatorClientSync:
    bearer = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"{stack.api_url}/x402/facilitator"
    return HTTPFacilitatorClientSync({"url": url, "create_headers": lambda: {"verify": bearer, "settle": bearer}})


def _requirements(stack: LocalStack, **changes: Any) -> dict[str, Any]:
    return {
        "scheme": "exact",
        "network": str(stack.chain.info.network),
        "amount": str(PRICE),
        "asset": stack.chain.token,
        "payTo": PAY_TO,
        "maxTimeoutSeconds": 60,
        "extra": {"name": stack.chain.asset.name, "version": stack.chain.asset.version},
        **changes,
    }


def _payment(
    stack: LocalStack, buyer: LocalAccount, version: int, **changes: Any
) -> tuple[PaymentPayload, PaymentRequirements] | tuple[PaymentPayloadV1, PaymentRequirementsV1]:
    """A signed payment with its requirements; ``changes`` are those of the requirements."""
    wanted = _requirements(stack, **changes)
    if version == 2:
        offer = {"accepts": [wanted], "resource": {"url": "https://shop.example/report"}}
        return PaymentPayload.model_validate(sign(buyer, offer)), PaymentRequirements.model_validate(wanted)
    older = {key: value for key, value in wanted.items() if key != "amount"} | {
        "network": "base-sepolia",
        "maxAmountRequired": wanted["amount"],
        "resource": "https://shop.example/report",
        "description": "",
        "mimeType": "application/json",
    }
    requirements = PaymentRequirementsV1.model_validate(older)
    inner = ExactEvmSchemeV1(buyer).create_payment_payload(requirements)
    payload = PaymentPayloadV1(scheme="exact", network=requirements.network, payload=inner)
    return payload, requirements


def test_supported_lists_both_versions_and_our_relayer(stack: LocalStack) -> None:
    """No key is needed to ask."""
    stack.reconcile()
    with client_of(stack, "") as anyone:
        said = anyone.get_supported()
    assert [(kind.x402_version, kind.scheme, kind.network) for kind in said.kinds] == [
        (2, "exact", "eip155:84532"),
        (1, "exact", "base-sepolia"),
    ]
    assert {key: [a.lower() for a in found] for key, found in said.signers.items()} == {
        "eip155:*": [stack.relayer.lower()]
    }
    assert said.extensions == []


@pytest.mark.parametrize("version", [2, 1])
def test_a_payment_is_verified_and_settled(
    stack: LocalStack, buyer: LocalAccount, client: HTTPFacilitatorClientSync, version: int
) -> None:
    """Both versions end in a transfer; the network is spelled as it was asked; asking again changes nothing."""
    payload, requirements = _payment(stack, buyer, version)
    verified = client.verify(payload, requirements)
    assert (verified.is_valid, (verified.payer or "").lower()) == (True, buyer.address.lower())
    settled = client.settle(payload, requirements)
    assert settled.success, settled
    assert settled.network == requirements.network
    mined = stack.chain.receipt(settled.transaction)
    assert mined is not None
    assert mined["from"].lower() == stack.relayer.lower()
    assert client.settle(payload, requirements) == settled
    assert len(set(stack.gate.broadcasts)) == 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE
    late = client.verify(payload, requirements)
    assert (late.is_valid, late.invalid_reason) == (False, "invalid_exact_evm_nonce_already_used")


def test_a39_another_seller_does_not_get_the_same_payment(
    stack: LocalStack, buyer: LocalAccount, client: HTTPFacilitatorClientSync
) -> None:
    """One payment, one seller: the second hears duplicate_settlement."""
    payload, requirements = _payment(stack, buyer, 2)
    assert client.settle(payload, requirements).success
    with client_of(stack, add_seller(stack)) as other:
        answer = other.settle(payload, requirements)
    assert (answer.success, answer.error_reason) == (False, "duplicate_settlement")


@pytest.mark.parametrize("operation", ["verify", "settle"])
@pytest.mark.parametrize(
    "changes", [{"payTo": "0x000000000000000000000000000000000000dEaD"}, {"amount": "1000001"}], ids=["payTo", "amount"]
)
def test_a61_what_a_key_does_not_cover_is_refused_without_asking_the_chain(
    stack: LocalStack, buyer: LocalAccount, client: HTTPFacilitatorClientSync, operation: str, changes: dict[str, str]
) -> None:
    """An ordinary answer with a reason, which the SDK hands on; no RPC call."""
    payload, requirements = _payment(stack, buyer, 2, **changes)
    # Reconcile's minute may fall into one of three, not into each.
    for _ in range(3):
        stack.gate.clear()
        if operation == "verify":
            assert client.verify(payload, requirements).invalid_reason == "invalid_payment_requirements"
        else:
            assert client.settle(payload, requirements).error_reason == "invalid_payment_requirements"
        if not stack.gate.calls:
            break
    assert stack.gate.calls == {}


@pytest.mark.parametrize("operation", ["verify", "settle"])
def test_a61_without_a_key_the_client_hears_401(stack: LocalStack, buyer: LocalAccount, operation: str) -> None:
    """Also with a key that was never given out; the chain is not asked."""
    payload, requirements = _payment(stack, buyer, 2)
    # Reconcile's minute may fall into one of three, not into each.
    for _ in range(3):
        stack.gate.clear()
        for key in ("", "tg_client_" + "A" * 43, "tg_nobody_" + "A" * 43):
            with client_of(stack, key) as client, pytest.raises(ValueError, match=r"\(401\)"):
                getattr(client, operation)(payload, requirements)
        if not stack.gate.calls:
            break
    assert stack.gate.calls == {}
