"""The headers of x402, v1 and v2, and how a JSON message travels in one (specifications, HTTP transport).

A message is compact UTF-8 JSON in the standard base64 alphabet with padding. Exactly one spelling
decodes: no line breaks, no URL-safe alphabet, no missing padding, no stray trailing bits (threat 2).
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from tollgate.errors import BadRequest
from tollgate.wire import strict_json

PAYMENT_REQUIRED = "payment-required"
PAYMENT_SIGNATURE = "payment-signature"
PAYMENT_RESPONSE = "payment-response"
X_PAYMENT = "x-payment"
X_PAYMENT_RESPONSE = "x-payment-response"
SIGN_IN_WITH_X = "sign-in-with-x"

# Bytes of a payment header's value. API Gateway takes 10,240 for all headers and the request line;
# an ordinary payment has about 1,300.
MAX_PAYMENT_HEADER = 8192

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def encode(message: Mapping[str, Any]) -> str:
    """The header value of a message."""
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(text.encode()).decode()


def decode(value: str) -> Any:
    """The JSON in a header value.

    Raises ``BadRequest``: 431 ``payment_header_too_large``; 400 ``payment_header_repeated`` for a
    comma, which is how HTTP joins a header given twice (threat 11); 400
    ``payment_header_not_base64``; else as ``strict_json.loads``.
    """
    if len(value) > MAX_PAYMENT_HEADER:
        raise BadRequest(
            431,
            "payment_header_too_large",
            f"A payment header must be at most {MAX_PAYMENT_HEADER} bytes.",
        )
    if "," in value:
        raise BadRequest(400, "payment_header_repeated", "Send one payment header with one value: it holds a comma.")
    return strict_json.loads(_from_base64(value), max_bytes=MAX_PAYMENT_HEADER)


def _from_base64(value: str) -> bytes:
    if _BASE64.fullmatch(value) is not None:
        try:
            data = base64.b64decode(value, validate=True)
        except binascii.Error:
            data = b""
        if base64.b64encode(data).decode() == value:
            return data
    raise BadRequest(
        400,
        "payment_header_not_base64",
        "The payment header must be standard base64 with padding, on one line.",
    )
