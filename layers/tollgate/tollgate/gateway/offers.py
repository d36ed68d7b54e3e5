"""The offer of a route: what stands in the 402, rebuilt identically on every request."""

from collections.abc import Collection

from tollgate.gateway.canonical_path import encoded_path
from tollgate.gateway.catalogue import Catalogue, Match, Route
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.wire import bazaar
from tollgate.wire.models import PaymentRequired, Requirements, Resource, SettleResponse
from tollgate.wire.payment_identifier import EXTENSION, declaration
from tollgate.wire.primitives import Network
from tollgate.wire.reasons import Reason

# Characters of a path in an URL up to which an offer says what its route takes and gives: the params stand there twice.
LONGEST_DESCRIBED_PATH = 200


def extensions() -> dict[str, object]:
    """The extensions that every offer advertises, and whose echo is checked."""
    return {EXTENSION: declaration()}


def described(match: Match) -> dict[str, object]:
    """What the route declares of itself, as the ``bazaar`` extension; nothing where it declares nothing.

    Its echo is not checked: it binds nobody, and an example that changed meanwhile must not refuse a payment.
    """
    route = match.route
    if route.input is None and route.output is None:
        return {}
    if len(encoded_path(match.path)) > LONGEST_DESCRIBED_PATH:
        return {}
    return {bazaar.EXTENSION: bazaar.declaration(route.method, route.pattern, match.params, route.input, route.output)}


def offered(route: Route, payable: Collection[Network]) -> tuple[Requirements, ...]:
    """The route's current requirements on networks whose relayer can pay for gas (threat 69)."""
    return tuple(r for r in route.accepts if r.network in payable)


def acceptable(route: Route, payable: Collection[Network], now: int) -> tuple[Requirements, ...]:
    """What a payment may have accepted: the current price, and a previous one still honoured (rule 8).

    Nothing on a network that cannot be settled on: the upstream would run for a payment that waits.
    """
    previous = tuple(p.requirements for p in route.previous if now <= p.until)
    return tuple(r for r in route.accepts + previous if r.network in payable)


def resource_url(base_url: str, match: Match) -> str:
    """The public URL of what is sold: from configuration and the canonical path, never from Host."""
    return match.route.base_url(base_url) + encoded_path(match.path)


def payment_required(match: Match, base_url: str, accepts: tuple[Requirements, ...], error: str) -> PaymentRequired:
    """The 402's message. ``error`` is a sentence or a reason code, as the specification has it."""
    route = match.route
    return PaymentRequired(
        resource=Resource(resource_url(base_url, match), route.description, route.mime_type),
        accepts=accepts,
        error=error,
        extensions=extensions() | described(match),
    )


def offer_at(
    base_url: str,
    catalogue: Catalogue,
    match: Match,
    *,
    reason: Reason | None = None,
    sentence: str = "",
    payment_response: SettleResponse | None = None,
) -> Outcome:
    """The 402 of a route, or the honest 503 when no network can be settled on right now."""
    accepts = offered(match.route, catalogue.payable_networks())
    if not accepts:
        return Outcome(
            Kind.NOTHING_TO_OFFER,
            code="no_payable_network",
            sentence="Payments cannot be settled at the moment; nothing was charged. Try again later.",
        )
    required = payment_required(match, base_url, accepts, "Payment required" if reason is None else reason.value)
    return Outcome(
        Kind.OFFER if reason is None else Kind.REFUSED,
        code="" if reason is None else reason.value,
        sentence=sentence,
        offer=required,
        payment_response=payment_response,
    )
