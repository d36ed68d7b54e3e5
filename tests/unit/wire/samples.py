"""A well-formed payment as JSON, and ways to bend it, for the tests of the wire."""

import base64
import copy
import json
from typing import Any

from tollgate.wire import headers

PAYER = "0x857b06519E91e3A54538791bDbb0E22373e36b66"
SELLER = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
USDC = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
NONCE = "0x" + "f3" * 32
SIGNATURE = "0x" + "2d" * 32 + "5b" * 32 + "1c"

_PAYMENT: dict[str, Any] = {
    "x402Version": 2,
    "accepted": {
        "scheme": "exact",
        "network": "eip155:84532",
        "amount": "10000",
        "asset": USDC,
        "payTo": SELLER,
        "maxTimeoutSeconds": 60,
        "extra": {"name": "USDC", "version": "2"},
    },
    "payload": {
        "signature": SIGNATURE,
        "authorization": {
            "from": PAYER,
            "to": SELLER,
            "value": "10000",
            "validAfter": "0",
            "validBefore": "1740672154",
            "nonce": NONCE,
        },
    },
    "resource": {"url": "https://api.example.com/weather"},
    "extensions": {},
}

# A place in the message: the keys that lead to it.
Place = tuple[str, ...]
AUTHORIZATION: Place = ("payload", "authorization")


class _Absent:
    """Marks a field that is to be removed."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


def payment(*changes: tuple[Place, Any]) -> dict[str, Any]:
    """The message with some places changed; ``ABSENT`` removes one."""
    message = copy.deepcopy(_PAYMENT)
    for place, value in changes:
        inside = message
        for key in place[:-1]:
            inside = inside[key]
        if isinstance(value, _Absent):
            del inside[place[-1]]
        else:
            inside[place[-1]] = value
    return message


def header(*changes: tuple[Place, Any]) -> str:
    """The PAYMENT-SIGNATURE value of ``payment(*changes)``."""
    return headers.encode(payment(*changes))


def header_of_text(text: str | bytes) -> str:
    """The header value of any text, right or wrong."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def text() -> str:
    """The JSON text of the unchanged payment."""
    return json.dumps(_PAYMENT)
