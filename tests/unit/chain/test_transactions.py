"""Raw transactions, byte for byte against eth-account."""

import random
from collections.abc import Callable

import pytest
from eth_account import Account

from tollgate.chain.signer import LocalSigner
from tollgate.chain.transactions import DynamicFeeTransaction, transaction_hash
from tollgate.wire.primitives import Address

RANDOM = random.Random(1559)


def _number(bits: int) -> int:
    return RANDOM.choice([0, 1, 127, 128, 255, 256, RANDOM.randrange(2**bits)])


def _data() -> bytes:
    sizes = [0, 1, 1, 54, 55, 56, 57, 255, 256, 292, 70_000, RANDOM.randrange(1000)]
    return RANDOM.choice([RANDOM.randbytes(RANDOM.choice(sizes)), b"\x00", b"\x7f", b"\x80"])


def test_random_transactions_are_encoded_and_signed_as_eth_account_does() -> None:
    """Signing digest, raw bytes and hash of three hundred transactions, at the edges of RLP's lengths."""
    for _ in range(300):
        key = RANDOM.randbytes(32)
        fee = _number(64)
        tx = DynamicFeeTransaction(
            chain_id=RANDOM.choice([1, 8453, 84532, 31337, 2**53]),
            nonce=_number(63),
            max_priority_fee_per_gas=RANDOM.randint(0, fee),
            max_fee_per_gas=fee,
            gas_limit=_number(40),
            to=Address(RANDOM.choice([RANDOM.randbytes(20), bytes(19) + b"\x01"])),
            value=_number(90),
            data=_data(),
        )
        signed = Account.sign_transaction(
            {
                "type": 2,
                "chainId": tx.chain_id,
                "nonce": tx.nonce,
                "maxPriorityFeePerGas": tx.max_priority_fee_per_gas,
                "maxFeePerGas": tx.max_fee_per_gas,
                "gas": tx.gas_limit,
                "to": str(tx.to),
                "value": tx.value,
                "data": tx.data,
                "accessList": [],
            },
            key,
        )
        raw = tx.encode(LocalSigner(key).sign(tx.signing_digest()))
        assert raw == bytes(signed.raw_transaction)
        assert transaction_hash(raw).raw == bytes(signed.hash)


def _plain(**other: int) -> DynamicFeeTransaction:
    numbers = {
        "chain_id": 84532,
        "nonce": 0,
        "max_priority_fee_per_gas": 1,
        "max_fee_per_gas": 2,
        "gas_limit": 21_000,
        "value": 0,
    }
    return DynamicFeeTransaction(**{**numbers, **other}, to=Address(bytes(20)), data=b"")


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": -1},
        {"nonce": 2**64 - 1},
        {"value": 2**256},
        {"max_priority_fee_per_gas": 3},
        {"gas_limit": -1},
    ],
)
def test_numbers_out_of_range_never_become_a_transaction(wrong: dict[str, int]) -> None:
    """A tip above the whole fee too: nodes refuse it."""
    with pytest.raises(ValueError, match=r"out of range|exceed"):
        _plain(**wrong)


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(66), bytes(64) + b"\x00", bytes(64) + b"\x1d"])
def test_only_a_signature_of_65_bytes_with_v_of_27_or_28_is_encoded(signature: bytes) -> None:
    """The y parity of the transaction is v - 27."""
    with pytest.raises(ValueError, match="65 bytes"):
        _plain().encode(signature)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 300])
def test_what_was_signed_is_read_back_from_its_bytes(size: int) -> None:
    """A replacement is the stored transaction with other fees: everything else must be there."""
    transaction = DynamicFeeTransaction(84532, 0, 10**6, 10**9, 160_000, Address(b"\x0a" * 20), 0, b"\x01" * size)
    signature = LocalSigner(b"\x07" * 32).sign(transaction.signing_digest())
    assert DynamicFeeTransaction.decode(transaction.encode(signature)) == transaction


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-1], lambda raw: raw + b"\x00", lambda raw: b"\x01" + raw[1:], lambda _: b""]
)
def test_other_bytes_are_no_transaction_of_ours(damage: Callable[[bytes], bytes]) -> None:
    """Cut off, with more behind, of another type, or nothing."""
    transaction = DynamicFeeTransaction(84532, 1, 1, 1, 21_000, Address(b"\x0a" * 20), 0, b"")
    raw = transaction.encode(LocalSigner(b"\x07" * 32).sign(transaction.signing_digest()))
    with pytest.raises(ValueError, match=r"RLP|transaction"):
        DynamicFeeTransaction.decode(damage(raw))
