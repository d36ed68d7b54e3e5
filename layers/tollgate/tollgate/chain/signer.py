"""Keys that sign, for the relayer and for receipts: in KMS, or in memory for tools and tests.

A signature is 65 bytes r || s || v, v of 27 or 28, s in the lower half of the group order.
"""

from typing import TYPE_CHECKING, Protocol

from coincurve import PrivateKey

from tollgate.errors import ConfigurationError
from tollgate.schemes.secp256k1 import HALF_ORDER, ORDER, address_of_public_key, recover_address
from tollgate.wire.primitives import Address

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

# SubjectPublicKeyInfo of an uncompressed secp256k1 point (RFC 5480, SEC 2): only the point varies.
_SPKI_PREFIX = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a03420004")


class Signer(Protocol):
    """Holds one key."""

    def address(self) -> Address:
        """The account that the key controls."""

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest."""


class LocalSigner:
    """A key in memory; for tools and tests. The key never shows in ``repr``."""

    def __init__(self, private_key: bytes) -> None:
        self._key = PrivateKey(private_key)
        self._address = address_of_public_key(self.public_key())

    def address(self) -> Address:
        """The account that the key controls."""
        return self._address

    def public_key(self) -> bytes:
        """The point: 64 bytes x || y."""
        return self._key.public_key.format(compressed=False)[1:]

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest (libsecp256k1 signs with low s and an RFC 6979 nonce)."""
        if len(digest) != 32:
            raise ValueError("a digest has 32 bytes")
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])


class KmsSigner:
    """An ``ECC_SECG_P256K1`` key of KMS. The public key is fetched once in an instance's life.

    KMS answers DER without a recovery id, and in about half of all cases with a high s. Errors of
    the KMS call itself (botocore's) are left alone: nothing was signed that left the process.
    """

    def __init__(self, client: "KMSClient", key_id: str) -> None:
        self._client = client
        self._key_id = key_id
        self._point: bytes | None = None
        self._address: Address | None = None

    def address(self) -> Address:
        """The account that the key controls. Raises ``ConfigurationError`` for another kind of key."""
        if self._address is None:
            self._address = address_of_public_key(self.public_key())
        return self._address

    def public_key(self) -> bytes:
        """The point: 64 bytes x || y. Raises ``ConfigurationError`` for another kind of key."""
        if self._point is None:
            key = self._client.get_public_key(KeyId=self._key_id)["PublicKey"]
            if len(key) != len(_SPKI_PREFIX) + 64 or not key.startswith(_SPKI_PREFIX):
                raise ConfigurationError("a key that signs here must have key spec ECC_SECG_P256K1 in KMS")
            self._point = key[len(_SPKI_PREFIX) :]
        return self._point

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest: one KMS call, $0.15 for ten thousand.

        Raises ``ConfigurationError`` when what comes back is not this key's signature of ``digest``.
        """
        if len(digest) != 32:
            raise ValueError("a digest has 32 bytes")
        address = self.address()
        answer = self._client.sign(
            KeyId=self._key_id,
            Message=digest,
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        try:
            r, s = parse_der(answer["Signature"])
        except ValueError as error:
            raise ConfigurationError("KMS did not answer an ECDSA signature") from error
        if s > HALF_ORDER:
            s = ORDER - s
        compact = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        for v in (27, 28):
            signature = compact + bytes([v])
            if _signed_by(address, digest, signature):
                return signature
        raise ConfigurationError("KMS signed something else than the digest, or with another key")


def _signed_by(address: Address, digest: bytes, signature: bytes) -> bool:
    try:
        return recover_address(digest, signature) == address
    except ValueError:
        # r has no point for this recovery id: it is the other one
        return False


def parse_der(der: bytes) -> tuple[int, int]:
    """r and s of a strict DER ``ECDSA-Sig-Value`` (RFC 3279), each in 1..ORDER-1. Raises ``ValueError``."""
    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2:
        raise ValueError("not one DER sequence")
    r, rest = _der_integer(der[2:])
    s, rest = _der_integer(rest)
    if rest:
        raise ValueError("bytes after the signature")
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise ValueError("r or s is out of range")
    return r, s


def _der_integer(data: bytes) -> tuple[int, bytes]:
    if len(data) < 3 or data[0] != 0x02 or not 1 <= data[1] <= 33 or len(data) < 2 + data[1]:
        raise ValueError("not a DER integer")
    digits, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    if digits[0] & 0x80:
        raise ValueError("negative")
    if len(digits) > 1 and digits[0] == 0 and not digits[1] & 0x80:
        raise ValueError("not the shortest form")
    return int.from_bytes(digits, "big"), rest
