"""Who signed a receipt: what a third party checks, with nothing but the receipt and a key that it trusts.

A valid signature says that a key signed, never that the key is the seller's: whom to believe comes from outside the
receipt (the seller's DID document, a key that was noted earlier), and is the caller's to compare.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.errors import BadRequest
from tollgate.schemes.secp256k1 import address_of_public_key, recover_address
from tollgate.wire.offer_receipt import Receipt, parse_jws, point_of
from tollgate.wire.primitives import Address, parse_hex


@dataclass(frozen=True, slots=True)
class Verified:
    """A receipt whose signature holds. ``signer`` is the account of the key; ``kid`` a JWS's name for it."""

    receipt: Receipt
    signer: Address
    format: str
    kid: str | None = None


def verify(signed: Any) -> Verified:
    """Check one signed receipt, as the extension writes it. Raises ``ValueError`` saying what is wrong."""
    try:
        match signed:
            case {"format": "eip712", "payload": payload, "signature": str(signature), **rest} if not rest:
                return _eip712(payload, signature)
            case {"format": "jws", "signature": str(text), **rest} if not rest:
                return _jws(text)
    except BadRequest as bad:
        raise ValueError(bad.sentence) from bad
    raise ValueError(
        "it is no signed receipt: it needs format eip712, payload and signature, or format jws and signature"
    )


def _eip712(payload: Mapping[str, Any], signature: str) -> Verified:
    receipt = Receipt.from_json(payload)
    signer = recover_address(receipt.eip712_digest(), parse_hex(signature, max_bytes=65))
    return Verified(receipt, signer, "eip712")


def _jws(text: str) -> Verified:
    jws = parse_jws(text)
    if "jwk" not in jws.header:
        raise ValueError("the JWS does not carry its key: verify the eip712 form")
    signer = address_of_public_key(point_of(jws.header["jwk"]))
    if signer not in _possible_signers(jws.digest, jws.signature):
        raise ValueError("the signature is not of the key that the JWS carries")
    return Verified(jws.receipt, signer, "jws", jws.header["kid"])


def _possible_signers(digest: bytes, signature: bytes) -> list[Address]:
    """ECDSA leaves two keys possible when nothing says which."""
    found = []
    for v in (27, 28):
        try:
            found.append(recover_address(digest, signature + bytes([v])))
        except ValueError:
            continue
    return found
