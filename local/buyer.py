"""A buyer made of the official x402 SDK, and a stranger who has only what is public."""

import base64
import json
from typing import Any

from eth_abi.abi import decode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from x402 import x402ClientSync
from x402.extensions.payment_identifier import append_payment_identifier_to_extensions
from x402.http.utils import (
    decode_payment_required_header,
    encode_payment_signature_header,
)
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact import ExactEvmScheme
from x402.schemas import PaymentPayload, PaymentRequired

_TRANSFER = [
    "address", "address", "uint256", "uint256", "uint256", "bytes32", "uint8", "bytes32", "bytes32",
]  # fmt: skip


# Where it may spend anything at all: Base Sepolia, real or stood in for, and a chain of one's own.
NETWORKS = ("eip155:84532", "eip155:31337")


def demo_buyer() -> LocalAccount:
    """A key that everybody knows, for `make serve`: never fund it on a real network."""
    account: LocalAccount = Account.from_key(keccak(text="tollgate local buyer"))
    return account


def read_header(value: str) -> dict[str, Any]:
    """The JSON object in a payment header."""
    message: dict[str, Any] = json.loads(base64.b64decode(value))
    return message


def write_header(message: dict[str, Any]) -> str:
    """The other way round."""
    return base64.b64encode(json.dumps(message, separators=(",", ":")).encode()).decode()


def pay(account: LocalAccount, payment_required: str) -> str:
    """Sign what a PAYMENT-REQUIRED header offers; the PAYMENT-SIGNATURE holds a payment-identifier."""
    client = x402ClientSync()
    for network in NETWORKS:
        client.register(network, ExactEvmScheme(EthAccountSigner(account)))
    required = decode_payment_required_header(payment_required)
    payload = client.create_payment_payload(required)
    if not isinstance(required, PaymentRequired) or not isinstance(payload, PaymentPayload):
        raise TypeError("the offer is not x402 version 2")
    payload.extensions = append_payment_identifier_to_extensions(dict(required.extensions or {}))
    return encode_payment_signature_header(payload)


def rebuild(payment_required: str, calldata: str) -> str:
    """A stranger's PAYMENT-SIGNATURE: the mined transaction and the public offer are all it takes."""
    payer, to, value, after, before, nonce, v, r, s = decode(_TRANSFER, bytes.fromhex(calldata[10:]))
    offer = read_header(payment_required)
    return write_header(
        {
            "x402Version": 2,
            "resource": offer["resource"],
            "accepted": offer["accepts"][0],
            "payload": {
                "signature": "0x" + (r + s + bytes([v])).hex(),
                "authorization": {
                    "from": payer,
                    "to": to,
                    "value": str(value),
                    "validAfter": str(after),
                    "validBefore": str(before),
                    "nonce": "0x" + nonce.hex(),
                },
            },
            "extensions": offer.get("extensions", {}),
        }
    )


def forge(payment_signature: str) -> str:
    """The same header with another nonce and so without a signature that fits."""
    message = read_header(payment_signature)
    authorization = message["payload"]["authorization"]
    authorization["nonce"] = "0x" + (int(authorization["nonce"], 16) ^ 1).to_bytes(32).hex()
    return write_header(message)
