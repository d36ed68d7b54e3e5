"""How a payment stands in its table: keys, and the mapping between items and values.

    PAY#<digest>                  the payment
    ANS#<digest>                  the answer kept for a resend; above 64 kB only its object's key and SHA-256
    RCT#<digest>                  the receipt
    LOG#<network>#<tx>#<index>    one Transfer log pays one payment
    PID#<route>#<payer>#<hash>    a payment-identifier, bound to one payment
    DEBT#<digest> LIA#<digest>    served but unpaid; paid but unserved
    RES#<hash of a link's token>  where a paid result is fetched later (results.py)
    RFD#<digest>                  settled first and not served: what is owed back to the payer
    REV#<network>#<asset>#<payTo>#<shard>   revenue, sharded
    FEE#<network>#<asset>#<owner>#<shard>   what a route's owner owes the operator of it, sharded
    RVS#<digest>#<fence>          a reversal, with its negative revenue
    WAIT#<digest>                 who waits for the outcome
    FSG#<payer>#<nonce>           a fresh signature that was used
    RATE#...                      how often a route was bought (rates.py)
    PYR#... UNK#...               what a payer has under way, and what was answered as unknown (payers.py)

``digest`` is ``PaymentId.digest``. Times are Unix seconds, amounts atomic units.
"""

import json
from typing import Any

from tollgate.ledger.dynamo import Item, Value
from tollgate.payment.identity import PaymentId
from tollgate.payment.record import Claim, KeptBody, Move, Payment, StoredAnswer
from tollgate.payment.settlement import TransferProof
from tollgate.payment.states import Flow, State
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32
from tollgate.wire.reasons import Reason

WORK_SHARDS = 4
REVENUE_SHARDS = 32


def payment_key(id: PaymentId) -> str:
    """Key of the payment's item."""
    return f"PAY#{id.digest}"


def answer_key(id: PaymentId) -> str:
    """Key of the kept answer."""
    return f"ANS#{id.digest}"


def receipt_key(id: PaymentId) -> str:
    """Key of the receipt."""
    return f"RCT#{id.digest}"


def log_key(id: PaymentId, transaction: Bytes32, log_index: int) -> str:
    """Key that makes one log pay one payment."""
    return f"LOG#{id.network}#{transaction}#{log_index}"


def identifier_key(route: str, payer: Address, identifier: str) -> str:
    """Key of a (hashed) payment-identifier's row: scoped to payer and route (rule 13)."""
    return f"PID#{route}#{payer.lower}#{identifier}"


def payer_key(id: PaymentId) -> str:
    """Key of the row that counts what a payer has under way in one token."""
    return f"PYR#{id.network}#{id.asset.lower}#{id.payer.lower}"


def unknown_key(id: PaymentId, fingerprint: str) -> str:
    """Key of the row that says: the outcome of this payer's payment for this request was answered unknown."""
    return f"UNK#{id.payer.lower}#{fingerprint}"


def revenue_key(payment: Payment) -> str:
    """Key of the revenue shard that this payment counts in."""
    shard = int(payment.id.digest[:8], 16) % REVENUE_SHARDS
    pay_to = payment.claim.authorization.to.lower
    return f"REV#{payment.id.network}#{payment.id.asset.lower}#{pay_to}#{shard}"


def fee_keys(network: str, asset: str, owner: Address) -> list[str]:
    """Keys of all shards of what an owner owes, in one token."""
    return [f"FEE#{network}#{asset}#{owner.lower}#{shard}" for shard in range(REVENUE_SHARDS)]


def fee_key(payment: Payment, owner: Address) -> str:
    """Key of the shard that this payment's fee counts in."""
    shard = int(payment.id.digest[:8], 16) % REVENUE_SHARDS
    return fee_keys(str(payment.id.network), payment.id.asset.lower, owner)[shard]


def work_shard(digest: str) -> str:
    """Partition of the work list that a payment belongs to."""
    return f"w{int(digest[8:16], 16) % WORK_SHARDS}"


def first_state(claim: Claim) -> State:
    """What a payment is claimed as."""
    return State.CLAIMED if claim.flow is Flow.UPFRONT else State.EXECUTING


def listed_at(claimed_at: int, digest: str) -> str:
    """Where a payment stands in its payer's and its route owner's lists: by time, and no two at one place."""
    return f"{claimed_at:010d}{digest[:24]}"


def refund_due_key(id: PaymentId) -> str:
    """Key of what is owed back."""
    return f"RFD#{id.digest}"


def claim_item(claim: Claim) -> dict[str, Value | None]:
    """The item that a claim puts."""
    a = claim.authorization
    state = first_state(claim)
    return {
        "pk": payment_key(claim.id),
        "identity": str(claim.id),
        "state": state.value,
        "fence": 1,
        "to": a.to.lower,
        "value": a.value,
        "valid_after": str(a.valid_after),
        "valid_before": a.valid_before,
        "signature": claim.signature,
        "seller": claim.seller,
        "route": claim.route,
        "fingerprint": claim.fingerprint,
        "resource_url": claim.resource_url,
        "max_timeout_seconds": claim.max_timeout_seconds,
        "owner": claim.owner,
        "source": claim.source,
        "identifier": claim.identifier,
        "identifier_secret": claim.identifier_secret,
        "seen_block": claim.seen_block,
        "claimed_at": claim.claimed_at,
        "lease_until": claim.lease_until,
        "counted": claim.counted,
        "work": work_shard(claim.id.digest),
        "due": claim.lease_until + 1,
        "flow": claim.flow.value,
        "grants": True if claim.grants else None,
        "moves": (str(Move(state.value, claim.claimed_at)),),
        # Sparse keys of the lists in history.py. Nothing changes them, so that no move writes those indexes.
        "of_payer": claim.id.payer.lower,
        "of_owner": None if claim.route_owner is None else claim.route_owner.lower,
        "listed_at": listed_at(claim.claimed_at, claim.id.digest),
        "fee_bps": claim.fee_bps or None,
    }


def read_payment(item: Item) -> Payment:
    """Read a payment's item."""
    id = PaymentId.parse(item["identity"])
    return Payment(
        claim=Claim(
            id=id,
            authorization=Authorization(
                from_=id.payer,
                to=Address.parse(item["to"]),
                value=item["value"],
                valid_after=int(item["valid_after"]),
                valid_before=item["valid_before"],
                nonce=id.nonce,
            ),
            signature=item.get("signature", b""),
            seller=item["seller"],
            route=item["route"],
            fingerprint=item["fingerprint"],
            resource_url=item["resource_url"],
            # Payments of the first version do not say.
            max_timeout_seconds=item.get("max_timeout_seconds", 60),
            owner=item["owner"],
            source=item["source"],
            identifier=item.get("identifier"),
            identifier_secret=item["identifier_secret"],
            seen_block=item["seen_block"],
            claimed_at=item["claimed_at"],
            lease_until=item["lease_until"],
            counted=item.get("counted", False),
            # Payments of earlier versions do not say.
            flow=Flow(item.get("flow", Flow.AUTHORIZATION)),
            route_owner=Address.parse(item["of_owner"]) if "of_owner" in item else None,
            fee_bps=item.get("fee_bps", 0),
            grants=item.get("grants", False),
        ),
        state=State(item["state"]),
        fence=item["fence"],
        transaction=_word(item, "transaction"),
        log_index=item.get("log_index"),
        block_number=item.get("block_number"),
        block_hash=_word(item, "block_hash"),
        ours=item.get("ours", False),
        settled_at=item.get("settled_at"),
        address_resends=item.get("address_resends", 0),
        attempts=item.get("attempts", 0),
        reason=Reason(item["reason"]) if "reason" in item else None,
        ran_at=item.get("ran_at"),
        served_at=item.get("served_at"),
        refund_why=item.get("refund_why"),
        refund_begun_at=item.get("refund_begun_at"),
        refund_failed=item.get("refund_failed"),
        moves=tuple(Move.parse(text) for text in item.get("moves", ())),
    )


def _word(item: Item, name: str) -> Bytes32 | None:
    return Bytes32.parse(item[name]) if name in item else None


def answer_item(id: PaymentId, answer: StoredAnswer, now: int, keep_seconds: int) -> dict[str, Value | None]:
    """The item that keeps an answer; ``expires_at`` is compared on read, TTL only tidies (rule 10)."""
    kept = answer.kept
    return {
        "pk": answer_key(id),
        "status": answer.status,
        "headers": json.dumps(answer.headers, separators=(",", ":")),
        "body": answer.body if kept is None else None,
        "object": None if kept is None else kept.key,
        "sha256": None if kept is None else kept.sha256,
        "size": None if kept is None else kept.size,
        "stored_at": now,
        "expires_at": now + keep_seconds,
    }


def read_answer(item: Item) -> StoredAnswer:
    """Read a kept answer; one whose body is kept elsewhere has none yet."""
    headers: list[list[str]] = json.loads(item["headers"])
    kept = KeptBody(item["object"], item["sha256"], item["size"]) if "object" in item else None
    return StoredAnswer(item["status"], tuple((k, v) for k, v in headers), item.get("body", b""), kept)


def receipt_item(payment: Payment, proof: TransferProof, ours: bool, now: int) -> dict[str, Any]:
    """The receipt: what was paid, by whom, for what, and the log that proves it."""
    return {
        "pk": receipt_key(payment.id),
        "payment": payment.id.digest,
        "network": str(payment.id.network),
        "asset": payment.id.asset.lower,
        "payer": payment.id.payer.lower,
        "pay_to": payment.claim.authorization.to.lower,
        "amount": payment.claim.authorization.value,
        "fee": payment.claim.fee or None,
        "nonce": str(payment.id.nonce),
        "route": payment.claim.route,
        "resource_url": payment.claim.resource_url,
        "transaction": str(proof.transaction),
        "log_index": proof.log_index,
        "block_number": proof.block_number,
        "block_hash": str(proof.block_hash),
        "sender": proof.sender.lower,
        "ours": ours,
        "at": now,
    }
