"""Signers: low s, right recovery id, strict DER; KMS itself is doubled here with a key in memory."""

import random
from typing import Any

import coincurve
import pytest

from tollgate.chain.signer import KmsSigner, LocalSigner, parse_der
from tollgate.errors import ConfigurationError
from tollgate.schemes.secp256k1 import HALF_ORDER, ORDER, recover_address

RANDOM = random.Random(65)
PREFIX = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a03420004")


def _der_integer(number: int) -> bytes:
    digits = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes([len(digits)]) + digits


def _der(r: int, s: int) -> bytes:
    body = _der_integer(r) + _der_integer(s)
    return b"\x30" + bytes([len(body)]) + body


class Kms:
    """Answers as KMS does: DER, and a high s every other time. ``answer`` overrides the signature."""

    def __init__(self, answer: bytes | None = None) -> None:
        self.key = coincurve.PrivateKey(RANDOM.randbytes(32))
        self.spki = PREFIX + self.key.public_key.format(compressed=False)[1:]
        self.answer = answer
        self.calls: list[str] = []
        self.high = 0

    def get_public_key(self, **request: Any) -> dict[str, Any]:
        self.calls.append("GetPublicKey")
        assert request == {"KeyId": "k"}
        return {"PublicKey": self.spki}

    def sign(self, **request: Any) -> dict[str, Any]:
        self.calls.append("Sign")
        assert (request["MessageType"], request["SigningAlgorithm"]) == ("DIGEST", "ECDSA_SHA_256")
        if self.answer is not None:
            return {"Signature": self.answer}
        compact = self.key.sign_recoverable(request["Message"], hasher=None)
        r, s = int.from_bytes(compact[:32], "big"), int.from_bytes(compact[32:64], "big")
        if len(self.calls) % 2:
            self.high += 1
            s = ORDER - s
        return {"Signature": _der(r, s)}


def _signer(kms: Any) -> KmsSigner:
    return KmsSigner(kms, "k")


def test_kms_signatures_come_back_with_low_s_and_recover_to_the_key() -> None:
    """Forty digests, half of them answered with a high s; the public key is fetched once."""
    kms = Kms()
    signer = _signer(kms)
    for _ in range(40):
        digest = RANDOM.randbytes(32)
        signature = signer.sign(digest)
        assert int.from_bytes(signature[32:64], "big") <= HALF_ORDER
        assert recover_address(digest, signature) == signer.address()
    assert kms.high == 20
    assert kms.calls.count("GetPublicKey") == 1
    assert kms.calls.count("Sign") == 40


def test_a_kms_that_hashes_the_digest_again_is_named_as_misconfigured() -> None:
    """moto does this; a transaction signed so would come from a random account."""
    kms = Kms()
    digest = RANDOM.randbytes(32)
    compact = kms.key.sign_recoverable(digest)
    kms.answer = _der(int.from_bytes(compact[:32], "big"), int.from_bytes(compact[32:64], "big"))
    with pytest.raises(ConfigurationError, match="something else"):
        _signer(kms).sign(digest)


def test_another_kind_of_key_is_named_as_misconfigured() -> None:
    """P-256 has an SPKI of its own."""
    kms = Kms()
    kms.spki = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + kms.spki[-64:]
    with pytest.raises(ConfigurationError, match="ECC_SECG_P256K1"):
        _signer(kms).address()


BROKEN_DER: dict[str, bytes] = {
    "empty": b"",
    "compact, not DER": bytes([1]) * 64,
    "not a sequence": b"\x31" + _der(5, 7)[1:],
    "wrong outer length": b"\x30\x07" + _der(5, 7)[2:],
    "trailing bytes": _der(5, 7) + b"\x00",
    "trailing bytes inside": b"\x30\x07" + _der(5, 7)[2:] + b"\x00",
    "negative r": b"\x30\x06\x02\x01\x85\x02\x01\x07",
    "padded r": b"\x30\x07\x02\x02\x00\x05\x02\x01\x07",
    "empty integer": b"\x30\x06\x02\x00\x02\x02\x00\x80",
    "truncated s": b"\x30\x06\x02\x01\x05\x02\x02\x07",
    "zero r": b"\x30\x06\x02\x01\x00\x02\x01\x07",
    "zero s": b"\x30\x06\x02\x01\x05\x02\x01\x00",
    "r of the order": _der(ORDER, 7),
    "s of the order": _der(5, ORDER),
    "34 bytes": b"\x30\x27\x02\x22" + b"\x01" * 34 + b"\x02\x01\x07",
    "long form of the length": b"\x30\x81\x06\x02\x01\x05\x02\x01\x07",
}


@pytest.mark.parametrize("der", BROKEN_DER.values(), ids=BROKEN_DER.keys())
def test_anything_but_strict_der_is_refused(der: bytes) -> None:
    """By the parser with ValueError, by the signer as a KMS that is not one."""
    with pytest.raises(ValueError, match=r"DER|length|bytes|negative|shortest|range"):
        parse_der(der)
    with pytest.raises(ConfigurationError, match="did not answer"):
        _signer(Kms(der)).sign(bytes(32))


def test_der_of_every_size_is_read() -> None:
    """Short and long integers, with and without the sign byte."""
    for r, s in [(5, 7), (127, 128), (255, 256), (ORDER - 1, ORDER - 1), (2**255, 1), (2**255 - 1, 2**248)]:
        assert parse_der(_der(r, s)) == (r, s)


def test_a_local_signer_recovers_to_its_address_and_does_not_show_its_key() -> None:
    """For tools and tests."""
    key = RANDOM.randbytes(32)
    signer = LocalSigner(key)
    for _ in range(20):
        digest = RANDOM.randbytes(32)
        assert recover_address(digest, signer.sign(digest)) == signer.address()
    assert key.hex() not in repr(signer) + repr(vars(signer))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_only_digests_are_signed(length: int) -> None:
    """KMS would refuse it too; a local key would not."""
    with pytest.raises(ValueError, match="32 bytes"):
        LocalSigner(bytes([1]) * 32).sign(bytes(length))
    with pytest.raises(ValueError, match="32 bytes"):
        _signer(Kms()).sign(bytes(length))
