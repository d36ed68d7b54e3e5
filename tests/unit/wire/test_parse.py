"""PAYMENT-SIGNATURE to values: official payments are read, everything else is named and refused."""

from typing import Any

import pytest
from eth_account import Account
from x402 import x402ClientSync
from x402.http.utils import decode_payment_required_header, encode_payment_signature_header
from x402.mechanisms.evm.exact import register_exact_evm_client

from tests.unit.wire.samples import ABSENT, AUTHORIZATION, SELLER, SIGNATURE, USDC, Place, header, payment
from tollgate.errors import BadRequest, Refusal
from tollgate.wire import headers
from tollgate.wire.models import PaymentRequired, Requirements, Resource
from tollgate.wire.parse import parse_payment
from tollgate.wire.payment_identifier import EXTENSION, declaration
from tollgate.wire.primitives import Address, Network
from tollgate.wire.reasons import Reason


def test_a_payment_of_the_official_client_is_read() -> None:
    """Our offer, accepted and signed by the official SDK with its defaults, comes back field by field."""
    account = Account.from_key("0x" + "11" * 32)
    requirements = Requirements(
        "exact",
        Network(84532),
        10_000,
        Address.parse(USDC),
        Address.parse(SELLER),
        60,
        {"name": "USDC", "version": "2"},
    )
    offer = PaymentRequired(
        Resource("https://api.example.com/weather", "Weather", "application/json"),
        (requirements,),
        extensions={EXTENSION: declaration()},
    )
    client = register_exact_evm_client(x402ClientSync(), account)
    official = client.create_payment_payload(decode_payment_required_header(headers.encode(offer.to_json())))

    parsed = parse_payment(encode_payment_signature_header(official))

    authorization = official.payload["authorization"]
    assert parsed.accepted == requirements
    assert parsed.resource_url == "https://api.example.com/weather"
    assert parsed.extensions == {EXTENSION: declaration()}
    assert str(parsed.payload.authorization.from_) == account.address
    assert parsed.payload.authorization.to == Address.parse(SELLER)
    assert parsed.payload.authorization.value == 10_000
    assert parsed.payload.authorization.valid_after == int(authorization["validAfter"])
    assert parsed.payload.authorization.valid_before == int(authorization["validBefore"])
    assert str(parsed.payload.authorization.nonce) == authorization["nonce"].lower()
    assert parsed.payload.signature == bytes.fromhex(official.payload["signature"][2:])


@pytest.mark.parametrize("key", ["resource", "extensions"])
@pytest.mark.parametrize("value", [None, ABSENT])
def test_what_is_optional_may_be_null_or_absent(key: str, value: Any) -> None:
    """TypeScript writers leave ``undefined`` out, others write null."""
    parsed = parse_payment(header(((key,), value)))
    assert (parsed.resource_url is None) == (key == "resource")
    assert parsed.extensions == {}


def test_extra_of_the_accepted_requirements_may_be_absent() -> None:
    """It is compared with the offer later; here it is only read."""
    assert parse_payment(header((("accepted", "extra"), ABSENT))).accepted.extra == {}


_PLACES: list[Place] = [
    ("accepted",), ("accepted", "scheme"), ("accepted", "network"), ("accepted", "amount"),
    ("accepted", "asset"), ("accepted", "payTo"), ("accepted", "maxTimeoutSeconds"), ("payload",),
    ("payload", "signature"), AUTHORIZATION, (*AUTHORIZATION, "from"), (*AUTHORIZATION, "to"),
    (*AUTHORIZATION, "value"), (*AUTHORIZATION, "validAfter"), (*AUTHORIZATION, "validBefore"),
    (*AUTHORIZATION, "nonce"),
]  # fmt: skip


@pytest.mark.parametrize("place", _PLACES, ids=".".join)
@pytest.mark.parametrize("value", [ABSENT, None, 7, True, "", [], ["0x"], "x"], ids=repr)
def test_a_field_that_is_missing_or_wrong_is_named(place: Place, value: Any) -> None:
    """400 with the field's name in the sentence, or the refusal of another scheme; never anything else."""
    if place[-1] == "scheme" and value in ("", "x"):
        with pytest.raises(Refusal) as refused:
            parse_payment(header((place, value)))
        assert refused.value.reason is Reason.UNSUPPORTED_SCHEME
        return
    if place[-1] == "maxTimeoutSeconds" and value == 7 and value is not True:
        assert parse_payment(header((place, value))).accepted.max_timeout_seconds == 7
        return
    with pytest.raises(BadRequest) as caught:
        parse_payment(header((place, value)))
    assert (caught.value.status, caught.value.code) == (400, "malformed_payment")
    assert place[-1] in caught.value.sentence


@pytest.mark.parametrize("value", ["https://x", 7, [], {"url": 7}, {}], ids=repr)
def test_a_resource_must_be_an_object_with_an_url(value: Any) -> None:
    """When it is there at all."""
    with pytest.raises(BadRequest, match="resource"):
        parse_payment(header((("resource",), value)))


@pytest.mark.parametrize("value", ["x", 7, []], ids=repr)
def test_extensions_must_be_an_object(value: Any) -> None:
    """When they are there at all."""
    with pytest.raises(BadRequest, match="extensions"):
        parse_payment(header((("extensions",), value)))


@pytest.mark.parametrize("value", [0, -1, "60", True])
def test_the_timeout_must_be_positive_seconds(value: Any) -> None:
    """A boolean is not one second."""
    with pytest.raises(BadRequest, match="maxTimeoutSeconds"):
        parse_payment(header((("accepted", "maxTimeoutSeconds"), value)))


@pytest.mark.parametrize("scheme", ["upto", "batch-settlement", "Exact", "exact "])
def test_another_scheme_is_refused(scheme: str) -> None:
    """By the specification's code, before its other fields are looked at."""
    with pytest.raises(Refusal) as caught:
        parse_payment(header((("accepted", "scheme"), scheme), (("accepted", "asset"), "native")))
    assert caught.value.reason is Reason.UNSUPPORTED_SCHEME


@pytest.mark.parametrize("network", ["solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "stellar:testnet"])
def test_another_namespace_is_refused(network: str) -> None:
    """A well-formed network that is not EVM is a refusal, whatever its addresses look like."""
    with pytest.raises(Refusal) as caught:
        parse_payment(header((("accepted", "network"), network), (("accepted", "payTo"), "7xKX")))
    assert caught.value.reason is Reason.INVALID_NETWORK


@pytest.mark.parametrize(
    "change",
    [
        (("payload", "permit2Authorization"), {"from": SELLER}),
        (("accepted", "extra", "assetTransferMethod"), "permit2"),
        (("accepted", "extra", "assetTransferMethod"), None),
    ],
)
def test_another_transfer_method_is_refused(change: tuple[Place, Any]) -> None:
    """Permit2 is not served yet, and nothing pretends that it is."""
    with pytest.raises(Refusal) as caught:
        parse_payment(header(change))
    assert caught.value.reason is Reason.INVALID_PAYLOAD


def test_naming_the_served_transfer_method_is_fine() -> None:
    """``eip3009`` may be spelled out."""
    change = (("accepted", "extra", "assetTransferMethod"), "eip3009")
    assert parse_payment(header(change)).accepted.extra["assetTransferMethod"] == "eip3009"


@pytest.mark.parametrize("signature", ["0x", SIGNATURE[:-2], SIGNATURE + "00", "0x" + "ab" * 600])
def test_a_signature_of_another_length_is_refused(signature: str) -> None:
    """Compact ones and those of contract wallets are readable, but not served."""
    with pytest.raises(Refusal) as caught:
        parse_payment(header((("payload", "signature"), signature)))
    assert caught.value.reason is Reason.SIGNATURE


def test_the_signature_is_not_in_the_representation() -> None:
    """What is printed by accident in a log does not hold it."""
    assert SIGNATURE[2:] not in repr(parse_payment(headers.encode(payment())))
    assert "signature" not in repr(parse_payment(headers.encode(payment())))
