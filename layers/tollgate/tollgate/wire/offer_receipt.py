"""A signed receipt as x402's extension ``offer-receipt`` defines it: what is signed, and how it travels.

    {"format": "eip712", "payload": {...}, "signature": "0x<r><s><v>"}
    {"format": "jws", "signature": "<header>.<payload>.<r || s>"}        ES256K over the same payload

Source: specs/extensions/extension-offer-and-receipt.md of x402-foundation/x402, sections 3 and 5; JWS by RFC 7515
and RFC 8812, the payload in the canonical form of RFC 8785. The fields are texts, signed as they are spelled.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.wire.keccak import keccak256
from tollgate.wire.strict_json import MAX_SAFE_INTEGER, loads

EXTENSION = "offer-receipt"
VERSION = 1
ALGORITHM = "ES256K"
MAX_RECEIPT_BYTES = 65_536

_DOMAIN = keccak256(
    keccak256(b"EIP712Domain(string name,string version,uint256 chainId)")
    + keccak256(b"x402 receipt")
    + keccak256(b"1")
    # Not the payment's network: the extension fixes it, for signatures that no chain ever sees.
    + (1).to_bytes(32, "big")
)
_TYPE = keccak256(
    b"Receipt(uint256 version,string network,string resourceUrl,string payer,uint256 issuedAt,string transaction)"
)
_TEXTS = ("network", "resourceUrl", "payer", "transaction")
_FIELDS = frozenset({*_TEXTS, "version", "issuedAt"})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says, and all that it says. ``issued_at`` is Unix seconds; ``transaction`` may be ""."""

    network: str
    resource_url: str
    payer: str
    issued_at: int
    transaction: str

    def to_json(self) -> dict[str, Any]:
        """The payload, in the extension's order."""
        return {
            "version": VERSION,
            "network": self.network,
            "resourceUrl": self.resource_url,
            "payer": self.payer,
            "issuedAt": self.issued_at,
            "transaction": self.transaction,
        }

    @classmethod
    def from_json(cls, payload: Any) -> "Receipt":
        """Read a payload of version 1. Raises ``ValueError`` for anything missing, unknown or of another kind."""
        if not isinstance(payload, Mapping) or not _FIELDS - {"transaction"} <= payload.keys() <= _FIELDS:
            raise ValueError("the payload does not have the fields of a receipt")
        if type(payload["version"]) is not int or payload["version"] != VERSION:
            raise ValueError(f"only receipts of version {VERSION} are known")
        issued_at = payload["issuedAt"]
        if type(issued_at) is not int or not 0 <= issued_at <= MAX_SAFE_INTEGER:
            raise ValueError("issuedAt must be Unix seconds")
        texts = [payload.get(name, "") for name in _TEXTS]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("the payload does not have the fields of a receipt")
        network, resource_url, payer, transaction = texts
        return cls(network, resource_url, payer, issued_at, transaction)

    def eip712_digest(self) -> bytes:
        """The 32 bytes that an EIP-712 signature of it signs."""
        words = (
            VERSION.to_bytes(32, "big"),
            keccak256(self.network.encode()),
            keccak256(self.resource_url.encode()),
            keccak256(self.payer.encode()),
            self.issued_at.to_bytes(32, "big"),
            keccak256(self.transaction.encode()),
        )
        return keccak256(b"\x19\x01" + _DOMAIN + keccak256(_TYPE + b"".join(words)))


@dataclass(frozen=True, slots=True)
class Jws:
    """A compact JWS, read: ``digest`` is the SHA-256 that was signed, ``signature`` the 64 bytes r || s."""

    header: Mapping[str, Any]
    receipt: Receipt
    digest: bytes
    signature: bytes


def jws_input(receipt: Receipt, header: Mapping[str, Any]) -> str:
    """The two parts of a JWS that are signed, joined by a dot."""
    return f"{_encode(_canonical(header))}.{_encode(_canonical(receipt.to_json()))}"


def jws_digest(signed: str) -> bytes:
    """What ES256K signs of ``jws_input``."""
    return hashlib.sha256(signed.encode()).digest()


def compact(signed: str, signature: bytes) -> str:
    """The JWS itself. Raises ``ValueError`` unless the signature is 64 bytes r || s."""
    if len(signature) != 64:
        raise ValueError("an ES256K signature has 64 bytes")
    return f"{signed}.{_encode(signature)}"


def parse_jws(text: str) -> Jws:
    """Read a compact JWS; who signed it is not looked at. Raises ``ValueError``."""
    parts = text.split(".")
    if len(parts) != 3:
        raise ValueError("a compact JWS has three parts")
    header = _object(parts[0])
    if header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str) or "crit" in header:
        raise ValueError(f"the JWS header must name {ALGORITHM} and a kid")
    signature = _decode(parts[2])
    if len(signature) != 64:
        raise ValueError("an ES256K signature has 64 bytes")
    receipt = Receipt.from_json(_object(parts[1]))
    return Jws(header, receipt, jws_digest(f"{parts[0]}.{parts[1]}"), signature)


def public_jwk(point: bytes) -> dict[str, str]:
    """A secp256k1 public key, 64 bytes x || y, as a JWK (RFC 8812)."""
    return {"kty": "EC", "crv": "secp256k1", "x": _encode(point[:32]), "y": _encode(point[32:])}


def point_of(jwk: Any) -> bytes:
    """The 64 bytes x || y of a JWK. Raises ``ValueError``."""
    if not isinstance(jwk, Mapping) or (jwk.get("kty"), jwk.get("crv")) != ("EC", "secp256k1"):
        raise ValueError("the key must be a JWK on secp256k1")
    x, y = jwk.get("x"), jwk.get("y")
    if not isinstance(x, str) or not isinstance(y, str):
        raise ValueError("the key must be a JWK on secp256k1")
    point = _decode(x) + _decode(y)
    if len(point) != 64 or len(_decode(x)) != 32:
        raise ValueError("the key must be a JWK on secp256k1")
    return point


def _canonical(value: Mapping[str, Any]) -> bytes:
    # RFC 8785 for what stands here: ASCII names, texts, integers below 2^53.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _object(part: str) -> dict[str, Any]:
    value = loads(_decode(part), max_bytes=MAX_RECEIPT_BYTES)
    if not isinstance(value, dict):
        raise ValueError("a part of the JWS is no JSON object")
    return value


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Exactly one spelling decodes, so that no byte of a JWS can be changed unseen."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise ValueError("a part of the JWS is not base64url") from error
    if _encode(data) != text:
        raise ValueError("a part of the JWS is not base64url")
    return data
