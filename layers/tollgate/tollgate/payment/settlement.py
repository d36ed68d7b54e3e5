"""What a resource server asks of a facilitator's settle, and the three ways it can end.

These values travel as JSON between the proxy, reconcile and the settle function, and are what the
gateway's ``Settler`` Protocol speaks: a remote facilitator is read into the same three outcomes.
"""

from dataclasses import dataclass, field
from typing import Any

from tollgate.payment.identity import PaymentId
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32, Network, parse_atomic, parse_hex
from tollgate.wire.reasons import Reason


@dataclass(frozen=True, slots=True)
class SettleRequest:
    """An authorization to put on chain.

    ``seen_block`` is the height at which the nonce was still unused. ``max_timeout_seconds`` and
    ``resource_url`` are what was offered: a remote facilitator is told them.
    """

    network: Network
    asset: Address
    authorization: Authorization
    signature: bytes = field(repr=False)
    seen_block: int
    seller: str
    max_timeout_seconds: int
    resource_url: str

    @property
    def payment_id(self) -> PaymentId:
        """The payment's identity."""
        return PaymentId(self.network, self.asset, self.authorization.from_, self.authorization.nonce)

    def to_json(self) -> dict[str, Any]:
        """JSON form; amounts and times are decimal strings. Holds the signature: never log it."""
        a = self.authorization
        return {
            "network": str(self.network),
            "asset": str(self.asset),
            "from": str(a.from_),
            "to": str(a.to),
            "value": str(a.value),
            "validAfter": str(a.valid_after),
            "validBefore": str(a.valid_before),
            "nonce": str(a.nonce),
            "signature": "0x" + self.signature.hex(),
            "seenBlock": self.seen_block,
            "seller": self.seller,
            "maxTimeoutSeconds": self.max_timeout_seconds,
            "resourceUrl": self.resource_url,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "SettleRequest":
        """Read ``to_json`` back. Raises ``ValueError`` or ``KeyError`` on anything else."""
        return cls(
            network=Network.parse(data["network"]),
            asset=Address.parse(data["asset"]),
            authorization=Authorization(
                from_=Address.parse(data["from"]),
                to=Address.parse(data["to"]),
                value=parse_atomic(data["value"]),
                valid_after=parse_atomic(data["validAfter"]),
                valid_before=parse_atomic(data["validBefore"]),
                nonce=Bytes32.parse(data["nonce"]),
            ),
            signature=parse_hex(data["signature"], max_bytes=65),
            seen_block=int(data["seenBlock"]),
            seller=str(data["seller"]),
            # Requests that the first version wrote down do not say.
            max_timeout_seconds=int(data.get("maxTimeoutSeconds", 60)),
            resource_url=str(data.get("resourceUrl", "")),
        )


@dataclass(frozen=True, slots=True)
class TransferProof:
    """The log pair that proves a payment: AuthorizationUsed directly followed by Transfer.

    ``log_index`` is the Transfer's index in its block; ``sender`` who sent the transaction.
    """

    transaction: Bytes32
    log_index: int
    block_number: int
    block_hash: Bytes32
    sender: Address

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "transaction": str(self.transaction),
            "logIndex": self.log_index,
            "blockNumber": self.block_number,
            "blockHash": str(self.block_hash),
            "sender": str(self.sender),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "TransferProof":
        """Read ``to_json`` back. Raises ``ValueError`` or ``KeyError``."""
        return cls(
            transaction=Bytes32.parse(data["transaction"]),
            log_index=int(data["logIndex"]),
            block_number=int(data["blockNumber"]),
            block_hash=Bytes32.parse(data["blockHash"]),
            sender=Address.parse(data["sender"]),
        )


@dataclass(frozen=True, slots=True)
class TransferSeen:
    """A Transfer log as the chain shows it, whatever made it; ``value`` in atomic units."""

    from_: Address
    to: Address
    value: int
    transaction: Bytes32
    log_index: int
    block_number: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Paid. ``ours``: the mined transaction was sent by this facilitator's own relayer."""

    proof: TransferProof
    ours: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """Unknown: it may have been broadcast, it may still mine. ``transaction`` once there is a hash."""

    transaction: Bytes32 | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Proven impossible: the authorization expired unused at depth, or its nonce was used without our Transfer."""

    reason: Reason


SettleOutcome = Confirmed | Pending | Failed


def outcome_to_json(outcome: SettleOutcome) -> dict[str, Any]:
    """JSON form of an outcome."""
    match outcome:
        case Confirmed():
            return {"outcome": "confirmed", "proof": outcome.proof.to_json(), "ours": outcome.ours}
        case Pending():
            tx = outcome.transaction
            return {"outcome": "pending", "transaction": None if tx is None else str(tx)}
        case Failed():
            return {"outcome": "failed", "reason": outcome.reason.value}


def outcome_from_json(data: dict[str, Any]) -> SettleOutcome:
    """Read ``outcome_to_json`` back. Raises ``ValueError`` or ``KeyError``: the caller treats that as unknown."""
    match data["outcome"]:
        case "confirmed":
            if not isinstance(data["ours"], bool):
                raise ValueError("ours must be a boolean")
            return Confirmed(TransferProof.from_json(data["proof"]), data["ours"])
        case "pending":
            tx = data["transaction"]
            return Pending(None if tx is None else Bytes32.parse(tx))
        case "failed":
            return Failed(Reason(data["reason"]))
    raise ValueError("unknown outcome")
