"""The small values that everything else is made of: parse once, then only right values exist.

Every ``parse`` raises ``ValueError`` with a sentence; the caller that knows the field's name turns
it into a ``BadRequest``. ``fullmatch`` and explicit ASCII classes everywhere: ``$`` matches before
a newline and ``int()`` takes ``" 1_0 "`` and Arabic digits (threats 5 and 6).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from tollgate.wire.keccak import keccak256

UINT256_MAX = 2**256 - 1

_ATOMIC = re.compile(r"0|[1-9][0-9]{0,77}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_BYTES32 = re.compile(r"0x[0-9a-fA-F]{64}")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_CAIP2_EVM = re.compile(r"eip155:([1-9][0-9]{0,19})")


def parse_atomic(text: object) -> int:
    """Parse an atomic amount (or a Unix time) as x402 writes it: a plain decimal string, at most 2^256-1."""
    if not isinstance(text, str) or _ATOMIC.fullmatch(text) is None:
        raise ValueError("must be a decimal string without sign, spaces or leading zeros")
    value = int(text)
    if value > UINT256_MAX:
        raise ValueError("must fit in 256 bits")
    return value


def parse_hex(text: object, *, max_bytes: int) -> bytes:
    """Parse 0x-prefixed hex of any even length up to ``max_bytes`` bytes."""
    if not isinstance(text, str) or _HEX.fullmatch(text) is None:
        raise ValueError("must be 0x-prefixed hex with an even number of digits")
    if len(text) > 2 + 2 * max_bytes:
        raise ValueError(f"must be at most {max_bytes} bytes")
    return bytes.fromhex(text[2:])


@lru_cache(maxsize=1024)
def _checksummed(raw: bytes) -> str:
    digits = raw.hex()
    digest = keccak256(digits.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(digits, digest, strict=False))


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A 20-byte EVM address; compared as bytes, printed with its EIP-55 checksum (threat 7)."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 20:
            raise ValueError("an address has 20 bytes")

    @classmethod
    def parse(cls, text: object) -> "Address":
        """Parse ``0x`` and 40 hex digits in any case; a mixed-case checksum is not enforced."""
        if not isinstance(text, str) or _ADDRESS.fullmatch(text) is None:
            raise ValueError("must be 0x and 40 hex digits")
        return cls(bytes.fromhex(text[2:]))

    @property
    def lower(self) -> str:
        """Lower-case form: the one used in keys."""
        return "0x" + self.raw.hex()

    def __str__(self) -> str:
        return _checksummed(self.raw)


@dataclass(frozen=True, slots=True, order=True)
class Bytes32:
    """A 32-byte word: an authorization nonce, a transaction or block hash, a digest."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise ValueError("a word has 32 bytes")

    @classmethod
    def parse(cls, text: object) -> "Bytes32":
        """Parse ``0x`` and 64 hex digits in any case."""
        if not isinstance(text, str) or _BYTES32.fullmatch(text) is None:
            raise ValueError("must be 0x and 64 hex digits")
        return cls(bytes.fromhex(text[2:]))

    def __str__(self) -> str:
        return "0x" + self.raw.hex()


@dataclass(frozen=True, slots=True, order=True)
class Network:
    """An EVM network as CAIP-2 names it: ``eip155:<chain id>``."""

    chain_id: int

    @classmethod
    def parse(cls, text: object) -> "Network":
        """Parse a CAIP-2 id of the eip155 namespace."""
        match = _CAIP2_EVM.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError("must be a CAIP-2 id such as eip155:84532")
        return cls(int(match.group(1)))

    def __str__(self) -> str:
        return f"eip155:{self.chain_id}"
