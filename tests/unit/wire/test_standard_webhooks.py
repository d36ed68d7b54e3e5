"""Signatures of webhooks, against the specification's own example and what receivers must refuse."""

import base64

import pytest

from tollgate.wire.standard_webhooks import parse_secret, signed_headers

# Source: Standard Webhooks, reference libraries' test vector.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_reference_example_is_signed_the_same() -> None:
    """Byte for byte, so that any library of theirs verifies ours."""
    headers = signed_headers(ID, AT, BODY, [parse_secret(SECRET)])
    assert headers == {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": SIGNATURE}


def test_while_secrets_are_rotated_both_sign() -> None:
    """Separated by a blank, each with its version."""
    other = b"x" * 32
    both = signed_headers(ID, AT, BODY, [other, parse_secret(SECRET)])["webhook-signature"].split(" ")
    assert both == [signed_headers(ID, AT, BODY, [other])["webhook-signature"], SIGNATURE]


@pytest.mark.parametrize("change", [(ID + "x", AT, BODY), (ID, AT + 1, BODY), (ID, AT, BODY + b" ")])
def test_a103_id_time_and_body_are_all_signed(change: tuple[str, int, bytes]) -> None:
    """None of them can be another's."""
    assert signed_headers(*change, [parse_secret(SECRET)])["webhook-signature"] != SIGNATURE


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_!!!!",
     "whsec_" + base64.b64encode(b"x" * 23).decode(), "whsec_" + base64.b64encode(b"x" * 65).decode()],
)  # fmt: skip
def test_a_secret_that_is_none_is_not_repeated(text: str) -> None:
    """Too short to be a secret, or not one at all."""
    with pytest.raises(ValueError, match="24 to 64 random bytes") as refused:
        parse_secret(text)
    assert len(text) < 8 or text not in str(refused.value)
