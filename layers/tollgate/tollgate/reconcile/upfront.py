"""What reconcile does about the upfront flow: end what its own request left open, and never run anything.

Only a buyer's resend runs an upstream: nobody else could be given the answer. What nobody came for within the serve
window, and what died while it ran, is owed back.
"""

from dataclasses import dataclass

from tollgate.gateway.paid_run import NOT_FETCHED, OWNER_DIED, recheck_at
from tollgate.gateway.ports import Clock
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.upfront import SERVE_WINDOW_SECONDS, UpfrontLedger
from tollgate.payment.events import Event, Journal
from tollgate.payment.record import Payment


@dataclass(frozen=True, slots=True)
class UpfrontVisits:
    """One payment at a time. Every method raises ``LostRace`` when the payment moved on."""

    payments: PaymentsLedger
    upfront: UpfrontLedger
    clock: Clock
    journal: Journal

    def claimed(self, payment: Payment) -> None:
        """CLAIMED and dead: a resend may take it over while its authorization lives; then it is released."""
        now = int(self.clock())
        expires = payment.claim.authorization.valid_before
        if payment.alive(now) or now <= expires:
            self.payments.reschedule(payment, max(payment.claim.lease_until, expires) + 1)
            return
        self.payments.release(payment, now, debt=None, dead=True)
        self.journal.record(Event.PAYMENT_RELEASED, payment=payment.id.digest, why="claim_expired")

    def settled(self, payment: Payment) -> None:
        """SETTLED, not at its end: owed back after the serve window, or what it was before a reorganisation."""
        now = int(self.clock())
        if payment.served_at is not None and payment.refund_why is None:
            self.upfront.fulfilled_again(payment, now, recheck_at(payment))
            self.journal.record(Event.PAYMENT_FULFILLED, payment=payment.id.digest)
        elif payment.ended:
            self._owe(payment, payment.refund_why or OWNER_DIED)
        else:
            window_ends = (payment.settled_at or 0) + SERVE_WINDOW_SECONDS
            if payment.alive(now) or now <= window_ends:
                self.payments.reschedule(payment, max(payment.claim.lease_until, window_ends) + 1)
            else:
                self._owe(payment, NOT_FETCHED)

    def executing_paid(self, payment: Payment) -> None:
        """Dead while it ran: the upstream may have run, so it is never run again."""
        if payment.alive(int(self.clock())):
            self.payments.reschedule(payment, payment.claim.lease_until + 1)
        else:
            self._owe(payment, OWNER_DIED)

    def _owe(self, payment: Payment, why: str) -> None:
        self.upfront.refund_due(payment, why, int(self.clock()), dead=True)
        self.journal.record(Event.PAYMENT_REFUND_DUE, payment=payment.id.digest, why=why)
