"""JSON-RPC results into values; anything odd is ``ChainUnavailable``, never a guess."""

import re
from dataclasses import dataclass
from typing import Any

from tollgate.chain.rpc import RpcError
from tollgate.errors import ChainUnavailable
from tollgate.schemes.logs import Log
from tollgate.wire.primitives import Address, Bytes32, parse_hex

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_MAX_DATA = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """A block: ``timestamp`` in Unix seconds, ``base_fee`` in wei per gas (0 where there is none)."""

    number: int
    timestamp: int
    hash: Bytes32
    base_fee: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction. ``succeeded`` is the receipt's status; it proves nothing about a payment."""

    transaction: Bytes32
    succeeded: bool
    block_number: int
    block_hash: Bytes32
    sender: Address
    logs: tuple[Log, ...]


def odd(what: str, value: Any = None) -> ChainUnavailable:
    """The exception for an unusable result. The node's own text stays out of it."""
    if isinstance(value, RpcError):
        return ChainUnavailable(f"the node refused {what} (code {value.code})")
    return ChainUnavailable(f"the node's answer for {what} is unusable")


def quantity(value: Any, what: str) -> int:
    """A hex quantity of at most 256 bits."""
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise odd(what, value)
    return int(value, 16)


def account_nonce(value: Any) -> int:
    """A transaction count: an account's next nonce (below 2^64 - 1, EIP-2681)."""
    what = "the transaction count"
    count = quantity(value, what)
    if count >= 2**64 - 1:
        raise odd(what)
    return count


def word(value: Any, what: str) -> bytes:
    """Exactly 32 bytes: what a call that returns one static value answers. No code answers "0x"."""
    data = blob(value, what)
    if len(data) != 32:
        raise odd(what, value)
    return data


def flag(value: Any, what: str) -> bool:
    """A Solidity bool."""
    number = int.from_bytes(word(value, what), "big")
    if number > 1:
        raise odd(what, value)
    return number == 1


def blob(value: Any, what: str) -> bytes:
    """Bytes as 0x-prefixed hex."""
    try:
        return parse_hex(value, max_bytes=_MAX_DATA)
    except ValueError:
        pass
    raise odd(what, value)


def head(value: Any, what: str = "a block") -> Head:
    """A mined block."""
    if not isinstance(value, dict):
        raise odd(what, value)
    fee = value.get("baseFeePerGas")
    return Head(
        number=quantity(value.get("number"), what),
        timestamp=quantity(value.get("timestamp"), what),
        hash=_bytes32(value.get("hash"), what),
        base_fee=0 if fee is None else quantity(fee, what),
    )


def log(value: Any) -> Log:
    """One mined log; a removed one (reorganised away) is not usable."""
    what = "a log"
    if not isinstance(value, dict) or value.get("removed") not in (None, False):
        raise odd(what, value)
    topics = value.get("topics")
    if not isinstance(topics, list) or len(topics) > 4:
        raise odd(what)
    return Log(
        address=_address(value.get("address"), what),
        topics=tuple(word(t, what) for t in topics),
        data=blob(value.get("data"), what),
        log_index=quantity(value.get("logIndex"), what),
        transaction=_bytes32(value.get("transactionHash"), what),
        block_number=quantity(value.get("blockNumber"), what),
        block_hash=_bytes32(value.get("blockHash"), what),
    )


def logs(value: Any) -> tuple[Log, ...]:
    """A list of mined logs."""
    if not isinstance(value, list):
        raise odd("logs", value)
    return tuple(log(item) for item in value)


def receipt(value: Any, transaction: Bytes32) -> Receipt | None:
    """The receipt of ``transaction``; ``None`` where there is none, or only that of a block in the making."""
    what = "a receipt"
    if value is None:
        return None
    if not isinstance(value, dict):
        raise odd(what, value)
    if value.get("blockHash") is None or value.get("blockNumber") is None:
        return None
    status = quantity(value.get("status"), what)
    found = Receipt(
        transaction=_bytes32(value.get("transactionHash"), what),
        succeeded=status == 1,
        block_number=quantity(value.get("blockNumber"), what),
        block_hash=_bytes32(value.get("blockHash"), what),
        sender=_address(value.get("from"), what),
        logs=logs(value.get("logs")),
    )
    if found.block_hash.raw == bytes(32):
        return None
    strangers = any((entry.transaction, entry.block_hash) != (transaction, found.block_hash) for entry in found.logs)
    if found.transaction != transaction or status > 1 or strangers:
        raise odd(what)
    return found


def _bytes32(value: Any, what: str) -> Bytes32:
    return Bytes32(word(value, what))


def _address(value: Any, what: str) -> Address:
    data = blob(value, what)
    if len(data) != 20:
        raise odd(what)
    return Address(data)
