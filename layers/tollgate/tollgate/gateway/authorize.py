"""Whether a request may pass to a REST API that exists already: the use case of its Lambda authorizer.

The price is that of the resource that API Gateway itself matched: the request's path is put together from it and its
parameters, and the route must have the same shape, so no spelling of a path is served for the price of another
(threat 29), and nothing is sold through a greedy resource. No body is shown to authorizers, so no price depends on one.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from tollgate.errors import BadRequest
from tollgate.gateway.messages import Request
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.path_pattern import PathPattern
from tollgate.gateway.serve import Gateway
from tollgate.payment.events import Event
from tollgate.wire.headers import PAYMENT_SIGNATURE, X_PAYMENT


class Access(StrEnum):
    """What comes of a request, as far as an authorizer can say it. None but ``UNPAID`` may ever carry an offer."""

    GRANTED = "granted"
    UNPAID = "unpaid"
    SPENT = "spent"
    UNDECIDED = "undecided"


# The payment is over, whatever it bought: neither access nor an offer.
_SPENT = frozenset(
    {Kind.ALREADY_USED, Kind.IDENTIFIER_BOUND, Kind.CLOSED, Kind.REFUND_DUE, Kind.RETENTION_PASSED, Kind.SERVED}
)
# What is not for sale cannot be paid for: resources and routes differ, which is the seller's to mend.
_NOT_FOR_SALE = (404, 405)
_PAYMENT = (PAYMENT_SIGNATURE.lower(), X_PAYMENT.lower())


@dataclass(frozen=True, slots=True)
class Authorizer:
    """``gateway`` is one that lets through (``PaidCall.of(grants=True)``) and has the authorizer's routes only."""

    gateway: Gateway

    def decide(self, request: Request, resource: str, deadline: float) -> tuple[Access, Outcome]:
        """GRANTED lets this request pass, and nothing else does. ``deadline`` is when the invocation ends."""
        outcome = self._other_resource(request, resource) or self._outcome(request, deadline)
        access = access_of(outcome)
        if access in (Access.SPENT, Access.UNDECIDED):
            event = Event.ACCESS_REFUSED if access is Access.SPENT else Event.ACCESS_UNDECIDED
            self.gateway.parts.journal.record(event, resource=resource, why=outcome.code or outcome.kind.value)
        return access, outcome

    def _outcome(self, request: Request, deadline: float) -> Outcome:
        outcome = self.gateway.handle(request, deadline)
        if outcome.kind is Kind.BAD_REQUEST and any(name in request.headers for name in _PAYMENT):
            return self._offered_again(request, outcome, deadline)
        return outcome

    def _other_resource(self, request: Request, resource: str) -> Outcome | None:
        """A refusal, where the route that prices the request is not the resource that would serve it."""
        method = "GET" if request.method == "HEAD" else request.method
        try:
            route = self.gateway.catalogues.current().match(method, request.raw_path).route
        except BadRequest:
            return None
        if _shape(resource) == PathPattern.parse(route.pattern).shape:
            return None
        return Outcome(
            Kind.BAD_REQUEST,
            code="resource_mismatch",
            sentence="The route that prices this request is not the API's resource that serves it.",
            status=404,
        )

    def _offered_again(self, request: Request, bad: Outcome, deadline: float) -> Outcome:
        """A payment that cannot be read was not taken: the offer, and what is wrong with what came (threat 1)."""
        bare = {name: value for name, value in request.headers.items() if name not in _PAYMENT}
        offered = self.gateway.handle(replace(request, headers=bare), deadline)
        return replace(offered, code=bad.code, sentence=bad.sentence) if offered.offer is not None else bad


def access_of(outcome: Outcome) -> Access:
    """Default deny, and an unknown outcome is never an unpaid one."""
    if outcome.kind is Kind.GRANTED:
        return Access.GRANTED
    if outcome.kind in _SPENT:
        return Access.SPENT
    if outcome.offer is not None or (outcome.kind is Kind.BAD_REQUEST and outcome.status not in _NOT_FOR_SALE):
        return Access.UNPAID
    return Access.UNDECIDED


def _shape(resource: str) -> tuple[str | None, ...]:
    return tuple(None if part.startswith("{") else part for part in resource[1:].split("/"))
