"""A call of a free route: the same upstream with the same hygiene, and nothing on any book.

A payment that comes with it is neither claimed nor charged; like every payment header it stays behind.
"""

from dataclasses import dataclass, replace

from tollgate.gateway.call import ANSWER_RESERVE_SECONDS, Parts
from tollgate.gateway.catalogue import Match
from tollgate.gateway.messages import Request
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.run_upstream import NotServed, UpstreamRunner
from tollgate.payment.events import Event

# Without the words about a payment that nobody made.
_SENTENCES = {
    Kind.UPSTREAM_TIMEOUT: "The service behind this route did not answer in time.",
    Kind.UPSTREAM_UNUSABLE: "The service behind this route gave no answer that can be delivered.",
}


@dataclass(frozen=True, slots=True)
class FreeCall:
    """The use case: pass one call through."""

    parts: Parts
    runner: UpstreamRunner

    def serve(self, request: Request, match: Match, deadline: float) -> Outcome:
        """What the upstream answers, or why nothing came. ``deadline`` is Unix seconds."""
        route = match.route.id
        try:
            answer = self.runner.answer(request, match, deadline - ANSWER_RESERVE_SECONDS)
        except NotServed as failed:
            kind = failed.outcome.kind
            self.parts.journal.record(Event.UPSTREAM_FAILED, route=route, kind=kind.value, why=failed.why)
            return replace(failed.outcome, sentence=_SENTENCES.get(kind, failed.outcome.sentence))
        self.parts.journal.record(Event.FREE_SERVED, route=route, status=answer.status)
        return Outcome(Kind.FREE, answer=answer)
