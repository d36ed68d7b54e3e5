"""Fetch a paid result under the link that its buyer was given (result_links.py)."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tollgate.errors import BadRequest
from tollgate.gateway.call import ANSWER_RESERVE_SECONDS, Parts
from tollgate.gateway.catalogue import Catalogue, MethodNotAllowed
from tollgate.gateway.executions import Executions
from tollgate.gateway.forwarding import request_headers, response_headers
from tollgate.gateway.messages import Request, UpstreamRequest
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.result_links import AWAITED
from tollgate.gateway.run_upstream import deliverable
from tollgate.gateway.upstream import FailureKind, UpstreamFailed
from tollgate.payment.events import Event
from tollgate.payment.record import Payment, StoredAnswer
from tollgate.payment.routes import Target, UpstreamHeader, UpstreamTarget
from tollgate.payment.states import State

_TOKEN = re.compile(r"token=([0-9a-f]{32})")
_LONGEST_SECONDS = 20.0
_SETTLED = frozenset({State.SETTLED, State.FULFILLED})


@dataclass(frozen=True, slots=True)
class Results:
    """What lies under links."""

    parts: Parts

    def fetch(self, request: Request, catalogue: Catalogue, deadline: float) -> Outcome:
        """What is there by now. Raises ``BadRequest`` 404 for a token that nobody was given, 405 for other methods."""
        if request.method != "GET":
            raise MethodNotAllowed(["GET"])
        token = _TOKEN.fullmatch(request.raw_query)
        place, over = self.parts.results.find(token[1], self.parts.now()) if token else (None, False)
        if place is None:
            raise BadRequest(404, "unknown_result", "There is no result under this link.")
        payment = self.parts.payments.get_by_key(f"PAY#{place.payment}")
        if over:
            return Outcome(Kind.RETENTION_PASSED, code="result_expired", sentence="This link leads nowhere any more.")
        if payment is None or payment.state not in _SETTLED:
            return Outcome(
                Kind.PENDING,
                code="settlement_pending",
                sentence="The payment behind this link is not settled at the moment. Try again later.",
            )
        if (place.url, place.query) == AWAITED:
            return Executions(self.parts).result(payment)
        # An id may be another owner's by now, whose secrets are not for this URL.
        known = (place.route, payment.claim.route_owner)
        route = next((r for r in catalogue.snapshot.routes if (r.id, r.owner) == known), None)
        headers = () if route is None else _headers(route.upstream, place.url)
        target = UpstreamTarget(place.url, _LONGEST_SECONDS, headers)
        left = deadline - 2 * ANSWER_RESERVE_SECONDS - self.parts.clock()
        try:
            found = self.parts.upstream.fetch(target, _asked(request, place.query), min(_LONGEST_SECONDS, left))
        except UpstreamFailed as failed:
            return self._failed(payment, failed.kind.value, late=failed.kind is FailureKind.TIMEOUT)
        answer = StoredAnswer(found.status, response_headers(found.headers), found.body)
        if found.status in (206, 402) or 300 <= found.status < 400 or found.status < 200 or not deliverable(answer):
            return self._failed(payment, f"status_{found.status}", late=False)
        self.parts.journal.record(
            Event.RESULT_FETCHED, payment=payment.id.digest, route=place.route, status=found.status
        )
        return Outcome(Kind.RESULT, answer=answer, payment_response=payment.success())

    def _failed(self, payment: Payment, why: str, *, late: bool) -> Outcome:
        self.parts.journal.record(Event.UPSTREAM_FAILED, payment=payment.id.digest, kind="result", why=why)
        return Outcome(
            Kind.UPSTREAM_TIMEOUT if late else Kind.UPSTREAM_UNUSABLE,
            code="result_unavailable",
            sentence="The service behind this link gave no result that can be delivered. Try again, or ask the seller.",
            details={"payment": payment.id.digest},
        )


def _asked(request: Request, raw_query: str) -> UpstreamRequest:
    return UpstreamRequest(
        method="GET",
        path=request.raw_path,
        raw_query=raw_query,
        headers=request_headers(request.headers),
        body=b"",
        params={},
        pattern=request.raw_path,
        source_address=request.source_address,
        paid_by=None,
    )


def _headers(upstream: Target, url: str) -> tuple[UpstreamHeader, ...]:
    """The route's headers, if the route still leads to that origin."""
    if not isinstance(upstream, UpstreamTarget):
        return ()
    same = urlsplit(upstream.url)[:2] == urlsplit(url)[:2]
    return upstream.headers if same else ()
