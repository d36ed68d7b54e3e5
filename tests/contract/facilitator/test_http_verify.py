"""Verify over HTTP: every refusal has its reason, costs what it must and no more, and writes nothing."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account
from x402.schemas import VerifyResponse

from tests.support.functions import Functions
from tests.support.sellers import PRICE, SellerElsewhere, items
from tollgate.wire.reasons import Reason

Message = dict[str, Any]


def edited(message: Message, path: str, value: Any) -> Message:
    """A copy in which the field at ``path`` (dotted) has another value; ``None`` removes it."""
    copy: Message = json.loads(json.dumps(message))
    *parents, last = path.split(".")
    place = copy
    for parent in parents:
        place = place[parent]
    if value is None:
        place.pop(last)
    else:
        place[last] = value
    return copy


# What is wrong with the request, and the reason; none of it needs the chain.
CHEAP: list[tuple[str, Callable[[Message], Message], Reason]] = [
    ("unknown version", lambda m: edited(m, "x402Version", 3), Reason.INVALID_X402_VERSION),
    ("versions differ", lambda m: edited(m, "paymentPayload.x402Version", 1), Reason.INVALID_X402_VERSION),
    ("version as text", lambda m: edited(m, "paymentPayload.x402Version", "2"), Reason.INVALID_X402_VERSION),
    ("other scheme", lambda m: edited(m, "paymentRequirements.scheme", "upto"), Reason.UNSUPPORTED_SCHEME),
    ("other scheme paid", lambda m: edited(m, "paymentPayload.accepted.scheme", "upto"), Reason.UNSUPPORTED_SCHEME),
    ("other network", lambda m: edited(m, "paymentRequirements.network", "eip155:8453"), Reason.INVALID_NETWORK),
    ("not EVM", lambda m: edited(m, "paymentRequirements.network", "solana:EtWTRABZaYq6"), Reason.INVALID_NETWORK),
    ("v1 name in v2", lambda m: edited(m, "paymentRequirements.network", "base"), Reason.INVALID_REQUIREMENTS),
    ("other payTo", lambda m: edited(m, "paymentRequirements.payTo", "0x" + "12" * 20), Reason.INVALID_REQUIREMENTS),
    ("other amount", lambda m: edited(m, "paymentRequirements.amount", "9999"), Reason.INVALID_REQUIREMENTS),
    ("lenient amount", lambda m: edited(m, "paymentRequirements.amount", "010000"), Reason.INVALID_REQUIREMENTS),
    ("amount as number", lambda m: edited(m, "paymentRequirements.amount", 10000), Reason.INVALID_REQUIREMENTS),
    ("no timeout", lambda m: edited(m, "paymentRequirements.maxTimeoutSeconds", None), Reason.INVALID_REQUIREMENTS),
    ("for ever", lambda m: edited(m, "paymentRequirements.maxTimeoutSeconds", 86_401), Reason.INVALID_REQUIREMENTS),
    ("no payload", lambda m: edited(m, "paymentPayload.payload", None), Reason.INVALID_PAYLOAD),
    ("no accepted", lambda m: edited(m, "paymentPayload.accepted", None), Reason.INVALID_PAYLOAD),
    ("short nonce", lambda m: edited(m, "paymentPayload.payload.authorization.nonce", "0x12"), Reason.INVALID_PAYLOAD),
    ("no signature", lambda m: edited(m, "paymentPayload.payload.signature", None), Reason.INVALID_PAYLOAD),
    ("short signature", lambda m: edited(m, "paymentPayload.payload.signature", "0x12"), Reason.SIGNATURE),
    ("altered", lambda m: edited(m, "paymentPayload.payload.authorization.validAfter", "1"), Reason.SIGNATURE),
    ("permit2", lambda m: edited(m, "paymentPayload.payload.permit2Authorization", {}), Reason.INVALID_PAYLOAD),
]


@pytest.mark.parametrize(("change", "reason"), [case[1:] for case in CHEAP], ids=[case[0] for case in CHEAP])
def test_a71_what_is_wrong_on_paper_costs_no_rpc_call(
    functions: Functions, elsewhere: SellerElsewhere, change: Callable[[Message], Message], reason: Reason
) -> None:
    """A 200 with a reason and a sentence, in the words of the official schema."""
    envelope = elsewhere.envelope(elsewhere.payment(functions.buyer()))
    with functions.recording() as seen:
        answer = elsewhere.verify(change(envelope))
    assert (answer["isValid"], answer["invalidReason"]) == (False, reason.value)
    assert answer["invalidMessage"]
    VerifyResponse.model_validate(answer)
    assert seen.rpc == []


def test_a61_what_the_key_does_not_cover_costs_no_rpc_call(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """The payment is in order; the seller may just not have it verified here."""
    buyer = functions.buyer()
    asset = functions.chain.asset
    for changes, sentence in (
        ({"payTo": Account.create().address}, "payTo"),
        ({"amount": str(100 * PRICE + 1)}, "amount is over"),
        ({"asset": "0x" + "34" * 20, "extra": {"name": asset.name, "version": asset.version}}, "asset"),
        ({"network": "eip155:8453"}, "network"),
    ):
        requirements = elsewhere.requirements(**changes)
        envelope = elsewhere.envelope(elsewhere.payment(buyer, requirements))
        with functions.recording() as seen:
            answer = elsewhere.verify(envelope)
        assert (answer["isValid"], answer["invalidReason"]) == (False, "invalid_payment_requirements")
        assert sentence in answer["invalidMessage"]
        assert seen.rpc == []
    most = elsewhere.requirements(amount=str(100 * PRICE))
    assert elsewhere.verify(elsewhere.envelope(elsewhere.payment(buyer, most)))["isValid"]


@pytest.mark.parametrize(
    ("signed", "reason"),
    [
        ({"to": "0x" + "56" * 20}, Reason.RECIPIENT_MISMATCH),
        ({"value": str(PRICE + 1)}, Reason.VALUE_MISMATCH),
        ({"value": str(PRICE - 1)}, Reason.VALUE_MISMATCH),
        ({"validBefore": "1"}, Reason.VALID_BEFORE),
        ({"validAfter": "99999999999"}, Reason.VALID_AFTER),
        ({"validBefore": "99999999999"}, Reason.AUTHORIZATION_TOO_LONG),
    ],
)
def test_a71_what_was_signed_is_compared_before_the_chain_is_asked(
    functions: Functions, elsewhere: SellerElsewhere, signed: dict[str, str], reason: Reason
) -> None:
    """``exact`` means equal; the clock comes last of all that is free."""
    with functions.recording() as seen:
        answer = elsewhere.verify(elsewhere.envelope(elsewhere.payment(functions.buyer(), **signed)))
    assert (answer["isValid"], answer["invalidReason"]) == (False, reason.value)
    assert seen.rpc == []


def test_a19_the_tokens_domain_is_ours_not_the_sellers(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """A signature under another name is no signature for this token, whatever ``extra`` says."""
    requirements = elsewhere.requirements(extra={"name": "USD Coin", "version": "2"})
    answer = elsewhere.verify(elsewhere.envelope(elsewhere.payment(functions.buyer(), requirements)))
    assert answer["invalidReason"] == "invalid_exact_evm_payload_signature"


def test_what_the_chain_says_against_it(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """One batch decides on balance and nonce."""
    poor = Account.create()
    with functions.recording() as seen:
        answer = elsewhere.verify(elsewhere.envelope(elsewhere.payment(poor)))
    assert answer["invalidReason"] == "insufficient_funds"
    assert answer["payer"] == poor.address
    assert len(seen.rpc) == 1
    envelope = elsewhere.envelope(elsewhere.payment(functions.buyer()))
    assert elsewhere.settle(envelope)["success"]
    assert elsewhere.verify(envelope)["invalidReason"] == "invalid_exact_evm_nonce_already_used"


@pytest.mark.parametrize("version", [1, 2])
def test_a70_verify_writes_nothing_however_often(
    functions: Functions, elsewhere: SellerElsewhere, version: int
) -> None:
    """Neither of good payments nor of bad ones; it cannot even ask to."""
    buyer = functions.buyer()
    payment = elsewhere.payment(buyer)
    envelope = elsewhere.envelope(payment) if version == 2 else elsewhere.envelope_v1(payment)
    before = items(functions)
    with functions.recording() as seen:
        for _ in range(15):
            assert elsewhere.verify(envelope) == {"isValid": True, "payer": buyer.address}
            assert "invalidReason" in elsewhere.verify(edited(envelope, "paymentRequirements.payTo", "0x" + "0" * 40))
    assert items(functions) == before
    assert {call.operation for call in seen.aws} <= {"GetItem", "GetSecretValue"}
    assert len(seen.rpc) == 15


def test_discovery_extensions_may_hold_any_number(functions: Functions, elsewhere: SellerElsewhere) -> None:
    """Other sellers' schemas and examples travel along; floats in them are none of our business."""
    payment = elsewhere.payment(functions.buyer())
    payment["extensions"] = {"bazaar": {"info": {"output": {"example": {"celsius": 21.5}}}, "schema": {"a": [[[{}]]]}}}
    assert elsewhere.verify(elsewhere.envelope(payment))["isValid"]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("paymentPayload.network", "base", "invalid_network"),
        ("paymentRequirements.network", "eip155:84532", "invalid_network"),
        ("paymentRequirements.network", "atlantis", "invalid_network"),
        ("paymentPayload.scheme", "upto", "unsupported_scheme"),
        ("paymentRequirements.maxAmountRequired", "9999", "invalid_exact_evm_payload_authorization_value_mismatch"),
        ("paymentRequirements.maxAmountRequired", None, "invalid_payment_requirements"),
        ("paymentPayload.payload", None, "invalid_payload"),
        ("paymentPayload.x402Version", 2, "invalid_x402_version"),
    ],
)
def test_v1_is_read_as_strictly(
    functions: Functions, elsewhere: SellerElsewhere, path: str, value: Any, reason: str
) -> None:
    """Networks by their v1 names, the price from the seller's own requirements."""
    envelope = edited(elsewhere.envelope_v1(elsewhere.payment(functions.buyer())), path, value)
    with functions.recording() as seen:
        assert elsewhere.verify(envelope)["invalidReason"] == reason
    assert seen.rpc == []
