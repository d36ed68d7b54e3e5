"""A payment that was claimed before: its state decides, and while nobody knows, it is waited for (rules 5, 6, 11)."""

import math
from dataclasses import dataclass, replace

from tollgate.errors import LostRace
from tollgate.gateway.call import Call, Parts, offer
from tollgate.gateway.deliver import Deliverer
from tollgate.gateway.grant_run import GrantRun, granted
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.paid_run import OWNER_DIED, PaidRun, refund_due, unserved
from tollgate.gateway.settling import Settling
from tollgate.payment.events import Event
from tollgate.payment.record import Payment, StoredAnswer
from tollgate.payment.states import State
from tollgate.wire.models import SettleResponse
from tollgate.wire.reasons import Reason

_POLL_SECONDS = 0.25
_LEASE_MARGIN_SECONDS = 5

# Work under way: the outcome of these is worth waiting for.
_WAITED_FOR = frozenset({State.EXECUTING, State.CLAIMED, State.SETTLING, State.EXECUTING_PAID, State.REVERSED})
# Answers that leave a buyer without an outcome.
_UNKNOWN = frozenset({Kind.IN_FLIGHT, Kind.PENDING, Kind.UNSERVED, Kind.ANSWER_UNAVAILABLE})


def _under_way(payment: Payment) -> bool:
    return payment.state in _WAITED_FOR or payment.unserved


@dataclass(frozen=True, slots=True)
class KnownPayments:
    """Answers for payments that are on the books already."""

    parts: Parts
    settling: Settling
    deliver: Deliverer
    runs: PaidRun | GrantRun

    def serve(self, call: Call, payment: Payment) -> Outcome:
        """Answer by state; wait where waiting helps and this caller may have what comes."""
        payment = self._past_the_dead(payment)
        admitted = self.deliver.proof(call, payment) is not None
        if _under_way(payment) and admitted:
            payment = self._past_the_dead(self._wait_in_turn(call, payment))
        outcome = self.outcome(call, payment, answer=None, owner=False)
        return self.noted(call, payment, outcome) if admitted else outcome

    def noted(self, call: Call, payment: Payment, outcome: Outcome) -> Outcome:
        """The outcome, once it is written down that its buyer was left without one, or has got it after all."""
        if call.caller.instead_of is not None:
            return outcome
        if outcome.kind in _UNKNOWN:
            self.parts.payers.answered_unknown(payment, self.parts.now())
        elif outcome.kind in (Kind.SERVED, Kind.GRANTED, Kind.REFUND_DUE) and payment.answered_unknown:
            self.parts.payers.forget(payment.id, payment.claim.fingerprint, payment.id.digest)
        return outcome

    def _wait_in_turn(self, call: Call, payment: Payment) -> Payment:
        by = self.parts.new_token()
        slot = self.parts.resends.take_slot(payment.id, self.parts.now(), math.ceil(call.deadline), by)
        if slot is None:
            return payment
        try:
            return self._wait(call, payment)
        finally:
            self.parts.resends.free_slot(payment.id, slot, by)

    def _wait(self, call: Call, payment: Payment) -> Payment:
        """Until the outcome is known or this invocation's time is up; takes over from the dead."""
        self.parts.journal.record(Event.PAYMENT_WAITED, payment=payment.id.digest, state=payment.state.value)
        while _under_way(payment) and self.parts.clock() + _POLL_SECONDS < call.wait_until:
            if not payment.alive(self.parts.now()):
                before, payment = payment, self._take_up(call, payment)
                if payment != before:
                    continue
            self.parts.sleep(_POLL_SECONDS)
            payment = self._read(payment)
        return payment

    def _take_up(self, call: Call, payment: Payment) -> Payment:
        """Go on for a dead owner, from wherever it stopped; returns what came in when there is nothing to do."""
        owner = self.parts.new_token()
        lease_until = int(call.deadline) + _LEASE_MARGIN_SECONDS
        now = self.parts.now()
        try:
            match payment.state:
                case State.CLAIMED:
                    claimed = self.parts.upfront.take_claim(payment, owner, now, lease_until)
                    self.parts.journal.record(Event.PAYMENT_RESUMED, payment=payment.id.digest)
                    return self.settle_first(call, claimed)[0]
                case State.SETTLING:
                    if not self.parts.payments.take_over(payment, owner, now, lease_until):
                        return self._read(payment)
                    self.parts.journal.record(Event.PAYMENT_RESUMED, payment=payment.id.digest)
                    mine = replace(payment, claim=replace(payment.claim, owner=owner, lease_until=lease_until))
                    return self._settled(call, mine)[0]
                case State.SETTLED:
                    return self.runs.serve(call, payment, None)[0]
                case State.EXECUTING | State.EXECUTING_PAID:
                    return self._past_the_dead(payment)
        except LostRace:
            return self._read(payment)
        return payment

    def settle_first(self, call: Call, payment: Payment) -> tuple[Payment, StoredAnswer | None]:
        """A CLAIMED payment of the caller's own through settlement and the one run; the answer if it was made here.

        Raises ``LostRace``.
        """
        begun = self.parts.upfront.begin(payment, self.parts.now())
        self.parts.journal.record(Event.PAYMENT_SETTLING, payment=payment.id.digest)
        return self._settled(call, begun)

    def _settled(self, call: Call, mine: Payment) -> tuple[Payment, StoredAnswer | None]:
        ended = self.settling.finish(mine, call.wait_until)
        return self.runs.serve(call, ended, mine.claim.owner) if ended.unserved else (ended, None)

    def _past_the_dead(self, payment: Payment) -> Payment:
        """What nobody can go on with ends, for whoever meets it (rule 11)."""
        now = self.parts.now()
        try:
            if payment.state is State.EXECUTING and not payment.alive(now):
                return self._release_dead(payment)
            if payment.state is State.EXECUTING_PAID and not payment.alive(now):
                return self.runs.owe(payment, OWNER_DIED, dead=True)
            if payment.state is State.SETTLED and payment.ended:
                return self.runs.as_before(payment)
        except LostRace:
            return self._read(payment)
        return payment

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
            case State.EXECUTING | State.CLAIMED:
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
            case State.EXECUTING_PAID:
                return self._unserved(call, payment, owner=owner)
            case State.SETTLED if payment.unserved or payment.ended:
                return self._unserved(call, payment, owner=owner)
            case State.SETTLED | State.FULFILLED:
                return self.deliver.settled(call, payment, answer=answer, owner=owner)
            case State.GRANTED:
                return granted(payment) if payment.granted_now else self.deliver.refused(call, payment)
            case State.REFUND_DUE:
                return refund_due(payment)
            case State.RELEASED | State.UNPAID:
                return self._not_charged(call, payment)
            case State.UNRESOLVED | State.PAID_UNSERVED | State.REFUNDED | State.CREDITED:
                details = {"state": payment.state.value, "payment": payment.id.digest}
                if payment.transaction is not None:
                    details["transaction"] = str(payment.transaction)
                return Outcome(
                    Kind.CLOSED,
                    code=payment.state.value.lower(),
                    sentence="This payment needs the seller: ask them, naming the payment.",
                    details=details,
                )

    def _unserved(self, call: Call, payment: Payment, *, owner: bool) -> Outcome:
        """Charged, and not served yet; a caller who may not have the answer is not told to come again."""
        if (owner and payment.ours) or self.deliver.proof(call, payment) is not None:
            return unserved(payment)
        return self.deliver.refused(call, payment)

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
            call.request,
            call.deadline,
            reason=reason,
            sentence="This payment was not charged and will not be used: sign a new one.",
            payment_response=response,
        )
