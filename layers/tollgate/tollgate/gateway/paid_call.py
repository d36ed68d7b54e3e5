"""A paid call, from the claim to the answer.

Authorization flow: signature, terms, chain → claim → upstream → answer stored with the move to SETTLING → settle →
books → body. Upfront flow: claim → SETTLING → settle → books → upstream, once → answer stored → body. No body leaves
before its payment is settled, and whatever is known already goes its own way (known.py).
"""

from dataclasses import dataclass

from tollgate.errors import ChainUnavailable, LostRace, Refusal
from tollgate.gateway.call import ANSWER_RESERVE_SECONDS, Call, Parts, offer
from tollgate.gateway.deliver import Deliverer
from tollgate.gateway.examine import Examined, Examiner, NonceUsed
from tollgate.gateway.grant_run import GrantRun
from tollgate.gateway.known import KnownPayments
from tollgate.gateway.offers import resource_url
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.paid_run import PaidRun
from tollgate.gateway.run_upstream import NotServed, UpstreamRunner
from tollgate.gateway.second_payment import SecondPayments
from tollgate.gateway.settling import Settling
from tollgate.ledger.payers import Within
from tollgate.ledger.payments import IdentifierBound, KnownPayment, PayerLimited, UnknownFirst
from tollgate.ledger.rates import RateLimited, RateMoved
from tollgate.payment.events import Event
from tollgate.payment.record import Claim, Payment, StoredAnswer
from tollgate.payment.routes import ApiTarget
from tollgate.payment.settlement import TransferProof
from tollgate.payment.states import Flow, State
from tollgate.wire.reasons import Reason

# A lease outlives its invocation by this much (rule 11).
LEASE_MARGIN_SECONDS = 5
# What stands in a claim's way may be cleared and come again; then the buyer does.
_CLAIM_ATTEMPTS = 3
# Never charged, with or without an offer to pay again.
_NOT_CHARGED = frozenset({Kind.OFFER, Kind.REFUSED, Kind.NOTHING_TO_OFFER})
_MONEY_IS_GONE = frozenset({Reason.INSUFFICIENT_FUNDS, Reason.SIMULATION_FAILED})


@dataclass(frozen=True, slots=True)
class PaidCall:
    """The use case: serve one call that carries a signed payment."""

    parts: Parts
    examiner: Examiner
    runner: UpstreamRunner
    settling: Settling
    known: KnownPayments
    second: SecondPayments
    deliver: Deliverer

    @classmethod
    def of(cls, parts: Parts, *, grants: bool = False) -> "PaidCall":
        """Build it from its parts; with ``grants`` that of the authorizer, which lets through instead of serving."""
        settling = Settling(parts.payments, parts.books, parts.settler, parts.clock, parts.sleep, parts.journal)
        deliver = Deliverer(parts)
        runner = UpstreamRunner(parts)
        runs = GrantRun(parts, deliver) if grants else PaidRun(parts, runner, deliver)
        known = KnownPayments(parts, settling, deliver, runs)
        return cls(
            parts,
            Examiner(parts),
            runner,
            settling,
            known,
            SecondPayments(parts, known),
            deliver,
        )

    def serve(self, call: Call) -> Outcome:
        """Serve it, answer from the books, refuse it, or say that nobody can know yet."""
        try:
            examined = self.examiner.examine(call)
        except Refusal as refusal:
            return self._look_up(call, refusal) or self._refuse(call, refusal)
        except ChainUnavailable as down:
            return self._look_up(call) or self._chain_down(call, down)
        for _ in range(_CLAIM_ATTEMPTS):
            outcome = self._begin(call, examined)
            if outcome is not None:
                return outcome
        return _busy()

    def known_only(self, call: Call) -> Outcome | None:
        """The own answer of a payment on the books; ``None`` for any other, which is not claimed.

        A claim whose owner died before it was settled is left to reconcile: nobody settles it here any more.
        """
        payment = self.parts.payments.get(call.id)
        if payment is None or (payment.state is State.CLAIMED and not payment.alive(self.parts.now())):
            return None
        outcome = self.known.serve(call, payment)
        return None if outcome.kind in _NOT_CHARGED else outcome

    def _begin(self, call: Call, examined: Examined) -> Outcome | None:
        """Claim and serve it; ``None`` when what stood in the claim's way has just been cleared."""
        room = examined.balance - call.payment.payload.authorization.value
        try:
            payment = self.parts.payments.claim(
                self._claim(call, examined), Within(self.parts.most_open, room), call.match.route.limits
            )
        except KnownPayment as known:
            return self.known.serve(call, known.payment)
        except IdentifierBound:
            return _identifier_bound()
        except UnknownFirst as first:
            return self.second.outcome(call, first.key)
        except PayerLimited as limited:
            return self._limited(call, limited)
        except RateLimited as often:
            return self._too_often(call, often)
        except RateMoved:
            return None
        self.parts.journal.record(Event.PAYMENT_CLAIMED, payment=payment.id.digest, route=call.match.route.id)
        return self._settle_first(call, payment) if examined.flow is Flow.UPFRONT else self._execute(call, payment)

    def _limited(self, call: Call, limited: PayerLimited) -> Outcome:
        self.parts.journal.record(
            Event.PAYER_LIMITED, payment=call.id.digest, route=call.match.route.id, why=str(limited)
        )
        return Outcome(
            Kind.TOO_MANY,
            code="payer_limit",
            sentence=f"This payment was not taken: {limited}. Nothing was charged; "
            "send the same payment again when the others have ended.",
            wait=limited.wait,
        )

    def _too_often(self, call: Call, often: RateLimited) -> Outcome | None:
        """429, unless the payment is known, or comes second for a request that is: neither is bought here."""
        caller = call.caller
        found = self.parts.payments.find(call.id, call.match.route.id, caller.fingerprint, caller.identifier)
        if found.payment is not None:
            return self.known.serve(call, found.payment)
        first = None if found.unknown_first is None else self.second.outcome(call, found.unknown_first)
        if first is not None:
            return first
        self.parts.journal.record(
            Event.RATE_LIMITED, payment=call.id.digest, route=call.match.route.id, per=often.per, wait=often.wait
        )
        whom = "one payer" if often.per == "payer" else "all payers together"
        return Outcome(
            Kind.TOO_MANY,
            code="rate_limit",
            sentence=f"This route takes at most {often.limit} from {whom}. Nothing was charged; the payment you sent "
            "was not used: send it again later, or a new one once it has expired.",
            wait=often.wait,
            details={"per": often.per, "calls": often.limit.calls, "seconds": often.limit.seconds},
        )

    def _look_up(self, call: Call, refusal: Refusal | None = None) -> Outcome | None:
        """One consistent read, made after the check: a known payment is never merely refused (rule 1)."""
        caller = call.caller
        found = self.parts.payments.find(call.id, call.match.route.id, caller.fingerprint, caller.identifier)
        payment = found.payment
        if payment is None:
            if found.unknown_first is not None and refusal is not None and refusal.reason in _MONEY_IS_GONE:
                # It may have gone into the first payment for this very request.
                return self.second.outcome(call, found.unknown_first)
            return _identifier_bound() if found.bound_elsewhere else None
        outcome = self.known.serve(call, payment)
        if outcome.offer is None or refusal is None:
            return outcome
        return self._used_after_all(call, payment, refusal) or outcome

    def _used_after_all(self, call: Call, payment: Payment, refusal: Refusal) -> Outcome | None:
        """A payment that we gave up is not paid for again while somebody else's use of it may stand (rule 5).

        Reconcile books it as PAID_UNSERVED once that is final; until then the answer says the same.
        """
        seen_used = isinstance(refusal, NonceUsed)
        try:
            use = self.examiner.find_use(call, payment.claim.seen_block)
        except ChainUnavailable:
            return _use_unknown() if seen_used else None
        if use.proof is not None:
            return _paid_unserved(use.proof, "This payment was used although it was not served. Ask the seller.")
        return None if use.used or not seen_used else _use_unknown()

    def _refuse(self, call: Call, refusal: Refusal) -> Outcome:
        if isinstance(refusal, NonceUsed):
            try:
                proof = self.examiner.used_by_us(call)
            except ChainUnavailable as down:
                return self._chain_down(call, down)
            if proof is not None:
                self.parts.journal.record(
                    Event.PAYMENT_PAID_UNSERVED,
                    payment=call.id.digest,
                    transaction=str(proof.transaction),
                )
                return _paid_unserved(proof, "This payment was settled, but no record of it is left. Ask the seller.")
        self.parts.journal.record(
            Event.PAYMENT_REFUSED,
            payment=call.id.digest,
            route=call.match.route.id,
            reason=refusal.reason.value,
        )
        return offer(
            self.parts,
            call.catalogue,
            call.match,
            call.request,
            call.deadline,
            reason=refusal.reason,
            sentence=refusal.sentence,
        )

    def _chain_down(self, call: Call, down: ChainUnavailable) -> Outcome:
        self.parts.journal.record(Event.CHAIN_UNAVAILABLE, network=str(call.id.network), why=str(down))
        return Outcome(
            Kind.CHAIN_DOWN,
            code="chain_unavailable",
            sentence="The payment cannot be checked at the moment. Nothing was charged: send the same payment again.",
        )

    def _claim(self, call: Call, examined: Examined) -> Claim:
        parts = self.parts
        return Claim(
            id=call.id,
            authorization=call.payment.payload.authorization,
            signature=call.payment.payload.signature,
            seller="self",
            route=call.match.route.id,
            fingerprint=call.caller.fingerprint,
            resource_url=resource_url(parts.base_url, call.match),
            max_timeout_seconds=call.payment.accepted.max_timeout_seconds,
            owner=parts.new_token(),
            source=call.caller.source,
            identifier=call.caller.identifier,
            identifier_secret=call.identifier_secret,
            seen_block=examined.seen_block,
            claimed_at=parts.now(),
            lease_until=int(call.deadline) + LEASE_MARGIN_SECONDS,
            flow=examined.flow,
            route_owner=call.match.route.owner,
            fee_bps=call.match.route.fee_bps,
            grants=isinstance(call.match.route.upstream, ApiTarget),
        )

    def _execute(self, call: Call, payment: Payment) -> Outcome:
        try:
            answer = self.runner.run(call, payment, call.wait_until - ANSWER_RESERVE_SECONDS)
        except NotServed as failed:
            try:
                self.parts.payments.release(payment, self.parts.now(), debt=None, why=failed.why)
            except LostRace:
                return self._moved_on(call, payment)
            self.parts.journal.record(
                Event.UPSTREAM_FAILED,
                payment=payment.id.digest,
                route=call.match.route.id,
                kind=failed.outcome.kind.value,
                why=failed.why,
            )
            return failed.outcome
        try:
            held = self.parts.payments.hold(payment, answer, self.parts.now())
        except LostRace:
            return self._moved_on(call, payment)
        self.parts.journal.record(Event.PAYMENT_SETTLING, payment=payment.id.digest)
        return self._settled(call, self.settling.finish(held, call.wait_until), answer)

    def _settle_first(self, call: Call, payment: Payment) -> Outcome:
        try:
            ended, answer = self.known.settle_first(call, payment)
        except LostRace:
            return self._moved_on(call, payment)
        return self._settled(call, ended, answer)

    def _settled(self, call: Call, payment: Payment, answer: StoredAnswer | None) -> Outcome:
        """What the claim's own request gets once settle has spoken."""
        return self.known.noted(call, payment, self.known.outcome(call, payment, answer=answer, owner=True))

    def _moved_on(self, call: Call, payment: Payment) -> Outcome:
        current = self.parts.payments.get(payment.id)
        if current is None:
            raise LostRace("the payment's item is gone")
        return self.known.serve(call, current)


def _identifier_bound() -> Outcome:
    return Outcome(
        Kind.IDENTIFIER_BOUND,
        code="payment_identifier_bound",
        sentence="This payment-identifier belongs to another payment: send that one again, or use a new identifier.",
    )


def _busy() -> Outcome:
    return Outcome(
        Kind.TOO_MANY,
        code="payer_limit",
        sentence="Several payments for this request came at once. This one was not charged: send it again.",
    )


def _paid_unserved(proof: TransferProof, sentence: str) -> Outcome:
    return Outcome(
        Kind.CLOSED,
        code="paid_unserved",
        sentence=sentence,
        details={"state": "PAID_UNSERVED", "transaction": str(proof.transaction)},
    )


def _use_unknown() -> Outcome:
    return Outcome(
        Kind.CHAIN_DOWN,
        code="chain_unavailable",
        sentence="What became of this payment cannot be seen yet. Send the same payment again; do not sign a new one.",
    )
