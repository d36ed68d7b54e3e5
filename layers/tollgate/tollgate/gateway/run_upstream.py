"""Run the upstream once and judge its answer: only a 2xx that can be delivered is ever charged (rule 7)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tollgate.gateway.call import Call, Parts
from tollgate.gateway.catalogue import Match
from tollgate.gateway.executions import Executions
from tollgate.gateway.forwarding import request_headers, response_headers
from tollgate.gateway.messages import PaidBy, Request, UpstreamRequest
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.result_links import ACCEPTED, ResultLinks
from tollgate.gateway.upstream import FailureKind, UpstreamFailed
from tollgate.ledger.answers import AnswersUnavailable
from tollgate.payment.events import Event
from tollgate.payment.record import Payment, StoredAnswer

# What Lambda returns of a function, as JSON: AWS, "Lambda quotas", and the bytes that its error message names.
MAX_EVENT_BYTES = 6_291_556
# Of these: for the event's own keys, and for what the edge adds to an answer (receipt, caching).
RESERVED_EVENT_BYTES = 1_024
# API Gateway's quota is 10,240 bytes of header values; the receipt and the front door's own need the rest.
MAX_ANSWER_HEADER_BYTES = 8 * 1024
_NOTHING: Mapping[str, str] = {}


class NotServed(Exception):
    """The upstream gave nothing that may be charged; ``outcome`` is what the buyer gets, ``why`` is for the log."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why


@dataclass(frozen=True, slots=True)
class UpstreamRunner:
    """One attempt, never repeated (threat 95)."""

    parts: Parts

    def run(self, call: Call, payment: Payment, until: float) -> StoredAnswer:
        """The upstream's 2xx, encoded, and kept if the table cannot take it. Raises ``NotServed``."""
        executions = Executions(self.parts)
        told = executions.begin(call, payment)
        stored = self.answer(call.request, call.match, until, payment, told)
        if told and stored.status == ACCEPTED:
            executions.accepted(payment, stored)
        try:
            return self.parts.payments.keep(payment, ResultLinks(self.parts).linked(call, payment, stored))
        except AnswersUnavailable as down:
            self.parts.journal.record(Event.ANSWER_UNAVAILABLE, payment=payment.id.digest, why=str(down))
            # 502, not 503: a 503 says here that the same payment may be sent again, and this one is released.
            outcome = _unusable("answer_not_kept", "The answer could not be kept for a resend, so it is not sold.")
            raise NotServed(outcome, "answer_not_kept") from down

    def answer(
        self,
        request: Request,
        match: Match,
        until: float,
        payment: Payment | None = None,
        told: Mapping[str, str] = _NOTHING,
    ) -> StoredAnswer:
        """The upstream's 2xx as the caller may see it, by ``until`` (Unix seconds). Raises ``NotServed``.

        ``told`` are headers of our own.
        """
        target = match.route.upstream
        timeout = min(target.timeout_seconds, until - self.parts.clock())
        if timeout <= 0:
            raise NotServed(_timeout(), "no_time_left")
        began = self.parts.clock()
        try:
            answer = self.parts.upstream.fetch(target, _asked(request, match, payment, told), timeout)
        except UpstreamFailed as failed:
            kind = failed.kind
            self._measured(match, kind.value, began)
            outcome = _timeout() if kind is FailureKind.TIMEOUT else _unusable(kind.value)
            raise NotServed(outcome, kind.value) from failed
        self._measured(match, f"{answer.status // 100}xx", began)
        stored = StoredAnswer(answer.status, response_headers(answer.headers), answer.body)
        # Nobody asked for a part: no Range goes up, and half of the goods is not what was paid for (threat 34).
        if answer.status in (206, 402) or 300 <= answer.status < 400 or answer.status < 200:
            raise NotServed(_unusable(f"status_{answer.status}"), f"status_{answer.status}")
        if not deliverable(stored):
            raise NotServed(_unusable("answer_too_large"), "answer_too_large")
        if answer.status >= 400:
            raise NotServed(Outcome(Kind.UPSTREAM_ANSWERED, answer=stored), f"status_{answer.status}")
        return stored

    def _measured(self, match: Match, answer: str, began: float) -> None:
        took = max(0.0, self.parts.clock() - began)
        self.parts.journal.record(
            Event.UPSTREAM_ANSWERED, route=match.route.id, answer=answer, took_seconds=round(took, 3)
        )


def _asked(request: Request, match: Match, payment: Payment | None, told: Mapping[str, str]) -> UpstreamRequest:
    return UpstreamRequest(
        method=request.method,
        path=match.path,
        raw_query=request.raw_query,
        headers={**request_headers(request.headers), **told},
        body=request.body,
        params=match.params,
        pattern=match.route.pattern,
        source_address=request.source_address,
        paid_by=None if payment is None else _paid_by(payment),
    )


def _paid_by(payment: Payment) -> PaidBy:
    return PaidBy(
        payment=payment.id.digest,
        payer=str(payment.id.payer),
        network=str(payment.id.network),
        asset=str(payment.id.asset),
        amount=payment.claim.authorization.value,
    )


def deliverable(answer: StoredAnswer) -> bool:
    """Whether Lambda returns, and API Gateway passes on, what the edge writes of this answer.

    The event is measured as JSON with its body in base64 and every character of other than ASCII
    escaped, which no runtime exceeds.
    """
    event = 4 * -(-len(answer.body) // 3) + len(json.dumps(answer.headers)) + RESERVED_EVENT_BYTES
    return event <= MAX_EVENT_BYTES and answer.size - len(answer.body) <= MAX_ANSWER_HEADER_BYTES


def _unusable(
    why: str, sentence: str = "The service behind this route gave no answer that can be delivered."
) -> Outcome:
    return Outcome(
        Kind.UPSTREAM_UNUSABLE,
        code="upstream_unusable",
        sentence=f"{sentence} You were not charged; the payment you sent will not be used.",
        details={"why": why},
    )


def _timeout() -> Outcome:
    return Outcome(
        Kind.UPSTREAM_TIMEOUT,
        code="upstream_timeout",
        sentence="The service behind this route did not answer in time. "
        "You were not charged; the payment you sent will not be used.",
    )
