"""Hand out the body of a settled payment, against proof and within the bounds of rule 6."""

from dataclasses import dataclass

from tollgate.gateway.admission import Proof, admit
from tollgate.gateway.call import Call, Parts
from tollgate.gateway.fresh_signature import MAX_AGE_SECONDS, how_to_sign
from tollgate.gateway.offers import resource_url
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.ledger.answers import AnswerLost, AnswersUnavailable
from tollgate.ledger.resends import ADDRESS_RESENDS
from tollgate.payment.events import Event
from tollgate.payment.record import Payment, StoredAnswer

_SHOW_IT = (
    "This payment was settled. If it is yours, show it: send the same request "
    "with the payment-identifier it carried, or with a fresh signature of the paying wallet."
)
_SIGN_IT = (
    "This payment was settled, but by somebody else's transaction. If it is yours, show it: send the same request "
    "with a fresh signature of the paying wallet."
)


@dataclass(frozen=True, slots=True)
class Deliverer:
    """The last gate before a body."""

    parts: Parts

    def proof(self, call: Call, payment: Payment) -> Proof | None:
        """What this caller can show; nothing is counted yet."""
        by_address = (
            self.parts.by_address
            and call.match.route.source_address_resends
            and payment.address_resends < ADDRESS_RESENDS
        )
        return admit(payment, call.caller, self.parts.now(), by_address=by_address)

    def settled(self, call: Call, payment: Payment, *, answer: StoredAnswer | None, owner: bool) -> Outcome:
        """The answer of a SETTLED or FULFILLED payment: the body, 410 past retention, or 409 for anyone else."""
        proof = Proof.OWNER if owner and payment.ours else self.proof(call, payment)
        if proof is None:
            return self.refused(call, payment)
        try:
            # Read before the proof is spent: an outage must not use up a signature that works once.
            answer = answer or self.parts.payments.answer(payment.id, self.parts.now())
        except AnswersUnavailable as down:
            return self._unavailable(payment, down)
        except AnswerLost as lost:
            return self._lost(payment, lost)
        if not self._spend(call, payment, proof):
            return self.refused(call, payment)
        if answer is None:
            return Outcome(
                Kind.RETENTION_PASSED,
                code="answer_expired",
                sentence="This payment was served; its answer is not kept any more.",
                payment_response=payment.success(),
            )
        if proof is not Proof.OWNER:
            self.parts.journal.record(Event.PAYMENT_RESENT, payment=payment.id.digest, proof=proof.value)
        return Outcome(Kind.SERVED, answer=answer, payment_response=payment.success())

    def _spend(self, call: Call, payment: Payment, proof: Proof) -> bool:
        """Count what may be used only so often: a fresh signature once, an address three times."""
        if proof is Proof.SOURCE_ADDRESS:
            return self.parts.resends.count_address_resend(payment.id, self.parts.new_token())
        if proof is Proof.FRESH_SIGNATURE:
            fresh = call.caller.fresh
            return fresh is not None and self.parts.resends.use_signature(
                payment.id.payer, fresh.nonce, self.parts.now(), 2 * MAX_AGE_SECONDS, self.parts.new_token()
            )
        return True

    def _unavailable(self, payment: Payment, down: AnswersUnavailable) -> Outcome:
        self.parts.journal.record(Event.ANSWER_UNAVAILABLE, payment=payment.id.digest, why=str(down))
        return Outcome(
            Kind.ANSWER_UNAVAILABLE,
            code="answer_unavailable",
            sentence="This payment was settled; its answer cannot be read at the moment. "
            "Send the same payment again; do not sign a new one.",
            payment_response=payment.success(),
        )

    def _lost(self, payment: Payment, lost: AnswerLost) -> Outcome:
        self.parts.journal.record(Event.ANSWER_LOST, payment=payment.id.digest, why=lost.why)
        return Outcome(
            Kind.RETENTION_PASSED,
            code="answer_lost",
            sentence="This payment was settled, but the answer that was kept for it is lost. "
            "Ask the seller, naming the payment.",
            payment_response=payment.success(),
            details={"payment": payment.id.digest},
        )

    def refused(self, call: Call, payment: Payment) -> Outcome:
        """409: settled, and this caller shows nothing of rule 6."""
        self.parts.journal.record(Event.PAYMENT_REPLAYED, payment=payment.id.digest, route=call.match.route.id)
        # Of the claim nothing but what the chain shows: what was bought is its buyer's business.
        return Outcome(
            Kind.ALREADY_USED,
            code="payment_already_used",
            sentence=_SHOW_IT if payment.ours else _SIGN_IT,
            details={
                "transaction": str(payment.transaction),
                "network": str(payment.id.network),
                "payment": payment.id.digest,
                "signIn": how_to_sign(payment.id, self.parts.domain, resource_url(self.parts.base_url, call.match)),
            },
        )
