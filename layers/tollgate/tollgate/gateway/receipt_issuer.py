"""Signs receipts, in both forms of the ``offer-receipt`` extension, with one key that does nothing else.

Whose key it is, the public URL itself says: its DID document (did:web) lists the key, and a JWS names it by ``kid``.
"""

from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from tollgate.payment.record import Payment
from tollgate.wire.offer_receipt import ALGORITHM, Receipt, compact, jws_digest, jws_input, public_jwk
from tollgate.wire.primitives import Address


class ReceiptKey(Protocol):
    """A secp256k1 key that owns nothing."""

    def address(self) -> Address:
        """The account that an EIP-712 signature recovers to."""

    def public_key(self) -> bytes:
        """The point: 64 bytes x || y."""

    def sign(self, digest: bytes) -> bytes:
        """65 bytes r || s || v over a 32-byte digest."""


def did_of(base_url: str) -> str:
    """did:web of the document at ``<base_url>/x402/did.json``."""
    split = urlsplit(base_url)
    parts = [split.netloc, *(part for part in split.path.split("/") if part), "x402"]
    return "did:web:" + ":".join(quote(part, safe="") for part in parts)


@dataclass(frozen=True, slots=True)
class ReceiptIssuer:
    """Over one key. ``base_url`` is the public one, without a trailing slash."""

    key: ReceiptKey
    base_url: str

    def issue(self, payment: Payment, now: int) -> list[dict[str, Any]]:
        """The receipt of a payment that was settled and served, issued ``now`` (Unix seconds), in both forms.

        Raises ``ValueError`` for a payment without a transaction: a bug.
        """
        if payment.transaction is None:
            raise ValueError("a payment without a transaction has no receipt")
        receipt = Receipt(
            network=str(payment.id.network),
            resource_url=payment.claim.resource_url,
            payer=str(payment.id.payer),
            issued_at=now,
            transaction=str(payment.transaction),
        )
        signed = jws_input(receipt, {"alg": ALGORITHM, "kid": self.kid, "jwk": public_jwk(self.key.public_key())})
        return [
            {
                "format": "eip712",
                "payload": receipt.to_json(),
                "signature": "0x" + self.key.sign(receipt.eip712_digest()).hex(),
            },
            {"format": "jws", "signature": compact(signed, self.key.sign(jws_digest(signed))[:64])},
        ]

    @property
    def kid(self) -> str:
        """The key's name in the DID document."""
        return f"{did_of(self.base_url)}#{self.key.address().lower}"

    def document(self) -> dict[str, Any]:
        """The DID document: the key as a JWK for JWS, and as an account for EIP-712."""
        did = did_of(self.base_url)
        account = f"{did}#account"
        return {
            "@context": [
                "https://www.w3.org/ns/did/v1",
                "https://w3id.org/security/suites/jws-2020/v1",
                "https://w3id.org/security/suites/secp256k1recovery-2020/v2",
            ],
            "id": did,
            "verificationMethod": [
                {
                    "id": self.kid,
                    "type": "JsonWebKey2020",
                    "controller": did,
                    "publicKeyJwk": public_jwk(self.key.public_key()),
                },
                {
                    "id": account,
                    "type": "EcdsaSecp256k1RecoveryMethod2020",
                    "controller": did,
                    # CAIP-10; the chain is the one that the extension's EIP-712 domain names.
                    "blockchainAccountId": f"eip155:1:{self.key.address()}",
                },
            ],
            "assertionMethod": [self.kid, account],
        }
