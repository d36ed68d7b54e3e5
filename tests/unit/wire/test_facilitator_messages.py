"""The facilitator's messages: arbitrary bytes never surprise, and answers are what official models take."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from x402.schemas import SettleResponse as OfficialSettleResponse
from x402.schemas import VerifyResponse as OfficialVerifyResponse

from tollgate.errors import BadRequest, Refusal
from tollgate.payment.v1_names import network_named
from tollgate.wire.facilitator_messages import (
    MAX_BODY_BYTES,
    SettleAnswer,
    VerifyResponse,
    parse_envelope,
    read_business,
)
from tollgate.wire.primitives import Address
from tollgate.wire.reasons import Reason

PAYER = Address(b"\x05" * 20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.binary(max_size=400))
def test_bytes_are_an_envelope_or_a_bad_request(body: bytes) -> None:
    """Never another error."""
    with pytest.raises(BadRequest) as bad:
        parse_envelope(body)
    assert bad.value.status == 400


@given(st.integers(-1, 4), st.dictionaries(st.text(), _JSON), st.dictionaries(st.text(), _JSON))
def test_any_payment_in_a_sound_envelope_is_refused_with_a_reason(
    version: int, payload: dict[str, Any], requirements: dict[str, Any]
) -> None:
    """The envelope can be read, whatever numbers and texts are in it; what it holds is a Refusal, never a bug."""
    message = {
        "x402Version": version,
        "paymentPayload": {"x402Version": version, **payload},
        "paymentRequirements": {"scheme": "exact", **requirements, "network": "base-sepolia"},
    }
    try:
        envelope = parse_envelope(json.dumps(message).encode())
    except BadRequest as bad:
        assert bad.status == 400  # a lone surrogate, or a number that is none
        return
    with pytest.raises(Refusal):
        read_business(envelope, network_named)


def test_a4_a_large_or_deep_body_costs_no_time() -> None:
    """Sizes are checked before anything is parsed."""
    started = time.thread_time()
    for body in (b"[" * MAX_BODY_BYTES, b"9" * MAX_BODY_BYTES, b" " * (MAX_BODY_BYTES + 1), b'{"a":' * 10_000):
        with pytest.raises(BadRequest):
            parse_envelope(body)
    assert time.thread_time() - started < 0.2


@pytest.mark.parametrize("reason", [None, *Reason])
def test_an_answer_has_a_reason_exactly_when_it_is_no_success(reason: Reason | None) -> None:
    """In both messages, in the words of the official models."""
    verdict = VerifyResponse(PAYER, reason, "Why." if reason else "")
    assert verdict.to_json()["isValid"] is (reason is None)
    official = OfficialVerifyResponse.model_validate(verdict.to_json())
    assert (official.is_valid, official.invalid_reason) == (reason is None, reason.value if reason else None)
    assert official.payer == str(PAYER)
    answer = SettleAnswer("base", "0x" + "1" * 64, PAYER, 5 if reason is None else None, reason, "Why.")
    settled = OfficialSettleResponse.model_validate(answer.to_json())
    assert (settled.success, settled.error_reason) == (reason is None, reason.value if reason else None)
    assert (settled.amount, settled.network) == ("5" if reason is None else None, "base")


def test_what_is_not_known_is_left_out() -> None:
    """No nulls: TypeScript's readers tell them from absence."""
    assert VerifyResponse(None, Reason.INVALID_PAYLOAD, "Why.").to_json() == {
        "isValid": False,
        "invalidReason": "invalid_payload",
        "invalidMessage": "Why.",
    }
    assert SettleAnswer("base", reason=Reason.INVALID_PAYLOAD, message="Why.").to_json() == {
        "success": False,
        "transaction": "",
        "network": "base",
        "errorReason": "invalid_payload",
        "errorMessage": "Why.",
    }
