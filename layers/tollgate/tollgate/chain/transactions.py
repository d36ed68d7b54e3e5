"""EIP-1559 transactions (type 2): what is signed, what is sent, its hash, and reading it back.

RLP by hand: https://ethereum.org/developers/docs/data-structures-and-encoding/rlp/ , EIP-2718, EIP-1559.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tollgate.wire.keccak import keccak256
from tollgate.wire.primitives import Address, Bytes32

_TYPE = b"\x02"

_Item = int | bytes | Sequence["_Item"]


def _rlp(item: _Item) -> bytes:
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _length(len(item), 0x80) + item
    body = b"".join(_rlp(i) for i in item)
    return _length(len(body), 0xC0) + body


def _length(size: int, offset: int) -> bytes:
    if size < 56:
        return bytes([offset + size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(digits)]) + digits


def _read_rlp(data: bytes) -> tuple[bytes | list[Any], bytes]:
    """The first item of ``data`` and what follows it. Raises ``ValueError``."""
    if not data:
        raise ValueError("the RLP ends too early")
    first, rest = data[0], data[1:]
    if first < 0x80:
        return data[:1], rest
    base = 0x80 if first < 0xC0 else 0xC0
    size = first - base
    if size > 55:
        width = size - 55
        size, rest = int.from_bytes(rest[:width], "big"), rest[width:]
    if len(rest) < size:
        raise ValueError("the RLP ends too early")
    body, rest = rest[:size], rest[size:]
    if base == 0x80:
        return body, rest
    items: list[Any] = []
    while body:
        item, body = _read_rlp(body)
        items.append(item)
    return items, rest


@dataclass(frozen=True, slots=True)
class DynamicFeeTransaction:
    """An unsigned call. Fees are wei per gas, ``value`` is wei; no access list, never a creation."""

    chain_id: int
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas_limit: int
    to: Address
    value: int
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        numbers = (
            self.chain_id,
            self.nonce,
            self.max_priority_fee_per_gas,
            self.max_fee_per_gas,
            self.gas_limit,
            self.value,
        )
        if min(numbers) < 0 or max(numbers) >= 2**256 or self.nonce >= 2**64 - 1:
            raise ValueError("a number of the transaction is out of range")
        if self.max_priority_fee_per_gas > self.max_fee_per_gas:
            raise ValueError("the tip cannot exceed the whole fee")

    def _fields(self) -> list[_Item]:
        return [
            self.chain_id,
            self.nonce,
            self.max_priority_fee_per_gas,
            self.max_fee_per_gas,
            self.gas_limit,
            self.to.raw,
            self.value,
            self.data,
            [],
        ]

    def signing_digest(self) -> bytes:
        """The 32 bytes that the relayer signs."""
        return keccak256(_TYPE + _rlp(self._fields()))

    def encode(self, signature: bytes) -> bytes:
        """The raw transaction, given 65 bytes r || s || v with v of 27 or 28. Raises ``ValueError``."""
        if len(signature) != 65 or signature[64] not in (27, 28):
            raise ValueError("a signature has 65 bytes and v of 27 or 28")
        r = int.from_bytes(signature[:32], "big")
        s = int.from_bytes(signature[32:64], "big")
        return _TYPE + _rlp([*self._fields(), signature[64] - 27, r, s])

    @classmethod
    def decode(cls, raw: bytes) -> "DynamicFeeTransaction":
        """What ``encode`` made, without its signature. Raises ``ValueError`` for any other bytes."""
        fields, rest = _read_rlp(raw[1:])
        if raw[:1] != _TYPE or not isinstance(fields, list) or len(fields) != 12 or rest:
            raise ValueError("not a signed EIP-1559 transaction")
        chain_id, nonce, tip, max_fee, gas, to, value, data, access, *_ = fields
        if access:
            raise ValueError("a transaction with an access list is not one of ours")
        chain_id, nonce, tip, max_fee, gas, value = (
            int.from_bytes(number, "big") for number in (chain_id, nonce, tip, max_fee, gas, value)
        )
        return cls(chain_id, nonce, tip, max_fee, gas, Address(to), value, data)


def transaction_hash(raw: bytes) -> Bytes32:
    """The hash under which the network knows a raw transaction."""
    return Bytes32(keccak256(raw))
