"""A buyer who signs with eth-account: software of others, so that our own hashing is not its own witness."""

import base64
import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

_TYPES = {
    "TransferWithAuthorization": [
        {"name": "from", "type": "address"},
        {"name": "to", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "validAfter", "type": "uint256"},
        {"name": "validBefore", "type": "uint256"},
        {"name": "nonce", "type": "bytes32"},
    ]
}


def encode(message: dict[str, Any]) -> str:
    """A header's value."""
    return base64.b64encode(json.dumps(message).encode()).decode()


def decode(value: str) -> dict[str, Any]:
    """Read a header's value."""
    message: dict[str, Any] = json.loads(base64.b64decode(value))
    return message


def sign(
    account: LocalAccount,
    required: dict[str, Any],
    *,
    identifier: str | None = None,
    now: float | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A signed payment for the first offer in ``required``; ``changes`` alter the signed authorization."""
    accepted = required["accepts"][0]
    moment = int(time.time() if now is None else now)
    authorization = {
        "from": account.address,
        "to": accepted["payTo"],
        "value": accepted["amount"],
        "validAfter": "0",
        "validBefore": str(moment + accepted["maxTimeoutSeconds"]),
        "nonce": "0x" + secrets.token_hex(32),
        **changes,
    }
    signed = Account.sign_typed_data(
        account.key,
        domain_data={
            "name": accepted["extra"]["name"],
            "version": accepted["extra"]["version"],
            "chainId": int(accepted["network"].split(":")[1]),
            "verifyingContract": accepted["asset"],
        },
        message_types=_TYPES,
        message_data={
            **authorization,
            "value": int(authorization["value"]),
            "validAfter": int(authorization["validAfter"]),
            "validBefore": int(authorization["validBefore"]),
            "nonce": bytes.fromhex(authorization["nonce"][2:]),
        },
    )
    extensions = json.loads(json.dumps(required.get("extensions", {})))
    if identifier is not None:
        extensions["payment-identifier"]["info"]["id"] = identifier
    return {
        "x402Version": 2,
        "accepted": accepted,
        "payload": {
            "signature": "0x" + signed.signature.hex().removeprefix("0x"),
            "authorization": authorization,
        },
        "resource": required["resource"],
        "extensions": extensions,
    }


def as_v1(payment: dict[str, Any]) -> dict[str, Any]:
    """The same signed authorization as an x402 v1 payment on Base Sepolia, for X-PAYMENT."""
    return {"x402Version": 1, "scheme": "exact", "network": "base-sepolia", "payload": payment["payload"]}


def fresh_signature(
    account: LocalAccount, how: dict[str, Any], *, now: float | None = None, nonce: str | None = None
) -> str:
    """A SIGN-IN-WITH-X header for what a 409 asks in ``signIn``."""
    issued = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    fields = {
        "domain": how["domain"],
        "address": account.address,
        "uri": how["uri"],
        "version": how["version"],
        "chainId": how["chainId"],
        "type": how["type"],
        "nonce": nonce or secrets.token_hex(8),
        "issuedAt": issued.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "requestId": how["requestId"],
    }
    text = "\n".join(
        [
            f"{fields['domain']} wants you to sign in with your Ethereum account:",
            account.address,
            "",
            "",
            f"URI: {fields['uri']}",
            f"Version: {fields['version']}",
            f"Chain ID: {fields['chainId'].split(':')[1]}",
            f"Nonce: {fields['nonce']}",
            f"Issued At: {fields['issuedAt']}",
            f"Request ID: {fields['requestId']}",
        ]
    )
    signature = Account.sign_message(encode_defunct(text=text), account.key).signature.hex()
    return encode({**fields, "signature": "0x" + signature.removeprefix("0x")})


TRANSFER = "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)"


def transfer_arguments(payment: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments of ``TRANSFER`` that a payment authorizes: what anybody who saw it can put on chain."""
    a = payment["payload"]["authorization"]
    signature = bytes.fromhex(payment["payload"]["signature"][2:])
    return (
        a["from"],
        a["to"],
        int(a["value"]),
        int(a["validAfter"]),
        int(a["validBefore"]),
        bytes.fromhex(a["nonce"][2:]),
        signature[64],
        signature[:32],
        signature[32:64],
    )
