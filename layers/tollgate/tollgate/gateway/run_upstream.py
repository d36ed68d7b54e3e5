"""Run the upstream once and judge its answer: only a 2xx that can be delivered is ever charged (rule 7)."""

from dataclasses import dataclass

from tollgate.gateway.call import Call, Parts
from tollgate.gateway.forwarding import request_headers, response_headers
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.upstream import FailureKind, UpstreamFailed
from tollgate.payment.record import StoredAnswer

# Kept in the table in one item until answers move to S3; DynamoDB's own limit is 400 kB.
MAX_ANSWER_BYTES = 64 * 1024
# API Gateway's quota is 10,240 bytes of header values; the receipt and the front door's own need the rest.
MAX_ANSWER_HEADER_BYTES = 8 * 1024


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

    def run(self, call: Call, until: float) -> StoredAnswer:
        """The upstream's 2xx, encoded. Raises ``NotServed``."""
        target = call.match.route.upstream
        request = call.request
        timeout = min(target.timeout_seconds, until - self.parts.clock())
        if timeout <= 0:
            raise NotServed(_timeout(), "no time left")
        try:
            answer = self.parts.upstream.fetch(
                target,
                call.match.params,
                request.method,
                request.raw_query,
                request_headers(request.headers),
                request.body,
                timeout,
            )
        except UpstreamFailed as failed:
            kind = failed.kind
            outcome = _timeout() if kind is FailureKind.TIMEOUT else _unusable(kind.value)
            raise NotServed(outcome, kind.value) from failed
        stored = StoredAnswer(answer.status, response_headers(answer.headers), answer.body)
        if answer.status == 402 or 300 <= answer.status < 400 or answer.status < 200:
            raise NotServed(_unusable(f"status_{answer.status}"), f"status_{answer.status}")
        if answer.status >= 400:
            raise NotServed(Outcome(Kind.UPSTREAM_ANSWERED, answer=stored), f"status_{answer.status}")
        if stored.size > MAX_ANSWER_BYTES or stored.size - len(stored.body) > MAX_ANSWER_HEADER_BYTES:
            raise NotServed(_unusable("answer_too_large"), "answer_too_large")
        return stored


def _unusable(why: str) -> Outcome:
    return Outcome(
        Kind.UPSTREAM_UNUSABLE,
        code="upstream_unusable",
        sentence="The service behind this route gave no answer that can be delivered. "
        "You were not charged; the payment you sent will not be used.",
        details={"why": why},
    )


def _timeout() -> Outcome:
    return Outcome(
        Kind.UPSTREAM_TIMEOUT,
        code="upstream_timeout",
        sentence="The service behind this route did not answer in time. "
        "You were not charged; the payment you sent will not be used.",
    )
