"""An event as a contract emitted it, in the shape that proofs are read from."""

from dataclasses import dataclass

from tollgate.wire.primitives import Address, Bytes32


@dataclass(frozen=True, slots=True)
class Log:
    """One event log. ``topics`` are 32-byte words; ``log_index`` counts within the block."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    log_index: int
    transaction: Bytes32
    block_number: int
    block_hash: Bytes32
