"""The fixed vocabulary of log events, and the one way use cases speak to the log.

Fields are ids, states, hashes, codes and numbers. Signatures, keys, identifiers and bodies are
never fields (threat 104); a test scans the log of the whole suite.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol


class Event(StrEnum):
    """What happened; each is also the name of a metric that counts it."""

    OFFER_MADE = "offer.made"
    PRICE_FAILED = "price.failed"
    PAYMENT_VERIFIED = "payment.verified"
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
    PAYMENT_EXECUTING = "payment.executing"
    PAYMENT_FULFILLED = "payment.fulfilled"
    PAYMENT_GRANTED = "payment.granted"
    ACCESS_REFUSED = "access.refused"
    ACCESS_UNDECIDED = "access.undecided"
    PAYMENT_REFUND_DUE = "payment.refund_due"
    PAYMENT_RESENT = "payment.resent"
    PAYMENT_REPLAYED = "payment.replayed"
    PAYMENT_WAITED = "payment.waited"
    PAYMENT_UNKNOWN = "payment.unknown"
    PAYMENT_SECOND = "payment.second"
    PAYER_LIMITED = "payer.limited"
    RATE_LIMITED = "rate.limited"
    FREE_SERVED = "free.served"
    UPSTREAM_FAILED = "upstream.failed"
    UPSTREAM_ANSWERED = "upstream.answered"
    UPSTREAM_HEALTH = "upstream.health"
    RESULT_FETCHED = "result.fetched"
    EXECUTION_ENDED = "execution.ended"
    RECORD_READ = "record.read"
    HISTORY_READ = "history.read"
    RECEIPT_ISSUED = "receipt.issued"
    ROUTE_CHANGED = "route.changed"
    OWNER_REFUSED = "owner.refused"
    ANSWER_UNAVAILABLE = "answer.unavailable"
    ANSWER_LOST = "answer.lost"
    SETTLEMENT_RESERVED = "settlement.reserved"
    SETTLEMENT_SIGNED = "settlement.signed"
    SETTLEMENT_REPLACED = "settlement.replaced"
    SETTLEMENT_BROADCAST = "settlement.broadcast"
    SETTLEMENT_REVERTED = "settlement.reverted"
    SETTLEMENT_CONFIRMED = "settlement.confirmed"
    SETTLEMENT_FAILED = "settlement.failed"
    SETTLEMENT_PENDING = "settlement.pending"
    FACILITATOR_SKIPPED = "facilitator.skipped"
    PAYMENT_REFUNDED = "payment.refunded"
    REFUND_BEGUN = "refund.begun"
    REFUND_SIGNED = "refund.signed"
    REFUND_WAITS = "refund.waits"
    REFUND_REFUSED = "refund.refused"
    SELLER_UNAUTHORIZED = "seller.unauthorized"
    RELAYER_STATUS = "relayer.status"
    CHAIN_UNAVAILABLE = "chain.unavailable"
    RECONCILE_DONE = "reconcile.done"
    RECONCILE_ITEM_FAILED = "reconcile.item_failed"
    RECONCILE_PARKED = "reconcile.parked"
    RECONCILE_SCANNED = "reconcile.scanned"
    RECONCILE_UNEXPLAINED = "reconcile.unexplained"
    RECONCILE_EXPLAINED = "reconcile.explained"
    ANALYTICS_COUNTED = "analytics.counted"
    ANALYTICS_READ = "analytics.read"
    EVENTS_PUBLISHED = "events.published"
    EVENTS_REFUSED = "events.refused"
    WEBHOOK_DELIVERED = "webhook.delivered"
    WEBHOOK_FAILED = "webhook.failed"
    STREAM_UNREADABLE = "stream.unreadable"


# Fields that are metrics too, named "<event>.<field>": what an alarm compares with a number. Those whose name
# ends in _seconds are seconds, the others counts.
MEASURED: Mapping[Event, tuple[str, ...]] = MappingProxyType(
    {
        # How many more transfers the poorest relayer of a network can pay at the fee cap.
        Event.RELAYER_STATUS: ("settlements_left",),
        # The age of the oldest payment that is neither settled nor given up; 0 when the pass saw none.
        # How long what was due the longest had waited when the pass began, and how many items are parked.
        Event.RECONCILE_DONE: ("oldest_open_seconds", "lag_seconds", "parked_payments"),
        # How long an upstream took, by route and by what it answered.
        Event.UPSTREAM_ANSWERED: ("took_seconds",),
        # How far behind the chain the comparison is with whoever it is the furthest, and what waits for a person.
        # What was settled less what was reversed, of dollar tokens, as it was counted.
        Event.ANALYTICS_COUNTED: ("revenue_dollars",),
        Event.RECONCILE_SCANNED: ("lag_seconds", "discrepancies"),
    }
)


class Journal(Protocol):
    """Where use cases record events."""

    def record(self, event: Event, **fields: str | int | float | bool | None) -> None:
        """Write one structured log line and count it."""


class NullJournal:
    """Keeps nothing; for tools and tests."""

    def record(self, event: Event, **fields: str | int | float | bool | None) -> None:
        """Do nothing."""
