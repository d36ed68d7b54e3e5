"""Recovering signers, against eth-account, and everything that must not recover."""

import random

import coincurve
import pytest
from eth_account import Account
from eth_keys.datatypes import PrivateKey as ReferenceKey

from tollgate.schemes.secp256k1 import HALF_ORDER, ORDER, address_of_public_key, recover_address
from tollgate.wire.primitives import Address

RANDOM = random.Random(20261121)


def _signed() -> tuple[bytes, bytes, Address]:
    key = ReferenceKey(RANDOM.randbytes(32))
    digest = RANDOM.randbytes(32)
    signature = key.sign_msg_hash(digest).to_bytes()
    return (
        digest,
        signature[:64] + bytes([27 + signature[64]]),
        Address.parse(key.public_key.to_checksum_address()),
    )


def test_the_signer_is_recovered_as_an_independent_implementation_signs() -> None:
    """Two hundred random keys and digests."""
    for _ in range(200):
        digest, signature, address = _signed()
        assert recover_address(digest, signature) == address


def test_the_native_back_end_is_the_one_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pure Python would cost a hundred times as much; coincurve, which has no such fallback, does the work."""
    calls = []
    recover = coincurve.keys.recover
    monkeypatch.setattr(coincurve.keys, "recover", lambda *args, **more: calls.append(args) or recover(*args, **more))
    digest, signature, address = _signed()
    assert recover_address(digest, signature) == address
    assert len(calls) == 1
    assert coincurve._libsecp256k1.lib.secp256k1_ecdsa_recover is not None


def test_a_public_key_has_the_address_that_eth_account_derives() -> None:
    """x || y without the prefix byte; another length is refused."""
    account = Account.from_key(RANDOM.randbytes(32))
    point = coincurve.PrivateKey(bytes(account.key)).public_key.format(compressed=False)
    assert str(address_of_public_key(point[1:])) == account.address
    with pytest.raises(ValueError, match="64 bytes"):
        address_of_public_key(point)


def test_a09_the_malleable_twin_with_a_high_s_is_refused() -> None:
    """(r, ORDER - s, other v) recovers to the same key mathematically; no token accepts it."""
    digest, signature, _ = _signed()
    s = int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([27 + 28 - signature[64]])
    with pytest.raises(ValueError, match="upper half"):
        recover_address(digest, twin)


def test_a09_the_largest_low_s_is_in_range_and_the_next_is_not() -> None:
    """The boundary lies where OpenZeppelin's ECDSA has it."""
    assert HALF_ORDER == 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
    digest, signature, _ = _signed()
    recover_address(digest, signature[:32] + HALF_ORDER.to_bytes(32, "big") + signature[64:])
    with pytest.raises(ValueError, match="upper half"):
        recover_address(digest, signature[:32] + (HALF_ORDER + 1).to_bytes(32, "big") + signature[64:])


@pytest.mark.parametrize("v", [0, 1, 2, 3, 26, 29, 30, 31, 35, 255])
def test_a09_only_27_and_28_are_recovery_ids(v: int) -> None:
    """USDC and OpenZeppelin both hand v to ecrecover as it stands."""
    digest, signature, _ = _signed()
    with pytest.raises(ValueError, match="27 or 28"):
        recover_address(digest, signature[:64] + bytes([v]))


@pytest.mark.parametrize("length", [0, 1, 63, 64, 66, 130])
def test_a09_compact_and_other_lengths_are_refused(length: int) -> None:
    """EIP-2098's 64 bytes too: the v, r, s overload has no room for them."""
    digest, signature, _ = _signed()
    with pytest.raises(ValueError, match="65 bytes"):
        recover_address(digest, (signature * 2)[:length])


@pytest.mark.parametrize("r", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_an_r_out_of_range_is_refused(r: int) -> None:
    """ecrecover answers the zero address for these."""
    digest, signature, _ = _signed()
    with pytest.raises(ValueError, match="r is out of range"):
        recover_address(digest, r.to_bytes(32, "big") + signature[32:])


def test_an_s_of_zero_is_refused() -> None:
    """Zero is not a signature."""
    digest, signature, _ = _signed()
    with pytest.raises(ValueError, match="s is out of range"):
        recover_address(digest, signature[:32] + bytes(32) + signature[64:])


def test_an_r_without_a_point_on_the_curve_is_a_value_error() -> None:
    """x = 5 has no y: x^3 + 7 = 132 is no square there."""
    with pytest.raises(ValueError, match="recover"):
        recover_address(bytes([1]) * 32, (5).to_bytes(32, "big") + (1).to_bytes(32, "big") + b"\x1b")


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_digest_of_another_length_is_refused(length: int) -> None:
    """Nothing is hashed on the way."""
    with pytest.raises(ValueError, match="digest"):
        recover_address(bytes(length), _signed()[1])
