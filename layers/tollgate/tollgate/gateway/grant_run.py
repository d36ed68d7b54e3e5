"""The authorizer's end of the upfront flow: let the request through, once, and end as GRANTED.

A payment gets here SETTLED. The move to GRANTED is the one grant; what the API behind it then answers is never learned,
so there is no answer to keep, and nothing is run. Before that move, a resend that rule 6 admits takes the place of a
dead owner; after it every resend is refused.
"""

from dataclasses import dataclass

from tollgate.gateway.call import Call
from tollgate.gateway.deliver import Deliverer
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.paid_run import Ending, recheck_at
from tollgate.payment.events import Event
from tollgate.payment.record import Payment, StoredAnswer

# A grant that API Gateway hears of too late is lost: so much must be left of the invocation, in seconds.
GRANT_RESERVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class GrantRun(Ending):
    """Let through what was paid for."""

    deliver: Deliverer

    def serve(self, call: Call, payment: Payment, owner: str | None) -> tuple[Payment, StoredAnswer | None]:
        """Grant a SETTLED payment if it is this caller's; ``owner`` as for ``PaidRun``. Raises ``LostRace``."""
        proven = payment.ours if owner is not None else False
        if not proven and self.deliver.proof(call, payment) is None:
            return payment, None
        now = self.parts.now()
        if self.parts.clock() > call.deadline - GRANT_RESERVE_SECONDS:
            if owner is not None:
                self.parts.upfront.yield_lease(payment, now)
            return payment, None
        if owner is not None:
            let_through = self.parts.upfront.grant(payment, owner, now, recheck_at(payment))
        else:
            let_through = self.parts.upfront.take_grant(payment, self.parts.new_token(), now, recheck_at(payment))
        self.parts.journal.record(Event.PAYMENT_GRANTED, payment=payment.id.digest, route=call.match.route.id)
        return let_through, None


def granted(payment: Payment) -> Outcome:
    """Charged, and let through by this very request."""
    return Outcome(
        Kind.GRANTED,
        payment_response=payment.success(),
        details={
            "payment": payment.id.digest,
            "payer": str(payment.id.payer),
            "network": str(payment.id.network),
            "asset": str(payment.id.asset),
            "amount": str(payment.claim.authorization.value),
            "transaction": str(payment.transaction),
        },
    )
