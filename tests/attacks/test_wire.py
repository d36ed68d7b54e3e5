"""Threats 1-15: what can be done with the bytes of a payment header."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.wire.samples import (
    ABSENT,
    AUTHORIZATION,
    NONCE,
    PAYER,
    SIGNATURE,
    Place,
    header,
    header_of_text,
    payment,
    text,
)
from tollgate.edge.http_api import read_request
from tollgate.errors import BadRequest, Refusal
from tollgate.payment.identity import PaymentId
from tollgate.schemes.secp256k1 import ORDER
from tollgate.wire import headers
from tollgate.wire.parse import parse_payment
from tollgate.wire.payment_identifier import EXTENSION, check_echo, declaration
from tollgate.wire.reasons import Reason

# Of this thread's processor, so that a busy machine does not count.
_SECONDS = 0.05
_TRIES = 3


def refused(value: str) -> str:
    """The code of the refusal, which is a 4xx or a reason, and quick."""
    took: list[float] = []
    # Once in a while the whole heap of the test run is collected meanwhile.
    while len(took) < _TRIES and min(took, default=_SECONDS) >= _SECONDS:
        started = time.thread_time()
        with pytest.raises((BadRequest, Refusal)) as caught:
            parse_payment(value)
        took.append(time.thread_time() - started)
    assert min(took) < _SECONDS
    if isinstance(caught.value, BadRequest):
        assert caught.value.status in (400, 431)
        return caught.value.code
    assert isinstance(caught.value, Refusal)
    return caught.value.reason.value


def identity(value: str) -> PaymentId:
    """Who the payment in a header is."""
    return PaymentId.of(parse_payment(value))


def http_api_event(**changes: Any) -> dict[str, Any]:
    """An event of an HTTP API, payload format 2.0."""
    http = {"method": "GET", "path": "/weather", "sourceIp": "192.0.2.7"}
    event: dict[str, Any] = {
        "version": "2.0",
        "rawPath": "/weather",
        "rawQueryString": "",
        "headers": {},
        "requestContext": {"http": http, "stage": "$default"},
        "isBase64Encoded": False,
    }
    return {**event, **changes}


@pytest.mark.parametrize("value", ["", "%%%", "not base64", "bm90IGpzb24=", "W10=", "bnVsbA==", "Mg==", "ImEi"])
def test_a01_a_header_that_is_no_json_object_is_a_structured_400(value: str) -> None:
    """Not base64, not JSON, not an object: a code, never a crash."""
    assert refused(value) in {"payment_header_not_base64", "invalid_json", "malformed_payment"}


@given(st.text(max_size=200) | st.binary(max_size=200).map(header_of_text))
@settings(max_examples=300, deadline=None)
@example("\x00")
@example("\ud800")
@example("=" * 8192)
def test_a01_random_bytes_are_always_refused_and_fast(value: str) -> None:
    """Whatever comes, nothing but ``BadRequest`` and ``Refusal`` comes out."""
    refused(value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3),
    max_leaves=5,
)
_PLACES: list[Place] = [
    ("x402Version",),
    ("accepted",),
    ("payload",),
    ("payload", "signature"),
    AUTHORIZATION,
    ("resource",),
    *(("accepted", k) for k in ("scheme", "network", "amount", "asset", "payTo", "maxTimeoutSeconds")),
    ("accepted", "extra"),
    *((*AUTHORIZATION, k) for k in ("from", "to", "value", "validAfter", "validBefore", "nonce")),
]


@given(st.sampled_from(_PLACES), _JSON)
@settings(max_examples=300, deadline=None)
def test_a01_any_json_in_any_field_is_read_or_refused(place: Place, value: Any) -> None:
    """A payment with one field replaced parses, or is refused in the closed set of ways."""
    try:
        parse_payment(header_of_text(json.dumps(payment((place, value)))))
    except (BadRequest, Refusal) as refusal:
        assert refusal.sentence.endswith(".")


def test_a02_another_spelling_of_base64_never_makes_a_second_payment() -> None:
    """URL-safe, unpadded, broken lines, stray bits: refused, so one payment has one spelling of base64."""
    value = header((("extensions",), {"a": "ü?>~~~"}))
    assert identity(value) == identity(header())
    assert value.endswith("=")
    assert "/" in value or "+" in value
    stray = value.rstrip("=")
    variants = [
        value.replace("+", "-").replace("/", "_"),
        stray,
        value + "=",
        value + "\n",
        value[:76] + "\r\n" + value[76:],
        " " + value,
        value + value,
        stray[:-1] + chr(ord(stray[-1]) + 1) + value[len(stray) :],
    ]
    for variant in variants:
        assert variant != value
        assert refused(variant) == "payment_header_not_base64"


def test_a02_another_spelling_of_the_json_is_the_same_payment() -> None:
    """White space, order of keys and escapes change the header, not the identity."""
    spaced = header_of_text(json.dumps(payment(), indent=2, sort_keys=True))
    escaped = header_of_text(text().replace('"nonce"', '"\\u006eonce"'))
    assert len({header(), spaced, escaped}) == 3
    assert identity(spaced) == identity(escaped) == identity(header())


@pytest.mark.parametrize("twice", ['"amount": "10000"', '"value": "10000"', '"x402Version": 2', f'"nonce": "{NONCE}"'])
def test_a03_a_key_given_twice_is_refused(twice: str) -> None:
    """Two readers could take two different values."""
    assert twice in text()
    for other in ('"1"', "2"):
        key, _, _ = twice.partition(":")
        assert refused(header_of_text(text().replace(twice, f"{twice}, {key}: {other}"))) == "json_duplicate_key"


@pytest.mark.parametrize(
    "value",
    [
        "[" * 6000,
        '{"a":' * 1200,
        "9" * 6000,
        "1e400",
        "-1e999999999",
        "NaN",
        '{"a":' + "[" * 20 + "]" * 20 + "}",
        '"' + '\\"' * 3000,
        "\\" * 6000,
        "{" + '"' * 5999,
        '"' * 6000,
    ],
    ids=lambda v: str(v[:8]),
)
def test_a04_nesting_and_numbers_cost_no_time(value: str) -> None:
    """Recursion, huge integers and floats are refused within 50 ms."""
    assert refused(header_of_text(value)) in {"json_too_deep", "json_number_refused", "invalid_json"}


@pytest.mark.parametrize(
    "amount",
    [
        " 10 ",
        "10\n",
        "+10",
        "-10",
        "-0",
        "1_0",
        "010",
        "0",
        "00",
        "",
        "10.0",
        "1e3",
        "0x10",
        "\u0661\u0660",
        "\uff11\uff10",
        "1" * 79,
        str(2**256),
        10,
        10.5,
        True,
        None,
        ["10"],
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", [("accepted", "amount"), (*AUTHORIZATION, "value")], ids=".".join)
def test_a05_lenient_amounts_are_refused(place: Place, amount: Any) -> None:
    """What Python's ``int`` takes and a contract would not."""
    assert refused(header_of_text(json.dumps(payment((place, amount))))) in {
        "malformed_payment",
        "json_number_refused",
    }


@pytest.mark.parametrize("amount", [1, 2**256 - 1])
def test_a05_exact_amounts_are_read(amount: int) -> None:
    """From one atomic unit to the largest word."""
    parsed = parse_payment(header((("accepted", "amount"), str(amount)), ((*AUTHORIZATION, "value"), str(amount))))
    assert parsed.accepted.amount == parsed.payload.authorization.value == amount


@pytest.mark.parametrize(
    "place",
    [
        ("accepted", "network"),
        ("accepted", "asset"),
        ("accepted", "payTo"),
        ("accepted", "amount"),
        (*AUTHORIZATION, "from"),
        (*AUTHORIZATION, "to"),
        (*AUTHORIZATION, "value"),
        (*AUTHORIZATION, "validAfter"),
        (*AUTHORIZATION, "validBefore"),
        (*AUTHORIZATION, "nonce"),
        ("payload", "signature"),
    ],
    ids=".".join,
)
def test_a06_a_newline_at_the_end_is_not_overlooked(place: Place) -> None:
    """``$`` would match before it."""
    inside: Any = payment()
    for key in place:
        inside = inside[key]
    assert refused(header((place, f"{inside}\n"))) == "malformed_payment"


def test_a07_addresses_are_compared_as_bytes() -> None:
    """Any case is the same address, and so the same payment; what leaves is checksummed."""
    place = (*AUTHORIZATION, "from")
    spellings = [PAYER, PAYER.lower(), "0x" + PAYER[2:].upper()]
    assert len({identity(header((place, spelling))) for spelling in spellings}) == 1
    assert str(parse_payment(header((place, PAYER.lower()))).payload.authorization.from_) == PAYER


@pytest.mark.parametrize(
    "address", [PAYER[:-2], PAYER + "00", PAYER[2:], "0X" + PAYER[2:], PAYER[:-1] + "g", PAYER[:-1]]
)
@pytest.mark.parametrize("place", [("accepted", "asset"), ("accepted", "payTo"), (*AUTHORIZATION, "from")])
def test_a07_an_address_of_another_length_or_alphabet_is_refused(place: Place, address: str) -> None:
    """19 and 21 bytes, no prefix, an upper-case prefix, a stray letter, half a byte."""
    assert refused(header((place, address))) == "malformed_payment"


def test_a08_two_spellings_of_a_nonce_are_one_payment() -> None:
    """The claim is keyed by the nonce's bytes."""
    place = (*AUTHORIZATION, "nonce")
    upper = identity(header((place, "0x" + "AB" * 32)))
    lower = identity(header((place, "0x" + "ab" * 32)))
    assert upper == lower
    assert str(upper) == str(lower)
    assert upper != identity(header())


@pytest.mark.parametrize(
    "nonce", ["0x" + "ab" * 31, "0x" + "ab" * 33, "ab" * 32, "0x" + "a" * 63, "0X" + "ab" * 32, "0x"]
)
def test_a08_a_nonce_of_another_form_is_refused(nonce: str) -> None:
    """31 and 33 bytes, no prefix, odd digits."""
    assert refused(header(((*AUTHORIZATION, "nonce"), nonce))) == "malformed_payment"


def test_a09_a_malleable_twin_is_the_same_payment() -> None:
    """The other s and v recover the same signer: the identity must not change with them."""
    raw = bytes.fromhex(SIGNATURE[2:])
    s = ORDER - int.from_bytes(raw[32:64], "big")
    twin = raw[:32] + s.to_bytes(32, "big") + bytes([raw[64] ^ 7])
    assert {raw[64], twin[64]} == {27, 28}
    value = header((("payload", "signature"), "0x" + twin.hex()))
    assert parse_payment(value).payload.signature != parse_payment(header()).payload.signature
    assert identity(value) == identity(header())


def test_a09_a_compact_signature_is_refused() -> None:
    """EIP-2098's 64 bytes: the token's r, s, v overload does not take them."""
    assert refused(header((("payload", "signature"), SIGNATURE[:-2]))) == Reason.SIGNATURE.value


def test_a10_an_oversized_header_is_431_before_it_is_read() -> None:
    """9 kB is refused even when it would parse; an ordinary payment has a tenth of the cap."""
    big = header((("extensions",), {"padding": "x" * 6200}))
    assert len(big) > 9000 > headers.MAX_PAYMENT_HEADER
    assert refused(big) == "payment_header_too_large"
    assert refused("A" * 10_000_000) == "payment_header_too_large"
    assert len(header()) < 1300


def test_a11_a_header_given_twice_is_refused() -> None:
    """An HTTP API joins the two by a comma, in whatever way it spaces them."""
    value = header()
    for joined in (f"{value},{value}", f"{value}, {value}", f"{value},", f",{value}"):
        request = read_request(http_api_event(headers={"payment-signature": joined}))
        assert refused(request.headers[headers.PAYMENT_SIGNATURE]) == "payment_header_repeated"


def test_a11_a_version_1_header_beside_it_changes_nothing() -> None:
    """X-PAYMENT is not served: it neither pays nor gets in the way."""
    request = read_request(http_api_event(headers={"x-payment": "e30=", "payment-signature": header()}))
    assert request.headers[headers.PAYMENT_SIGNATURE] == header()
    assert headers.PAYMENT_SIGNATURE not in read_request(http_api_event(headers={"x-payment": header()})).headers


@pytest.mark.parametrize("name", ["PAYMENT-SIGNATURE", "Payment-Signature", "payment-signature", "pAyMeNt-SiGnAtUrE"])
def test_a12_the_name_of_the_header_has_no_case(name: str) -> None:
    """HTTP/2 sends lower case, older clients what they like."""
    request = read_request(http_api_event(headers={name: "e30="}))
    assert request.headers[headers.PAYMENT_SIGNATURE] == "e30="


def test_a13_a_payment_in_the_query_or_body_is_no_payment() -> None:
    """Only the header counts: URLs end in logs."""
    value = header()
    request = read_request(
        http_api_event(
            rawQueryString=f"payment-signature={value}",
            queryStringParameters={"payment-signature": value},
            body=json.dumps({"payment-signature": value}),
        )
    )
    assert not request.headers


@pytest.mark.parametrize("version", ["2", 1, 3, 0, -2, True, None, ABSENT, [2]], ids=repr)
def test_a14_another_version_is_refused_by_its_code(version: Any) -> None:
    """Only the number 2 is version 2; the rest of the message does not matter then."""
    assert refused(header((("x402Version",), version))) == Reason.INVALID_X402_VERSION.value
    assert refused(header((("x402Version",), version), (("accepted",), ABSENT))) == "invalid_x402_version"


def test_a14_a_version_1_payload_is_refused_by_its_code() -> None:
    """As a v1 client would send it, in the header of v2."""
    v1 = {"x402Version": 1, "scheme": "exact", "network": "base-sepolia", "payload": payment()["payload"]}
    assert refused(headers.encode(v1)) == Reason.INVALID_X402_VERSION.value


@pytest.mark.parametrize(
    "place",
    [
        ("x",),
        ("accepted", "x"),
        ("accepted", "extra", "x"),
        ("payload", "x"),
        (*AUTHORIZATION, "x"),
        ("resource", "x"),
    ],
    ids=".".join,
)
def test_a15_unknown_keys_are_tolerated(place: Place) -> None:
    """A newer client may say more than we understand."""
    parsed = parse_payment(header((place, {"y": [1, None, "z"]})))
    assert parsed.payload == parse_payment(header()).payload


@pytest.mark.parametrize(
    ("echoed", "accepted"),
    [
        ({}, True),
        ({EXTENSION: declaration()}, True),
        ({EXTENSION: {**declaration(), "info": {"required": False, "id": "a1b2" * 8}}}, True),
        ({EXTENSION: declaration(), "newer": {"info": {}}}, True),
        ({EXTENSION: {**declaration(), "info": {"required": True}}}, False),
        ({EXTENSION: {**declaration(), "info": {"required": "false"}}}, False),
        ({EXTENSION: {**declaration(), "info": {}}}, False),
        ({EXTENSION: []}, False),
    ],
)
def test_a15_an_altered_echo_is_refused(echoed: dict[str, Any], accepted: bool) -> None:
    """What we advertised comes back unchanged, completed, or not at all."""
    extensions = parse_payment(header((("extensions",), echoed))).extensions
    if accepted:
        check_echo({EXTENSION: declaration()}, extensions)
        return
    with pytest.raises(Refusal) as caught:
        check_echo({EXTENSION: declaration()}, extensions)
    assert caught.value.reason is Reason.EXTENSION_ECHO_MISMATCH
