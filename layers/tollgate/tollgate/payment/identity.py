"""Who a payment is: ``network # asset # payer # nonce``, never its header and never its signature.

EIP-3009 makes (asset, payer, nonce) single-use on a chain, so this names exactly one transfer.
Two spellings of one nonce, or a signature's malleable twin, are the same payment (threats 2, 8, 9).
"""

import hashlib
from dataclasses import dataclass

from tollgate.wire.models import PaymentPayload
from tollgate.wire.primitives import Address, Bytes32, Network


@dataclass(frozen=True, slots=True)
class PaymentId:
    """Identity of an EIP-3009 payment."""

    network: Network
    asset: Address
    payer: Address
    nonce: Bytes32

    @classmethod
    def of(cls, payment: PaymentPayload) -> "PaymentId":
        """The identity of a parsed payment."""
        authorization = payment.payload.authorization
        return cls(
            payment.accepted.network,
            payment.accepted.asset,
            authorization.from_,
            authorization.nonce,
        )

    @classmethod
    def parse(cls, key: str) -> "PaymentId":
        """Read back what ``str`` wrote. Raises ``ValueError``."""
        network, asset, payer, nonce = key.split("#")
        return cls(Network.parse(network), Address.parse(asset), Address.parse(payer), Bytes32.parse(nonce))

    def __str__(self) -> str:
        return f"{self.network}#{self.asset.lower}#{self.payer.lower}#{self.nonce}"

    @property
    def digest(self) -> str:
        """SHA-256 of the identity in hex: the id that travels in answers and logs (64 digits)."""
        return hashlib.sha256(str(self).encode()).hexdigest()
