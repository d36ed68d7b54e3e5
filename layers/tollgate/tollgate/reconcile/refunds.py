"""What reconcile does about a payment that is owed back: have settle refund it, and write down what came of it.

    could it be refunded now? -> mark it as begun -> have it refunded -> final on chain: REFUNDED

It is marked before settle is asked to sign, so that an operator never sends the same money by hand; and it is only
marked when settle could go ahead, so that what waits for a treasury can still be sent by hand. Only REFUND_DUE is
refunded so: the money of PAID_UNSERVED may be a stranger's, and somebody has to look.
"""

from dataclasses import dataclass
from typing import Protocol

from tollgate.gateway.ports import Clock
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.refund_marks import RefundMarks
from tollgate.payment.events import Event, Journal
from tollgate.payment.identity import PaymentId
from tollgate.payment.record import Payment
from tollgate.payment.refund import Ready, RefundAnswer
from tollgate.payment.settlement import Confirmed, Failed
from tollgate.payment.states import State
from tollgate.reconcile.backoff import LONGEST_BACKOFF_SECONDS, backoff_seconds
from tollgate.wire.reasons import Reason

# Refusals that stay what they are: settle signs no refund of this payment any more.
_FOR_GOOD = frozenset({Reason.REFUNDS_MANUAL, Reason.REFUND_TOO_LATE})
# Longer than any call of settle lives that was begun before its refusal was decided.
WITHDRAW_AFTER_SECONDS = 3_600
_LEAST_SECONDS = 3.0


class Refunder(Protocol):
    """Settle, as far as refunds go. ``None`` is an answer that was lost, a ``Reason`` a refusal."""

    def refund_ready(self, payment: PaymentId, timeout: float) -> RefundAnswer | Reason | None:
        """Whether it could be refunded now; signs nothing. ``timeout`` in seconds."""

    def refund(self, payment: PaymentId, timeout: float) -> RefundAnswer | Reason | None:
        """Refund it, or say how it stands; idempotent. ``timeout`` in seconds."""


@dataclass(frozen=True, slots=True)
class RefundVisits:
    """One payment at a time. ``begins``: whether refunds are begun; those that were are finished in any case."""

    payments: PaymentsLedger
    marks: RefundMarks
    refunder: Refunder
    begins: bool
    clock: Clock
    journal: Journal

    def wants(self, payment: Payment) -> bool:
        """Whether there is anything to do here, now or later: else the payment is the operator's."""
        if payment.state is not State.REFUND_DUE or payment.refund_failed is not None:
            return False
        return self.begins or payment.refund_begun_at is not None

    def visit(self, payment: Payment, until: float) -> None:
        """Take a REFUND_DUE payment one step further, by ``until`` (Unix seconds). Raises ``LostRace``."""
        if not self.wants(payment) or until - self.clock() < _LEAST_SECONDS:
            return
        again = backoff_seconds(payment.attempts)
        if payment.refund_begun_at is None:
            answer = self.refunder.refund_ready(payment.id, until - self.clock())
            if not isinstance(answer, Ready):
                refused = isinstance(answer, Reason)
                self.payments.reschedule(payment, int(self.clock()) + (LONGEST_BACKOFF_SECONDS if refused else again))
                return
            payment = self.marks.begin(payment, int(self.clock()))
            self.journal.record(Event.REFUND_BEGUN, payment=payment.id.digest)
        answer = self.refunder.refund(payment.id, until - self.clock())
        now = int(self.clock())
        match answer:
            case Confirmed():
                self.marks.done(payment, answer.proof.transaction, now)
                self.journal.record(
                    Event.PAYMENT_REFUNDED, payment=payment.id.digest, transaction=str(answer.proof.transaction)
                )
            case Failed():
                self.marks.give_up(payment, answer.reason, now)
                self.journal.record(Event.REFUND_REFUSED, payment=payment.id.digest, reason=answer.reason.value)
            case Reason() if answer in _FOR_GOOD and now > (payment.refund_begun_at or now) + WITHDRAW_AFTER_SECONDS:
                self.marks.withdraw(payment, answer, now)
            case _:
                self.payments.reschedule(payment, now + again)
