"""Recovering who signed, over libsecp256k1 (``coincurve``: 0.1 ms, against 10 ms in pure Python).

Strict in the way token contracts are (OpenZeppelin's ECDSA, USDC's ECRecover): 65 bytes r || s || v,
v of 27 or 28, s in the lower half of the group order. A contract would revert on anything else, so
accepting it here would let a payment through that can never settle (threat 9).
"""

from coincurve import PublicKey

from tollgate.wire.keccak import keccak256
from tollgate.wire.primitives import Address

# The order of the group (SEC 2, secp256k1).
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_ORDER = ORDER // 2


def address_of_public_key(point: bytes) -> Address:
    """The address of an uncompressed public key: 64 bytes x || y, without the 0x04 prefix.

    Raises ``ValueError`` on another length; whether the point is on the curve is not checked.
    """
    if len(point) != 64:
        raise ValueError("a public key has 64 bytes")
    return Address(keccak256(point)[12:])


def recover_address(digest: bytes, signature: bytes) -> Address:
    """The address whose key made ``signature`` (65 bytes r || s || v) over the 32-byte ``digest``.

    Raises ``ValueError`` on a wrong length, v other than 27 and 28, r or s out of range, a high s,
    or an r that no point of the curve has.
    """
    if len(digest) != 32:
        raise ValueError("a digest has 32 bytes")
    if len(signature) != 65:
        raise ValueError("a signature has 65 bytes")
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:64], "big")
    v = signature[64]
    if v not in (27, 28):
        raise ValueError("v must be 27 or 28")
    if not 0 < r < ORDER:
        raise ValueError("r is out of range")
    if not 0 < s <= HALF_ORDER:
        raise ValueError("s is out of range or in the upper half")
    compact = signature[:64] + bytes([v - 27])
    key = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    return address_of_public_key(key.format(compressed=False)[1:])
