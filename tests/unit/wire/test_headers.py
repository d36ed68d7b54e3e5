"""Messages in headers: one spelling, the same as the official SDK's."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from x402.http.utils import (
    decode_payment_required_header,
    decode_payment_response_header,
    safe_base64_decode,
)
from x402.schemas import PaymentRequired as OfficialRequired
from x402.schemas import SettleResponse as OfficialResponse

from tests.unit.wire.samples import SELLER, USDC
from tollgate.errors import BadRequest
from tollgate.wire import headers
from tollgate.wire.models import PaymentRequired, Requirements, Resource, SettleResponse
from tollgate.wire.payment_identifier import EXTENSION, declaration
from tollgate.wire.primitives import Address, Network

_OFFER = PaymentRequired(
    resource=Resource("https://api.example.com/wetter/zürich", "Das Wetter", "application/json"),
    accepts=(
        Requirements(
            "exact", Network(84532), 10_000, Address.parse(USDC), Address.parse(SELLER), 60,
            {"name": "USDC", "version": "2"},
        ),
    ),
    extensions={EXTENSION: declaration()},
)  # fmt: skip


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53) + 1, 2**53 - 1), max_size=5))
def test_what_is_encoded_is_decoded(message: dict[str, Any]) -> None:
    """Any message of strings and safe integers survives, whatever its characters."""
    assert headers.decode(headers.encode(message)) == message


def test_the_official_models_read_our_offer() -> None:
    """PAYMENT-REQUIRED means to the official client what we meant."""
    read = decode_payment_required_header(headers.encode(_OFFER.to_json()))
    assert isinstance(read, OfficialRequired)
    assert read.model_dump(by_alias=True, exclude_none=True) == _OFFER.to_json()


@pytest.mark.parametrize(
    "response",
    [
        SettleResponse(True, "0x" + "ab" * 32, Network(84532), Address.parse(SELLER), 10_000),
        SettleResponse(False, "", Network(8453), error_reason="settlement_pending"),
    ],
)
def test_the_official_models_read_our_receipt(response: SettleResponse) -> None:
    """PAYMENT-RESPONSE too, for success and for what is pending."""
    read = decode_payment_response_header(headers.encode(response.to_json()))
    assert isinstance(read, OfficialResponse)
    assert read.model_dump(by_alias=True, exclude_none=True) == response.to_json()


def test_the_encoding_is_compact_standard_base64() -> None:
    """Headers are scarce: no spaces in the JSON, and characters as UTF-8, not as escapes."""
    assert safe_base64_decode(headers.encode({"a": ["ü", 1]})) == '{"a":["ü",1]}'


@pytest.mark.parametrize("value", ["e30", "e30==", "e31=", "e3A-", "e30=\n", " e30=", "e30=e30=", "=", "ééé="])
def test_another_spelling_of_base64_is_refused(value: str) -> None:
    """Missing or surplus padding, stray bits, the URL-safe alphabet, white space, two texts in one."""
    with pytest.raises(BadRequest) as caught:
        headers.decode(value)
    assert (caught.value.status, caught.value.code) == (400, "payment_header_not_base64")


def test_a_comma_means_two_headers() -> None:
    """A header given twice arrives joined by a comma, with or without a space."""
    for joined in ("e30=,e30=", "e30=, e30=", ","):
        with pytest.raises(BadRequest) as caught:
            headers.decode(joined)
        assert (caught.value.status, caught.value.code) == (400, "payment_header_repeated")


def test_the_cap_counts_the_header_not_the_json() -> None:
    """8192 characters are read, 8196 are 431 even when they are not base64."""
    fits = base64.b64encode(b'"' + b"a" * 6142 + b'"').decode()
    assert len(fits) == headers.MAX_PAYMENT_HEADER
    assert headers.decode(fits) == "a" * 6142
    for value in (fits + "AAAA", "," * 8193):
        with pytest.raises(BadRequest) as caught:
            headers.decode(value)
        assert (caught.value.status, caught.value.code) == (431, "payment_header_too_large")
