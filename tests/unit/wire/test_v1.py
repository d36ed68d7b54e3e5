"""x402 v1: X-PAYMENT is read as strictly as PAYMENT-SIGNATURE, and what we write is what v1 clients parse."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from x402.schemas.v1 import PaymentRequiredV1

from tests.unit.wire.samples import (
    ABSENT,
    AUTHORIZATION,
    NONCE,
    PAYER,
    SELLER,
    SIGNATURE,
    USDC,
    Place,
    header_of_text,
    payment,
)
from tollgate.errors import BadRequest, Refusal
from tollgate.wire import headers, v1
from tollgate.wire.fields import Fields
from tollgate.wire.models import PaymentRequired, Requirements, Resource, SettleResponse
from tollgate.wire.parse import parse_payment
from tollgate.wire.primitives import Address, Bytes32, Network
from tollgate.wire.reasons import Reason

BASE, CELO, LOCAL = Network(8453), Network(42220), Network(31337)
NAMES = {BASE: "base", CELO: "celo"}


def message(*changes: tuple[Place, Any]) -> dict[str, Any]:
    """A well-formed v1 payment as JSON, with some places changed."""
    v2 = payment(*(change for change in changes if change[0][0] == "payload"))
    out = {"x402Version": 1, "scheme": "exact", "network": "base-sepolia", "payload": v2.get("payload")}
    for (place, *_), value in (change for change in changes if change[0][0] != "payload" or change[0] == ("payload",)):
        out[place] = value
    return {key: value for key, value in out.items() if value is not ABSENT}


def header(*changes: tuple[Place, Any]) -> str:
    """Its X-PAYMENT value."""
    return headers.encode(message(*changes))


def requirements(network: Network) -> Requirements:
    """One cent on a network."""
    extra = {"name": "USDC", "version": "2"}
    return Requirements("exact", network, 10_000, Address.parse(USDC), Address.parse(SELLER), 60, extra)


def offer(*networks: Network, resource: Resource | None = None) -> PaymentRequired:
    """An offer on some networks."""
    where = resource or Resource("https://api.example/weather", "Weather", "application/json")
    return PaymentRequired(where, tuple(requirements(n) for n in networks), extensions={"x": {"info": {}}})


def test_a_payment_is_read_field_by_field() -> None:
    """The same authorization as in v2, and the network's name."""
    parsed = v1.parse_payment(header())
    assert parsed.network == "base-sepolia"
    authorization = parsed.payload.authorization
    assert (str(authorization.from_), str(authorization.to)) == (PAYER, SELLER)
    assert (authorization.value, authorization.valid_after, authorization.valid_before) == (10_000, 0, 1_740_672_154)
    assert authorization.nonce == Bytes32.parse(NONCE)
    assert parsed.payload.signature == bytes.fromhex(SIGNATURE[2:])


@pytest.mark.parametrize("version", [2, 3, 0, "1", 1.0, True, None, ABSENT], ids=repr)
def test_a14_x_payment_takes_the_number_one_only(version: Any) -> None:
    """Of another version, however well-formed otherwise."""
    if version == 1.0 and type(version) is float:
        with pytest.raises(BadRequest, match="json_number_refused"):
            v1.parse_payment(header_of_text('{"x402Version":1.0}'))
        return
    with pytest.raises(Refusal) as refused:
        v1.parse_payment(header((("x402Version",), version)))
    assert refused.value.reason is Reason.INVALID_X402_VERSION


def test_a14_neither_header_takes_the_others_payment() -> None:
    """By its version number, before anything else is looked at."""
    for parse, sent in ((v1.parse_payment, headers.encode(payment())), (parse_payment, header())):
        with pytest.raises(Refusal) as refused:
            parse(sent)
        assert refused.value.reason is Reason.INVALID_X402_VERSION


_PLACES: list[Place] = [
    ("scheme",), ("network",), ("payload",), ("payload", "signature"), AUTHORIZATION, (*AUTHORIZATION, "from"),
    (*AUTHORIZATION, "to"), (*AUTHORIZATION, "value"), (*AUTHORIZATION, "validAfter"),
    (*AUTHORIZATION, "validBefore"), (*AUTHORIZATION, "nonce"),
]  # fmt: skip


@pytest.mark.parametrize("place", _PLACES, ids=".".join)
@pytest.mark.parametrize("value", [ABSENT, None, 7, True, [], ["0x"]], ids=repr)
def test_a_field_that_is_missing_or_wrong_is_named(place: Place, value: Any) -> None:
    """400 with the header's and the field's name."""
    with pytest.raises(BadRequest) as caught:
        v1.parse_payment(header((place, value)))
    assert (caught.value.status, caught.value.code) == (400, "malformed_payment")
    assert place[-1] in caught.value.sentence
    assert "X-PAYMENT" in caught.value.sentence


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("scheme",), "upto", Reason.UNSUPPORTED_SCHEME),
        (("payload", "permit2Authorization"), {}, Reason.INVALID_PAYLOAD),
        (("payload", "signature"), "0x" + "11" * 66, Reason.SIGNATURE),
    ],
)
def test_what_is_not_served_is_refused_by_the_specifications_code(place: Place, value: Any, reason: Reason) -> None:
    """As in v2."""
    with pytest.raises(Refusal) as refused:
        v1.parse_payment(header((place, value)))
    assert refused.value.reason is reason


@pytest.mark.parametrize("value", ["[]", '"x"', "7", "null", "{}"])
def test_anything_that_is_no_payment_is_refused(value: str) -> None:
    """JSON of another shape."""
    with pytest.raises((BadRequest, Refusal)):
        v1.parse_payment(header_of_text(value))


_SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([PAYER, NONCE, SIGNATURE])
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(st.text(max_size=200))
@example("")
@example("e30=,e30=")
def test_any_text_is_an_error_of_ours(value: str) -> None:
    """Never another exception: a header is whatever a stranger sends."""
    with pytest.raises((BadRequest, Refusal)):
        v1.parse_payment(value)


@given(st.binary(max_size=200))
@example(b'{"x402Version":1')
@example(b'{"x402Version":1,"x402Version":1}')
def test_any_bytes_are_an_error_of_ours(data: bytes) -> None:
    """In proper base64, and still."""
    with pytest.raises((BadRequest, Refusal)):
        v1.parse_payment(header_of_text(data))


@given(st.sampled_from([("x402Version",), *_PLACES]), _JSON)
def test_any_value_anywhere_is_read_or_an_error_of_ours(place: Place, value: Any) -> None:
    """One field of a good payment is replaced by any JSON."""
    try:
        parsed = v1.parse_payment(headers.encode(message((place, value))))
    except (BadRequest, Refusal):
        return
    assert isinstance(parsed, v1.PaymentV1)


def test_the_body_is_what_v1_clients_read() -> None:
    """Names instead of ids, the price as maxAmountRequired, every string there, and no outputSchema at all."""
    body = v1.offer_to_json(offer(BASE, resource=Resource("https://api.example/weather")), NAMES)
    assert body is not None
    assert body == {
        "x402Version": 1,
        "error": "Payment required",
        "accepts": [
            {
                "scheme": "exact",
                "network": "base",
                "maxAmountRequired": "10000",
                "resource": "https://api.example/weather",
                "description": "",
                "mimeType": "",
                "payTo": SELLER,
                "maxTimeoutSeconds": 60,
                "asset": USDC,
                "extra": {"name": "USDC", "version": "2"},
            }
        ],
    }
    assert PaymentRequiredV1.model_validate(body).accepts[0].get_amount() == "10000"


def test_only_networks_with_a_v1_name_are_in_the_body() -> None:
    """And when there is none, there is no such body."""
    body = v1.offer_to_json(offer(LOCAL, BASE), NAMES)
    assert body is not None
    assert [a["network"] for a in body["accepts"]] == ["base"]
    assert v1.offer_to_json(offer(LOCAL), NAMES) is None


def test_a_name_that_the_official_client_rejects_does_not_spoil_the_body() -> None:
    """x402-fetch fails on the whole body for one unknown name; alone, such a network is offered to whom it may help."""
    mixed, alone = v1.offer_to_json(offer(CELO, BASE), NAMES), v1.offer_to_json(offer(CELO), NAMES)
    assert mixed is not None
    assert alone is not None
    assert [a["network"] for a in mixed["accepts"]] == ["base"]
    assert [a["network"] for a in alone["accepts"]] == ["celo"]


def test_requirements_come_back_as_they_were_written() -> None:
    """What a v1 seller sends to our facilitator."""
    body = v1.offer_to_json(offer(BASE), NAMES)
    assert body is not None
    read = v1.read_requirements(
        body["accepts"][0], Fields("the body"), "paymentRequirements", {"base": BASE}.__getitem__
    )
    assert read == requirements(BASE)


def test_a_receipt_has_the_v1_name_and_no_amount() -> None:
    """The five fields of v1."""
    payer = Address.parse(PAYER)
    paid = SettleResponse(True, "0x" + "1" * 64, BASE, payer, 10_000)
    assert v1.receipt_to_json(paid, "base") == {
        "success": True,
        "transaction": "0x" + "1" * 64,
        "network": "base",
        "payer": PAYER,
    }
    failed = SettleResponse(False, "", BASE, payer, error_reason="settlement_pending")
    assert v1.receipt_to_json(failed, "base")["errorReason"] == "settlement_pending"
