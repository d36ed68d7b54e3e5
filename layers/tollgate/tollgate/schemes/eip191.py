"""EIP-191 version 0x45: the digest that wallets sign for a plain text (``personal_sign``)."""

from tollgate.wire.keccak import keccak256


def personal_digest(text: str) -> bytes:
    """The 32-byte digest of ``text``; the length in the prefix counts UTF-8 bytes, not characters."""
    message = text.encode()
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)
