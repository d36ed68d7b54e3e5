"""Carry a SETTLING payment to its end, or to the end of this invocation's time.

Settle is idempotent, so it is asked again while its answer is unknown; whatever it finally says is
booked here. Used by the proxy for its own payments, for dead ones it meets, and by reconcile.
"""

from dataclasses import dataclass, replace

from tollgate.errors import LostRace
from tollgate.gateway.ports import Clock, Settler, Sleep
from tollgate.ledger.books import Books
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.upfront import SERVE_WINDOW_SECONDS
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import network_info
from tollgate.payment.record import Payment
from tollgate.payment.settlement import Confirmed, Failed, Pending
from tollgate.payment.states import Flow, State
from tollgate.wire.primitives import Bytes32

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 2.0
_LEAST_ATTEMPT = 1.0
_LOOK_AGAIN_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Settling:
    """Ask, ask again, book."""

    payments: PaymentsLedger
    books: Books
    settler: Settler
    clock: Clock
    sleep: Sleep
    journal: Journal

    def finish(self, payment: Payment, until: float) -> Payment:
        """Settle until ``until`` (Unix seconds); returns the payment as it then stands.

        SETTLED, UNPAID, or still SETTLING with the transaction's hash once there is one.
        """
        pause = _FIRST_PAUSE
        transaction = payment.transaction
        while (left := until - self.clock()) >= _LEAST_ATTEMPT:
            outcome = self.settler.settle(payment.settle_request(), left)
            match outcome:
                case Confirmed() | Failed():
                    return self.conclude(payment, outcome)
                case Pending():
                    transaction = outcome.transaction or transaction
            if self.clock() + pause + _LEAST_ATTEMPT >= until:
                break
            self.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        return self._still_unknown(payment, transaction)

    def conclude(self, payment: Payment, outcome: Confirmed | Failed) -> Payment:
        """Book what is proven; returns the payment as it then stands."""
        match outcome:
            case Confirmed():
                return self._book(payment, outcome)
            case Failed():
                return self._unpaid(payment, outcome)

    def _book(self, payment: Payment, outcome: Confirmed) -> Payment:
        now = int(self.clock())
        try:
            booked = self.books.book(payment, outcome.proof, outcome.ours, now, _look_again_at(payment, now))
        except LostRace:
            return self._as_it_stands(payment)
        self.journal.record(
            Event.PAYMENT_SETTLED,
            payment=payment.id.digest,
            transaction=str(outcome.proof.transaction),
            log_index=outcome.proof.log_index,
            ours=outcome.ours,
            amount=payment.claim.authorization.value,
            route=payment.claim.route,
        )
        return booked

    def _unpaid(self, payment: Payment, outcome: Failed) -> Payment:
        try:
            self.payments.unpaid(payment, outcome.reason, int(self.clock()))
        except LostRace:
            return self._as_it_stands(payment)
        self.journal.record(Event.PAYMENT_UNPAID, payment=payment.id.digest, reason=outcome.reason.value)
        return replace(payment, state=State.UNPAID, reason=outcome.reason)

    def _still_unknown(self, payment: Payment, transaction: Bytes32 | None) -> Payment:
        now = int(self.clock())
        self.payments.note(payment, now, now + _LOOK_AGAIN_SECONDS, transaction)
        self.journal.record(
            Event.PAYMENT_UNKNOWN,
            payment=payment.id.digest,
            transaction=None if transaction is None else str(transaction),
        )
        return replace(payment, transaction=transaction)

    def _as_it_stands(self, payment: Payment) -> Payment:
        current = self.payments.get(payment.id)
        if current is None:
            raise LostRace("the payment's item is gone")
        return current


def _look_again_at(payment: Payment, now: int) -> int:
    """When reconcile has something to do about a payment that is settled ``now``."""
    if payment.ended:
        return now
    if payment.claim.flow is Flow.UPFRONT:
        return now + SERVE_WINDOW_SECONDS + 1
    info = network_info(payment.id.network)
    return now + int(info.final_blocks * info.block_seconds) + 1
