"""A payment that was claimed before: its state decides, and while nobody knows, it is waited for (rules 5, 6, 11)."""

import math
from dataclasses import dataclass, replace

from tollgate.errors import LostRace
from tollgate.gateway.call import Call, Parts, offer
from tollgate.gateway.deliver import Deliverer
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.settling import Settling
from tollgate.payment.events import Event
from tollgate.payment.record import Payment, StoredAnswer
from tollgate.payment.states import State
from tollgate.wire.models import SettleResponse
from tollgate.wire.reasons import Reason

_POLL_SECONDS = 0.25
_LEASE_MARGIN_SECONDS = 5

# Work under way: the outcome of these is worth waiting for.
_WAITED_FOR = frozenset({State.EXECUTING, State.SETTLING, State.REVERSED})
# Answers that leave a buyer without an outcome.
_UNKNOWN = frozenset({Kind.IN_FLIGHT, Kind.PENDING})


@dataclass(frozen=True, slots=True)
class KnownPayments:
    """Answers for payments that are on the books already."""

    parts: Parts
    settling: Settling
    deliver: Deliverer

    def serve(self, call: Call, payment: Payment) -> Outcome:
        """Answer by state; wait where waiting helps and this caller may have what comes."""
        if payment.state is State.EXECUTING and not payment.alive(self.parts.now()):
            payment = self._release_dead(payment)
        admitted = self.deliver.proof(call, payment) is not None
        if payment.state in _WAITED_FOR and admitted:
            payment = self._wait_in_turn(call, payment)
        outcome = self.outcome(call, payment, answer=None, owner=False)
        return self.noted(call, payment, outcome) if admitted else outcome

    def noted(self, call: Call, payment: Payment, outcome: Outcome) -> Outcome:
        """The outcome, once it is written down that its buyer was left without one, or has got it after all."""
        if call.caller.instead_of is not None:
            return outcome
        if outcome.kind in _UNKNOWN:
            self.parts.payers.answered_unknown(payment, self.parts.now())
        elif outcome.kind is Kind.SERVED and payment.answered_unknown:
            self.parts.payers.forget(payment.id, payment.claim.fingerprint, payment.id.digest)
        return outcome

    def _wait_in_turn(self, call: Call, payment: Payment) -> Payment:
        slot = self.parts.resends.take_slot(payment.id, self.parts.now(), math.ceil(call.deadline))
        if slot is None:
            return payment
        try:
            return self._wait(call, payment)
        finally:
            self.parts.resends.free_slot(payment.id, slot)

    def _wait(self, call: Call, payment: Payment) -> Payment:
        """Until the outcome is known or this invocation's time is up; takes over from the dead."""
        self.parts.journal.record(Event.PAYMENT_WAITED, payment=payment.id.digest, state=payment.state.value)
        while payment.state in _WAITED_FOR and self.parts.clock() + _POLL_SECONDS < call.wait_until:
            if not payment.alive(self.parts.now()):
                if payment.state is State.EXECUTING:
                    return self._release_dead(payment)
                if payment.state is State.SETTLING:
                    payment = self._resume(call, payment)
                    continue
            self.parts.sleep(_POLL_SECONDS)
            payment = self._read(payment)
        return payment

    def _resume(self, call: Call, payment: Payment) -> Payment:
        """Settle for a dead owner; settle is idempotent, and one resumer at a time is enough."""
        owner = self.parts.new_token()
        lease_until = int(call.deadline) + _LEASE_MARGIN_SECONDS
        if not self.parts.payments.take_over(payment, owner, self.parts.now(), lease_until):
            return self._read(payment)
        self.parts.journal.record(Event.PAYMENT_RESUMED, payment=payment.id.digest)
        mine = replace(payment, claim=replace(payment.claim, owner=owner, lease_until=lease_until))
        return self.settling.finish(mine, call.wait_until)

    def _release_dead(self, payment: Payment) -> Payment:
        """A dead EXECUTING has no settlement in flight: released, with the debt on record (rule 11)."""
        try:
            self.parts.payments.release(payment, self.parts.now(), debt="owner_died")
        except LostRace:
            return self._read(payment)
        self.parts.journal.record(Event.PAYMENT_RELEASED, payment=payment.id.digest, why="owner_died")
        return replace(payment, state=State.RELEASED)

    def _read(self, payment: Payment) -> Payment:
        current = self.parts.payments.get(payment.id)
        if current is None:
            raise LostRace("the payment's item is gone")
        return current

    def outcome(self, call: Call, payment: Payment, *, answer: StoredAnswer | None, owner: bool) -> Outcome:
        """The row of the table of answers for a payment as it stands now."""
        match payment.state:
            case State.EXECUTING:
                return Outcome(
                    Kind.IN_FLIGHT,
                    code="payment_in_progress",
                    sentence="This payment is being served right now. Send the same payment again.",
                )
            case State.SETTLING | State.REVERSED:
                return Outcome(
                    Kind.PENDING,
                    code=Reason.SETTLEMENT_PENDING.value,
                    sentence="The settlement is not final yet. Send the same payment again; do not sign a new one.",
                    payment_response=payment.pending() if payment.transaction else None,
                    details={"payment": payment.id.digest, "retry": "same-payment"},
                )
            case State.SETTLED:
                return self.deliver.settled(call, payment, answer=answer, owner=owner)
            case State.RELEASED | State.UNPAID:
                return self._not_charged(call, payment)
            case State.UNRESOLVED | State.PAID_UNSERVED | State.REFUNDED:
                details = {"state": payment.state.value, "payment": payment.id.digest}
                if payment.transaction is not None:
                    details["transaction"] = str(payment.transaction)
                return Outcome(
                    Kind.CLOSED,
                    code=payment.state.value.lower(),
                    sentence="This payment needs the seller: ask them, naming the payment.",
                    details=details,
                )

    def _not_charged(self, call: Call, payment: Payment) -> Outcome:
        reason = payment.reason or Reason.PAYMENT_RELEASED
        response = None
        if payment.state is State.UNPAID:
            response = SettleResponse(
                success=False,
                transaction=str(payment.transaction or ""),
                network=payment.id.network,
                payer=payment.id.payer,
                error_reason=reason.value,
            )
        return offer(
            self.parts,
            call.catalogue,
            call.match,
            reason=reason,
            sentence="This payment was not charged and will not be used: sign a new one.",
            payment_response=response,
        )
