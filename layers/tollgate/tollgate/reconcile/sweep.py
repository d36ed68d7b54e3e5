"""Finish what was left open: one pass over the work list, every minute and after every deploy of routes.

Whatever is due is read again consistently before anything is done with it, and every write is
conditioned, so passes may overlap, stop half-way or run twice (threats 98-100). What is done about each
payment is in visits.py.
"""

from dataclasses import dataclass
from typing import Protocol

from tollgate.errors import TollgateError
from tollgate.gateway.ports import Clock
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.events import Event, Journal
from tollgate.payment.record import Payment
from tollgate.payment.states import OPEN
from tollgate.reconcile.backoff import backoff_seconds

PAGE = 50
RESERVE_SECONDS = 5.0


class Visitor(Protocol):
    """Whoever does what a payment's state asks for."""

    def visit(self, payment: Payment, until: float) -> None:
        """Do it, by ``until`` (Unix seconds). Raises a ``TollgateError`` for what will pass, others for a bug."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One pass."""

    payments: PaymentsLedger
    visits: Visitor
    clock: Clock
    journal: Journal

    def run(self, deadline: float) -> int:
        """Look at what is due until nothing is, or until ``deadline`` (Unix seconds) is near; returns how many."""
        done = 0
        failed = 0
        oldest = 0
        bug: Exception | None = None
        for pk in self.payments.due(int(self.clock()), PAGE):
            if self.clock() > deadline - RESERVE_SECONDS:
                break
            try:
                payment = self.payments.get_by_key(pk)
                if payment is None:
                    continue
                if payment.state in OPEN:
                    oldest = max(oldest, int(self.clock()) - payment.claim.claimed_at)
                # Pushed back before it is looked at: an item that kills the pass cannot starve the others.
                self.payments.reschedule(payment, int(self.clock()) + backoff_seconds(payment.attempts))
                self.visits.visit(payment, deadline - RESERVE_SECONDS)
            except Exception as error:
                failed += 1
                self.journal.record(
                    Event.RECONCILE_ITEM_FAILED, payment=pk.removeprefix("PAY#"), why=type(error).__name__
                )
                if not isinstance(error, TollgateError):
                    bug = error
            done += 1
        self.journal.record(Event.RECONCILE_DONE, visited=done, failed=failed, oldest_open_seconds=oldest)
        if bug is not None:
            # Loud, but not before the others were looked at.
            raise bug
        return done
