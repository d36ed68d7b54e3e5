"""SIGN-IN-WITH-X: the header and the signed text of the official SDK, and nothing that reads two ways.

The vectors were made with PyPI ``x402`` 2.25.0 and ``signinwithethereum`` 5.0.2, key 0x11...11.
"""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st
from x402.extensions.sign_in_with_x import SIGN_IN_WITH_X, SIWxPayload, encode_siwx_header

from tollgate.errors import BadRequest
from tollgate.wire import headers
from tollgate.wire.sign_in_with_x import message_of, parse_sign_in, seconds_of

_VECTORS = json.loads((Path(__file__).parent / "sign_in_vectors.json").read_text())
_SIGNER = Account.from_key("0x" + "11" * 32).address
_FIELDS = {
    "domain": "api.example.com",
    "address": _SIGNER,
    "uri": "https://api.example.com/weather",
    "version": "1",
    "chainId": "eip155:84532",
    "type": "eip191",
    "nonce": "a1B2c3D4e5F6",
    "issuedAt": "2026-11-21T10:00:00Z",
    "signature": "0x" + "ab" * 65,
}


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda v: str(v["name"]))
def test_the_signed_text_is_the_official_one(vector: dict[str, str]) -> None:
    """From the header alone we rebuild, to the byte, what the wallet signed."""
    sign_in = parse_sign_in(vector["header"])
    assert message_of(sign_in) == vector["text"]
    signed = encode_defunct(text=message_of(sign_in))
    assert Account.recover_message(signed, signature=sign_in.signature) == _SIGNER
    assert str(sign_in.address) == _SIGNER


def test_the_header_of_the_official_encoder_is_read() -> None:
    """Field by field, with everything optional present."""
    payload = SIWxPayload(
        **_FIELDS,
        statement="Hello.",
        expirationTime="2026-11-21T10:05:00Z",
        notBefore="2026-11-21T09:59:00Z",
        requestId="ab12",
        resources=["https://api.example.com/weather"],
        signatureScheme="eip191",
    )
    sign_in = parse_sign_in(encode_siwx_header(payload))
    assert headers.SIGN_IN_WITH_X == SIGN_IN_WITH_X
    assert (sign_in.domain, sign_in.uri, sign_in.nonce) == tuple(_FIELDS[k] for k in ("domain", "uri", "nonce"))
    assert (sign_in.issued_at, sign_in.expiration_time, sign_in.not_before) == (
        "2026-11-21T10:00:00Z", "2026-11-21T10:05:00Z", "2026-11-21T09:59:00Z",
    )  # fmt: skip
    assert (sign_in.statement, sign_in.request_id, sign_in.resources) == (
        "Hello.", "ab12", ("https://api.example.com/weather",),
    )  # fmt: skip
    assert sign_in.network.chain_id == 84532
    assert sign_in.signature == b"\xab" * 65
    assert "abab" not in repr(sign_in)


_LINE = "x\n\nURI: https://evil.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("domain", _LINE),
        ("domain", ""),
        ("domain", "a/b"),
        ("domain", None),
        ("uri", "x"),
        ("uri", "https://a\nb"),
        ("uri", 7),
        ("nonce", "short"),
        ("nonce", "a" * 8 + "\n"),
        ("statement", _LINE),
        ("statement", ""),
        ("statement", "ü"),
        ("statement", 7),
        ("requestId", "a\nResources:"),
        ("requestId", "a b"),
        ("resources", ["https://a\n- b:c"]),
        ("resources", "https://a"),
        ("resources", [7]),
        ("issuedAt", "now"),
        ("issuedAt", 7),
        ("issuedAt", "2026-11-21"),
        ("expirationTime", "2026-02-29T00:00:00Z"),
        ("notBefore", "2026-11-21T10:00:00Z\n"),
        ("version", 1),
        ("version", "2"),
        ("type", "ed25519"),
        ("signatureScheme", "eip1271"),
        ("chainId", "solana:x"),
        ("chainId", 84532),
        ("address", "0x12"),
        ("signature", "0x" + "ab" * 64),
        ("signature", "0x" + "ab" * 66),
        ("signature", None),
    ],
)
def test_a_field_that_is_wrong_or_could_hold_a_line_is_named(name: str, value: Any) -> None:
    """A line break in a field would make the signed text read as another message."""
    message = headers.encode({**_FIELDS, name: value})
    if (name, value) == ("statement", ""):
        assert "\n\n\n\nURI: " in message_of(parse_sign_in(message))
        return
    with pytest.raises(BadRequest) as caught:
        parse_sign_in(message)
    assert (caught.value.status, caught.value.code) == (400, "malformed_sign_in")
    assert name in caught.value.sentence


def test_what_is_no_object_is_refused() -> None:
    """A list is valid JSON, but no message."""
    with pytest.raises(BadRequest, match="malformed_sign_in"):
        parse_sign_in("W10=")


@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001  the zone is drawn beside it
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_times_are_read_as_the_standard_library_reads_them(moment: datetime, minutes: int) -> None:
    """Any moment in any zone gives the same Unix seconds."""
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    assert seconds_of(aware.isoformat()) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-21T10:00:00",
        "2026-11-21 10:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-01-01T00:00:00Z",
    ],
)
def test_times_that_do_not_exist_are_refused(text: str) -> None:
    """Without an offset, out of range, or on a day that is not in the calendar."""
    with pytest.raises(ValueError, match="must"):
        seconds_of(text)
