"""A second payment for a request whose first was answered as unknown is not claimed: it gets the first's outcome.

Official clients do not send the same payment again on a 503; the next call of theirs signs a new one. While the first
may still be settled, charging the second would charge twice for one request (rule 5). The payer's valid signature on
an unused authorization for the very same request is what admits the caller; like a resend by identifier, it opens
nothing that somebody else's transaction settled (rule 3).
"""

from dataclasses import dataclass, replace

from tollgate.gateway.call import Call, Parts
from tollgate.gateway.known import KnownPayments
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.payment.events import Event
from tollgate.payment.states import State

# The first one was not charged, or what it paid is owed back on its own: buying again is right.
_OVER = frozenset({State.RELEASED, State.UNPAID, State.PAID_UNSERVED, State.REFUND_DUE, State.REFUNDED, State.CREDITED})
# Said once, these are its outcome. A refused body too: else the payer could not buy this request for days.
_GIVEN = frozenset({Kind.SERVED, Kind.RETENTION_PASSED, Kind.ALREADY_USED})


@dataclass(frozen=True, slots=True)
class SecondPayments:
    """Answers for payments that came second."""

    parts: Parts
    known: KnownPayments

    def outcome(self, call: Call, first_key: str) -> Outcome | None:
        """The first payment's outcome for this caller; ``None`` when nothing stands in the second one's way."""
        digest = first_key.removeprefix("PAY#")
        first = self.parts.payments.get_by_key(first_key)
        if first is None or first.state in _OVER:
            self.parts.payers.forget(call.id, call.caller.fingerprint, digest)
            return None
        self.parts.journal.record(Event.PAYMENT_SECOND, payment=call.id.digest, first=digest, state=first.state.value)
        outcome = self.known.serve(replace(call, caller=replace(call.caller, instead_of=digest)), first)
        if outcome.offer is not None:
            # It ended while we waited, and was not charged.
            self.parts.payers.forget(call.id, call.caller.fingerprint, digest)
            return None
        if outcome.kind in _GIVEN and not self.parts.payers.give(call.id, call.caller.fingerprint, digest):
            # Somebody else's second payment got it: this one is a purchase of its own.
            return None
        return outcome
