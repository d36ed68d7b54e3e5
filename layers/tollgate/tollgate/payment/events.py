"""The fixed vocabulary of log events, and the one way use cases speak to the log.

Fields are ids, states, hashes, codes and numbers. Signatures, keys, identifiers and bodies are
never fields (threat 104); a test scans the log of the whole suite.
"""

from enum import StrEnum
from typing import Protocol


class Event(StrEnum):
    """What happened; each is also the name of a metric that counts it."""

    OFFER_MADE = "offer.made"
    PAYMENT_REFUSED = "payment.refused"
    PAYMENT_CLAIMED = "payment.claimed"
    PAYMENT_RELEASED = "payment.released"
    PAYMENT_SETTLING = "payment.settling"
    PAYMENT_SETTLED = "payment.settled"
    PAYMENT_UNPAID = "payment.unpaid"
    PAYMENT_UNRESOLVED = "payment.unresolved"
    PAYMENT_RESUMED = "payment.resumed"
    PAYMENT_REVERSED = "payment.reversed"
    PAYMENT_PAID_UNSERVED = "payment.paid_unserved"
    PAYMENT_RESENT = "payment.resent"
    PAYMENT_WAITED = "payment.waited"
    PAYMENT_UNKNOWN = "payment.unknown"
    UPSTREAM_FAILED = "upstream.failed"
    SETTLEMENT_RESERVED = "settlement.reserved"
    SETTLEMENT_SIGNED = "settlement.signed"
    SETTLEMENT_BROADCAST = "settlement.broadcast"
    SETTLEMENT_CONFIRMED = "settlement.confirmed"
    SETTLEMENT_FAILED = "settlement.failed"
    SETTLEMENT_PENDING = "settlement.pending"
    RELAYER_STATUS = "relayer.status"
    CHAIN_UNAVAILABLE = "chain.unavailable"
    RECONCILE_DONE = "reconcile.done"
    RECONCILE_ITEM_FAILED = "reconcile.item_failed"


class Journal(Protocol):
    """Where use cases record events."""

    def record(self, event: Event, **fields: str | int | float | bool | None) -> None:
        """Write one structured log line and count it."""


class NullJournal:
    """Keeps nothing; for tools and tests."""

    def record(self, event: Event, **fields: str | int | float | bool | None) -> None:
        """Do nothing."""
