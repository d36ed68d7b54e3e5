"""The upfront flow behind the settlement: run the upstream once, and end as FULFILLED or REFUND_DUE.

A payment gets here SETTLED and unserved. The move to EXECUTING_PAID is the one run; what the upstream does not
deliver is written down as owed back before the buyer hears of it (threat 82).
"""

from dataclasses import dataclass

from tollgate.gateway.call import ANSWER_RESERVE_SECONDS, Call, Parts
from tollgate.gateway.deliver import Deliverer
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.run_upstream import NotServed, UpstreamRunner
from tollgate.payment.events import Event
from tollgate.payment.networks import network_info
from tollgate.payment.record import Payment, StoredAnswer

# Why a payment is owed back, besides what the upstream did: codes for logs and answers.
OWNER_DIED = "owner_died"
NOT_FETCHED = "not_fetched"
LEASE_MARGIN_SECONDS = 5
# The longest upstream for which one request settles first and still has time to run it.
LONGEST_RUN_SECONDS = 15.0


def recheck_at(payment: Payment) -> int:
    """When a settled payment's block is final, in Unix seconds."""
    info = network_info(payment.id.network)
    return (payment.settled_at or 0) + int(info.final_blocks * info.block_seconds) + 1


@dataclass(frozen=True, slots=True)
class Ending:
    """How a payment that is settled first ends without its request."""

    parts: Parts

    def owe(self, payment: Payment, why: str, *, dead: bool) -> Payment:
        """To REFUND_DUE. Raises ``LostRace``."""
        owed = self.parts.upfront.refund_due(payment, why, self.parts.now(), dead=dead)
        self.parts.journal.record(Event.PAYMENT_REFUND_DUE, payment=payment.id.digest, why=why)
        return owed

    def as_before(self, payment: Payment) -> Payment:
        """A payment that is SETTLED again after a reorganisation, and ended before: it ends the same way, unrun."""
        now = self.parts.now()
        if payment.served_at is not None and payment.refund_why is None:
            return self.parts.upfront.fulfilled_again(payment, now, recheck_at(payment))
        return self.parts.upfront.refund_due(payment, payment.refund_why or OWNER_DIED, now, dead=True)


@dataclass(frozen=True, slots=True)
class PaidRun(Ending):
    """Serve what was paid for."""

    runner: UpstreamRunner
    deliver: Deliverer

    def serve(self, call: Call, payment: Payment, owner: str | None) -> tuple[Payment, StoredAnswer | None]:
        """Run a SETTLED, unserved payment's upstream if it is this caller's to run.

        ``owner`` is the token under which this invocation settled it; ``None`` for a resend, which takes the run
        over from the dead. Returns the payment as it then stands, with the answer if it was made here. Raises
        ``LostRace``.
        """
        proven = payment.ours if owner is not None else False
        if not proven and self.deliver.proof(call, payment) is None:
            return payment, None
        until = call.wait_until - ANSWER_RESERVE_SECONDS
        now = self.parts.now()
        if until - self.parts.clock() < call.match.route.upstream.timeout_seconds:
            # Cut short it might fail for want of time alone, and it never runs again: the resend has more.
            if owner is not None:
                self.parts.upfront.yield_lease(payment, now)
            return payment, None
        if owner is not None:
            payment = self.parts.upfront.run(payment, owner, now)
        else:
            taker = self.parts.new_token()
            lease_until = int(call.deadline) + LEASE_MARGIN_SECONDS
            payment = self.parts.upfront.take_run(payment, taker, now, lease_until)
        self.parts.journal.record(Event.PAYMENT_EXECUTING, payment=payment.id.digest, route=call.match.route.id)
        return self._run(call, payment, until)

    def _run(self, call: Call, payment: Payment, until: float) -> tuple[Payment, StoredAnswer | None]:
        try:
            answer = self.runner.run(call, payment, until)
        except NotServed as failed:
            self.parts.journal.record(
                Event.UPSTREAM_FAILED,
                payment=payment.id.digest,
                route=call.match.route.id,
                kind=failed.outcome.kind.value,
                why=failed.why,
            )
            return self.owe(payment, failed.why, dead=False), None
        fulfilled = self.parts.upfront.fulfil(payment, answer, self.parts.now(), recheck_at(payment))
        self.parts.journal.record(Event.PAYMENT_FULFILLED, payment=payment.id.digest)
        return fulfilled, answer


def unserved(payment: Payment) -> Outcome:
    """Charged, and the answer is not there yet."""
    return Outcome(
        Kind.UNSERVED,
        code="paid_in_progress",
        sentence="This payment is settled and its answer is on the way. "
        "Send the same payment again; do not sign a new one.",
        payment_response=payment.success(),
        details={"payment": payment.id.digest, "retry": "same-payment"},
    )


def refund_due(payment: Payment) -> Outcome:
    """Charged, and not served."""
    claim = payment.claim
    return Outcome(
        Kind.REFUND_DUE,
        code="refund_due",
        sentence="This payment was charged, but the service behind this route did not deliver. "
        "The amount is owed back to you: ask the seller, naming the payment.",
        payment_response=payment.success(),
        details={
            "payment": payment.id.digest,
            "transaction": str(payment.transaction),
            "why": payment.refund_why or "",
            "refund": {
                "reference": payment.id.digest,
                "payer": str(payment.id.payer),
                "amount": str(claim.authorization.value),
                "asset": str(payment.id.asset),
                "network": str(payment.id.network),
            },
        },
    )
