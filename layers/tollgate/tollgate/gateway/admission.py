"""Who may have the body of a payment that is known already (rule 6).

A settled header is public: every field of it can be rebuilt from the transaction's calldata, and
from the mempool before that (threats 112, 113, 115). So a body goes only to a resend for the same
request that proves something the chain does not show: the payment-identifier bound at the claim,
the claim's source address, or a fresh signature of the payer.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from tollgate.errors import Refusal
from tollgate.gateway.fresh_signature import FreshSignature
from tollgate.payment.record import Payment

ADDRESS_WINDOW_SECONDS = 900


def hash_identifier(identifier: str) -> str:
    """What is stored of a payment-identifier: its SHA-256, so that a table dump admits nobody."""
    return hashlib.sha256(identifier.encode()).hexdigest()


class Proof(StrEnum):
    """What a resend showed."""

    OWNER = "owner"
    IDENTIFIER = "identifier"
    FRESH_SIGNATURE = "fresh_signature"
    SECOND_PAYMENT = "second_payment"
    SOURCE_ADDRESS = "source_address"


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of whoever sends a payment. ``identifier`` is hashed.

    ``instead_of`` is the digest of an earlier payment whose outcome this one gets: the same payer signed another
    payment, unused so far, for the same request.
    """

    fingerprint: str
    identifier: str | None
    source: str
    fresh: FreshSignature | None
    instead_of: str | None = None


def admit(payment: Payment, caller: Caller, now: int, *, by_address: bool) -> Proof | None:
    """The proof on which this caller may have this payment's body, or ``None``.

    A payment that somebody else's transaction settled admits only a fresh signature: the claim
    itself may have been a copy from the mempool (rule 3).
    """
    claim = payment.claim
    if caller.fingerprint != claim.fingerprint:
        return None
    if _signed_by_payer(payment, caller, now):
        return Proof.FRESH_SIGNATURE
    if payment.transaction is not None and payment.settled_at is not None and not payment.ours:
        return None
    if caller.instead_of == payment.id.digest:
        return Proof.SECOND_PAYMENT
    if claim.identifier is not None and claim.identifier_secret and caller.identifier == claim.identifier:
        return Proof.IDENTIFIER
    if by_address and caller.source == claim.source and now <= claim.claimed_at + ADDRESS_WINDOW_SECONDS:
        return Proof.SOURCE_ADDRESS
    return None


def _signed_by_payer(payment: Payment, caller: Caller, now: int) -> bool:
    if caller.fresh is None:
        return False
    try:
        caller.fresh.check(payment.id, now)
    except Refusal:
        return False
    return True
