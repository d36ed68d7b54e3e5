"""Raw EIP-1559 transactions, read back: who sent what, at which nonce and fees."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tollgate.chain.transactions import DynamicFeeTransaction
from tollgate.schemes.secp256k1 import recover_address
from tollgate.wire.keccak import keccak256
from tollgate.wire.primitives import Address


@dataclass(frozen=True, slots=True)
class Sent:
    """A signed transaction. Fees are wei per gas, ``hash`` is 0x-prefixed."""

    raw: bytes
    hash: str
    sender: str
    transaction: DynamicFeeTransaction

    @property
    def nonce(self) -> int:
        """Its sender's nonce."""
        return self.transaction.nonce


@lru_cache(maxsize=4096)
def read_transaction(raw: bytes) -> Sent:
    """Read a signed transaction of type 2. Raises ``ValueError`` on anything else."""
    if raw[:1] != b"\x02":
        raise ValueError("not a transaction of type 2")
    fields, end = _item(raw, 1)
    if end != len(raw) or not isinstance(fields, list) or len(fields) != 12:
        raise ValueError("not twelve fields")
    numbers = [int.from_bytes(field, "big") for field in (*fields[:5], fields[6], *fields[9:])]
    chain_id, nonce, tip, max_fee, gas, value, parity, r, s = numbers
    transaction = DynamicFeeTransaction(
        chain_id=chain_id,
        nonce=nonce,
        max_priority_fee_per_gas=tip,
        max_fee_per_gas=max_fee,
        gas_limit=gas,
        to=Address(fields[5]),
        value=value,
        data=fields[7],
    )
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + parity])
    sender = recover_address(transaction.signing_digest(), signature)
    return Sent(raw, "0x" + keccak256(raw).hex(), sender.lower, transaction)


def _item(data: bytes, at: int) -> tuple[Any, int]:
    """One RLP item and where the next begins."""
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    is_list = first >= 0xC0
    size = first - (0xC0 if is_list else 0x80)
    at += 1
    if size > 55:
        digits = size - 55
        size = int.from_bytes(data[at : at + digits], "big")
        at += digits
    end = at + size
    if end > len(data):
        raise ValueError("cut off")
    if not is_list:
        return data[at:end], end
    items = []
    while at < end:
        item, at = _item(data, at)
        items.append(item)
    return items, end
