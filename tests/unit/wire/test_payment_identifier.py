"""The payment-identifier extension and the echo rule, against the official SDK."""

import secrets
import uuid
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from x402 import x402ResourceServerSync
from x402.extensions.payment_identifier import (
    PAYMENT_IDENTIFIER,
    append_payment_identifier_to_extensions,
    declare_payment_identifier_extension,
    generate_payment_id,
)
from x402.schemas import PaymentPayload as OfficialPayload
from x402.schemas import PaymentRequired as OfficialRequired

from tests.unit.wire.samples import header, payment
from tollgate.errors import BadRequest, Refusal
from tollgate.wire.parse import parse_payment
from tollgate.wire.payment_identifier import EXTENSION, check_echo, declaration, identifier_of, is_secret
from tollgate.wire.reasons import Reason

_SIGN_IN = {"info": {"domain": "a.example", "nonce": "n1", "issuedAt": "t1", "resources": ["x", "y"]}}


def with_extensions(extensions: dict[str, Any]) -> str:
    """A payment header with these extensions."""
    return header((("extensions",), extensions))


def test_the_declaration_is_the_official_one() -> None:
    """Name and content, so that official clients recognise it."""
    assert EXTENSION == PAYMENT_IDENTIFIER
    assert declaration() == declare_payment_identifier_extension()


def test_an_identifier_of_the_official_client_is_found() -> None:
    """The official client appends it to the echo of our declaration."""
    extensions: dict[str, Any] = {EXTENSION: declaration()}
    append_payment_identifier_to_extensions(extensions, "pay_0123456789abcdef")
    assert identifier_of(parse_payment(with_extensions(extensions))) == "pay_0123456789abcdef"


@pytest.mark.parametrize(
    "extensions", [{}, {EXTENSION: declaration()}, {EXTENSION: {"info": {"required": False, "id": None}}},
                   {EXTENSION: None}, {EXTENSION: {"info": 7}}, {"other": {"info": {"id": "a" * 16}}}],
)  # fmt: skip
def test_without_an_identifier_there_is_none(extensions: dict[str, Any]) -> None:
    """An echo alone, or another extension's id, is no identifier."""
    assert identifier_of(parse_payment(with_extensions(extensions))) is None


@pytest.mark.parametrize(
    "identifier",
    ["", "a" * 15, "a" * 129, "a" * 15 + "\n", "a" * 16 + "\n", "a b" * 8, "é" * 16, 7, True, ["a"], {}],
)
def test_an_identifier_of_another_form_is_400(identifier: Any) -> None:
    """Length, alphabet, type, and the newline that ``$`` would let pass."""
    with pytest.raises(BadRequest) as caught:
        identifier_of(parse_payment(with_extensions({EXTENSION: {"info": {"required": False, "id": identifier}}})))
    assert (caught.value.status, caught.value.code) == (400, "invalid_payment_identifier")


@pytest.mark.parametrize(
    "make",
    [
        generate_payment_id,
        lambda: secrets.token_urlsafe(18),
        lambda: secrets.token_hex(16),
        lambda: uuid.uuid4().hex,
        lambda: str(uuid.uuid4()),
        lambda: secrets.token_hex(32),
    ],
)
def test_identifiers_as_libraries_make_them_are_secret(make: Any) -> None:
    """The official client's and the usual generators' prove something, nearly every time."""
    assert sum(is_secret(make()) for _ in range(200)) >= 190


@pytest.mark.parametrize(
    "identifier",
    [
        "order-2026-00042", "pay_1234567890123456", "1763700000000000", "a" * 128, "ab" * 40,
        "0123456789abcdef" * 1, "pay_0123456789abcdef0123456789abcde", "12345678901234567890123456789012",
        "01JD5W6Q9Z8Y7X6V5T4S3R2Q1P", "01jd5w6q9z8y7x6v5t4s3r2q1p",
        "0193a8f2-7c1e-7abc-9def-0123456789ab", "6fa459ea-ee8a-11ed-a05b-0242ac120003",
        "customer-4711-call-9",
    ],
)  # fmt: skip
def test_identifiers_that_can_be_guessed_are_not_secret(identifier: str) -> None:
    """Counters, dates, repetitions, ULIDs and UUIDs with a clock in them."""
    assert not is_secret(identifier)


def test_a_secret_is_never_shorter_than_128_bits_of_its_alphabet() -> None:
    """One character less than the shortest of each alphabet, and it proves nothing."""
    assert is_secret("0123456789abcdef0123456789abcdef")
    assert not is_secret("0123456789abcdef0123456789abcde")
    assert is_secret("Abcdefghij0123456789Kl")
    assert not is_secret("Abcdefghij0123456789K")
    assert is_secret("zyxwvutsrqponmlkjihgfedcb")
    assert not is_secret("zyxwvutsrqponmlkjihgfedc")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["x", "y"]),
    lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from("abc"), v, max_size=2),
    max_leaves=6,
)
_KEYS = st.sampled_from([EXTENSION, "k", "sign-in-with-x"])
_EXTENSIONS = st.dictionaries(_KEYS, _JSON | st.fixed_dictionaries({"info": _JSON}), max_size=2)


class _Fresh:
    """Stands for the official sign-in extension, which names the fields that it makes anew."""

    key = "sign-in-with-x"
    dynamic_info_fields = ("nonce", "issuedAt", "expirationTime")


def official_verdict(advertised: dict[str, Any], echoed: dict[str, Any]) -> bool:
    """What the official server says."""
    server = x402ResourceServerSync()
    server.register_extension(cast(Any, _Fresh()))
    return bool(
        server.validate_extensions(
            OfficialRequired.model_validate({"accepts": [], "extensions": advertised}),
            OfficialPayload.model_validate({**payment(), "extensions": echoed}),
        ).valid
    )


def our_verdict(advertised: dict[str, Any], echoed: dict[str, Any]) -> bool:
    """What we say."""
    try:
        check_echo(advertised, echoed)
    except Refusal as refused:
        assert refused.reason is Reason.EXTENSION_ECHO_MISMATCH
        return False
    return True


@given(_EXTENSIONS, _EXTENSIONS)
def test_the_echo_rule_is_the_official_one(advertised: dict[str, Any], echoed: dict[str, Any]) -> None:
    """For any two maps of extensions the verdicts agree."""
    assert our_verdict(advertised, echoed) == official_verdict(advertised, echoed)


@given(_EXTENSIONS, _EXTENSIONS)
def test_an_echo_with_additions_passes(advertised: dict[str, Any], added: dict[str, Any]) -> None:
    """As long as what was advertised is in it; again the verdicts agree."""
    echoed = {**added, **advertised}
    assert our_verdict(advertised, echoed)
    assert official_verdict(advertised, echoed)


@pytest.mark.parametrize(
    ("advertised", "echoed", "accepted"),
    [
        ({EXTENSION: declaration()}, {}, True),
        ({EXTENSION: declaration()}, {EXTENSION: {"info": {"required": False, "id": "a" * 32}}}, True),
        ({EXTENSION: declaration()}, {EXTENSION: {"info": {"required": True}}}, False),
        ({EXTENSION: declaration()}, {EXTENSION: {"info": {"id": "a" * 32}}}, False),
        ({EXTENSION: declaration()}, {EXTENSION: None}, False),
        ({"sign-in-with-x": _SIGN_IN},
         {"sign-in-with-x": {"info": {**_SIGN_IN["info"], "nonce": "n0", "issuedAt": "t0"}}}, True),
        ({"sign-in-with-x": _SIGN_IN},
         {"sign-in-with-x": {"info": {**_SIGN_IN["info"], "resources": ["x"]}}}, False),
        ({}, {"builder-code": {"info": {"s": ["me"]}}}, True),
        ({}, {"builder-code": {"info": {"a": "me"}}}, False),
    ],
)  # fmt: skip
def test_echoes_that_matter(advertised: dict[str, Any], echoed: dict[str, Any], accepted: bool) -> None:
    """Absent, completed, changed and shortened echoes, as the official server judges them."""
    assert our_verdict(advertised, echoed) is accepted
    assert official_verdict(advertised, echoed) is accepted
