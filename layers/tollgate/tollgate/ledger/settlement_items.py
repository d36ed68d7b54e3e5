"""Settlements as values and as DynamoDB items."""

import hashlib
import json
from dataclasses import dataclass, field, replace

from tollgate.ledger.dynamo import Item, Update, Value
from tollgate.payment.identity import PaymentId
from tollgate.payment.settlement import (
    Confirmed,
    Failed,
    Pending,
    SettleOutcome,
    SettleRequest,
    TransferProof,
)
from tollgate.payment.states import SettlementState
from tollgate.wire.primitives import Address, Bytes32, Network
from tollgate.wire.reasons import Reason

_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Slot:
    """One nonce of one relayer."""

    network: Network
    relayer: Address
    nonce: int

    @property
    def key(self) -> str:
        """Key of the slot's item."""
        return f"NNC#{self.network}#{self.relayer.lower}#{self.nonce}"


@dataclass(frozen=True, slots=True)
class RelayerQueue:
    """A relayer's counter: ``next`` to be reserved (``None``: never used), and the mined nonce ``seen`` at the last
    reservation that saw it move, or saw nothing open, at ``seen_at`` (Unix seconds)."""

    next: int | None = None
    seen: int = 0
    seen_at: int = 0

    @classmethod
    def of(cls, item: Item | None) -> "RelayerQueue":
        """Read the counter's item."""
        item = item or {}
        return cls(item.get("next"), item.get("seen", 0), item.get("seen_at", 0))

    def open(self, chain_nonce: int) -> int:
        """How many nonces are reserved and not mined."""
        return max(0, (self.next or 0) - chain_nonce)

    def looked_at(self, chain_nonce: int, now: int) -> "RelayerQueue":
        """After another look at the chain."""
        if chain_nonce > self.seen or not self.open(chain_nonce):
            return RelayerQueue(self.next, chain_nonce, now)
        return self

    def is_stuck(self, chain_nonce: int, now: float, patience: float) -> bool:
        """Whether something is open and nothing has mined for ``patience`` seconds."""
        return self.looked_at(chain_nonce, -1) == self and now - self.seen_at > patience


@dataclass(frozen=True, slots=True)
class SignedBytes:
    """What was signed for a nonce: the newest version, and the hashes of those that it replaced, oldest first.

    Any of them may mine, and only one can. ``height`` is the chain's head when the newest was signed, in blocks;
    0 where it was not written down.
    """

    raw: bytes = field(repr=False)
    transaction: Bytes32
    replaced: tuple[Bytes32, ...] = ()
    height: int = 0

    @property
    def transactions(self) -> tuple[Bytes32, ...]:
        """The hashes of all versions, the newest first."""
        return (self.transaction, *reversed(self.replaced))


@dataclass(frozen=True, slots=True)
class Settlement:
    """One settlement, read consistently. ``lease_until`` is Unix seconds.

    ``slot`` is ``None`` for a payment that was already used when it was first brought here.
    ``filler``: the stored bytes do not pay, they only use up the nonce. ``holds_room``: it counts as open in its
    payer's row. ``reverted``: the transaction of ours that mined and reverted, once that was counted.
    """

    request: SettleRequest
    state: SettlementState
    slot: Slot | None = None
    owner: str = ""
    lease_until: int = 0
    signed: SignedBytes | None = None
    filler: bool = False
    proof: TransferProof | None = None
    ours: bool = False
    reason: Reason | None = None
    holds_room: bool = False
    reverted: Bytes32 | None = None

    @property
    def id(self) -> PaymentId:
        """The payment's identity."""
        return self.request.payment_id

    @property
    def raw(self) -> bytes | None:
        """The newest signed bytes."""
        return self.signed.raw if self.signed else None

    @property
    def transaction(self) -> Bytes32 | None:
        """The hash of the newest signed bytes."""
        return self.signed.transaction if self.signed else None

    def alive(self, now: float) -> bool:
        """Whether whoever reserved the nonce may still be about to sign."""
        return now <= self.lease_until

    @property
    def outcome(self) -> SettleOutcome:
        """What this state answers; a filler's hash is not the payment's."""
        if self.proof is not None:
            return Confirmed(self.proof, self.ours)
        if self.reason is not None:
            return Failed(self.reason)
        return Pending(None if self.filler else self.transaction)


@dataclass(frozen=True, slots=True)
class OpenSlot:
    """What is known of a nonce: its settlement, or the bytes that filled a hole, or nothing.

    ``orphan_of``: key of the settlement that it was reserved for, which the table does not hold.
    """

    slot: Slot
    settlement: Settlement | None = None
    signed: SignedBytes | None = None
    orphan_of: str | None = None


@dataclass(frozen=True, slots=True)
class DailyCap:
    """How many settlements a seller may begin on one day; ``day`` counts UTC days since 1970."""

    seller: str
    day: int
    most: int

    @classmethod
    def at(cls, seller: str, most: int, now: int) -> "DailyCap":
        """The cap of the day that ``now`` (Unix seconds) is in."""
        return cls(seller, now // _DAY_SECONDS, most)

    @property
    def key(self) -> str:
        """Key of the day's counter."""
        return f"CAP#{self.seller}#{self.day}"

    def count(self) -> Update:
        """Count one more, or fail."""
        expires = (self.day + 2) * _DAY_SECONDS
        room = "#count < :most"
        # No item yet is room for one, unless nothing is allowed at all.
        condition = f"attribute_not_exists(pk) OR {room}" if self.most > 0 else room
        values: dict[str, Value] = {":one": 1, ":most": self.most, ":expires": expires}
        return Update(self.key, "SET expires_at = :expires ADD #count :one", condition, values, {"#count": "count"})


def terms_of(request: SettleRequest) -> str:
    """SHA-256 in hex over what was signed apart from payer and nonce: to, value, validity, asset, network."""
    a = request.authorization
    terms = (a.to.lower, a.value, a.valid_after, a.valid_before, request.asset.lower, str(request.network))
    return hashlib.sha256("\n".join(map(str, terms)).encode()).hexdigest()


def settlement_key(payment: PaymentId) -> str:
    """Key of a payment's settlement."""
    return f"STL#{payment}"


def relayer_key(network: Network, relayer: Address) -> str:
    """Key of a relayer's counter."""
    return f"RLY#{network}#{relayer.lower}"


def ended_as(settlement: Settlement, outcome: Confirmed | Failed) -> Settlement:
    """The settlement with its verdict."""
    match outcome:
        case Confirmed():
            return replace(settlement, state=SettlementState.CONFIRMED, proof=outcome.proof, ours=outcome.ours)
        case Failed():
            return replace(settlement, state=SettlementState.FAILED, reason=outcome.reason)


def settlement_item(settlement: Settlement) -> dict[str, Value | None]:
    """The DynamoDB item. It holds the payer's signature and raw bytes: never log it."""
    slot = settlement.slot
    return {
        "pk": settlement_key(settlement.id),
        "state": settlement.state.value,
        "seller": settlement.request.seller,
        "terms": terms_of(settlement.request),
        "request": json.dumps(settlement.request.to_json(), separators=(",", ":")),
        "owner": settlement.owner,
        "lease_until": settlement.lease_until,
        "relayer": slot.relayer.lower if slot else None,
        "relayer_nonce": slot.nonce if slot else None,
        "holds_room": settlement.holds_room or None,
        **verdict_fields(settlement),
    }


def read_settlement(item: Item) -> Settlement:
    """Read an item back."""
    request = SettleRequest.from_json(json.loads(item["request"]))
    has_slot = "relayer" in item
    return Settlement(
        request=request,
        state=SettlementState(item["state"]),
        slot=Slot(request.network, Address.parse(item["relayer"]), item["relayer_nonce"]) if has_slot else None,
        owner=item["owner"],
        lease_until=item["lease_until"],
        signed=read_signed(item),
        filler=item.get("filler", False),
        proof=TransferProof.from_json(json.loads(item["proof"])) if "proof" in item else None,
        ours=item.get("ours", False),
        reason=Reason(item["reason"]) if "reason" in item else None,
        holds_room=item.get("holds_room", False),
        reverted=Bytes32.parse(item["reverted"]) if "reverted" in item else None,
    )


def signed_fields(signed: SignedBytes) -> dict[str, Value]:
    """The attributes that hold signed bytes. They may be broadcast by whoever reads them: never log them."""
    replaced = {"replaced": " ".join(map(str, signed.replaced))} if signed.replaced else {}
    return {"raw": signed.raw, "tx_hash": str(signed.transaction), "height": signed.height, **replaced}


def read_signed(item: Item) -> SignedBytes | None:
    """Read them back; what the first version wrote has one version and no height."""
    if "raw" not in item:
        return None
    replaced = tuple(Bytes32.parse(one) for one in item.get("replaced", "").split())
    return SignedBytes(item["raw"], Bytes32.parse(item["tx_hash"]), replaced, item.get("height", 0))


def verdict_fields(settlement: Settlement) -> dict[str, Value | None]:
    """The attributes that say how it ended; all ``None`` before."""
    proof = settlement.proof
    return {
        "proof": json.dumps(proof.to_json(), separators=(",", ":")) if proof else None,
        "ours": settlement.ours if proof else None,
        "reason": settlement.reason.value if settlement.reason else None,
    }
