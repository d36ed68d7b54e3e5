"""What may be listed: the routes that a 402 would offer at this moment, and nothing else of them but the offer.

A route that costs nothing, that waits for gas, or that stands at a place of our own is not listed; its upstream, its
secret and its earlier prices stay inside, since nothing here hands on a ``Route``.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.errors import ConfigurationError
from tollgate.gateway.catalogue import Catalogue, Route
from tollgate.gateway.offers import extensions
from tollgate.gateway.path_pattern import is_reserved
from tollgate.gateway.pricing import format_dollars
from tollgate.payment.health import health_url
from tollgate.payment.networks import Asset, network_info
from tollgate.payment.price_choice import PriceChoice
from tollgate.wire import bazaar
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Network

# What is made of a listing may be kept for as long: a price that ended is taken for longer (rule 8).
CACHE = ("cache-control", "public, max-age=60")


@dataclass(frozen=True, slots=True)
class Listed:
    """One priced route as the public sees it.

    ``accepts`` is all that some request to it is offered; ``choice``, where it costs not the same for all, says which
    for what. ``computed_for``: it is computed, between the least and the most of ``accepts``, and an offer is good for
    at most so many seconds. ``input`` and ``output`` are its seller's declarations, or ``None``.
    ``available``: whether it answered when it was last looked at, and when that was (Unix seconds), where it is known.
    """

    method: str
    pattern: str
    accepts: tuple[Requirements, ...]
    choice: PriceChoice | None
    computed_for: int | None
    description: str
    mime_type: str
    input: Mapping[str, Any] | None
    output: Mapping[str, Any] | None
    available: tuple[bool, int] | None = None

    @property
    def tiers(self) -> Iterator[tuple[str | None, tuple[Requirements, ...]]]:
        """What is offered for each value that the price depends on, and for any other one (``None``)."""
        if self.choice is not None:
            for value, terms in (*((t.value, t.accepts) for t in self.choice.tiers), (None, self.choice.otherwise)):
                if offers := tuple(r for r in terms if r in self.accepts):
                    yield value, offers

    def depends_on(self) -> dict[str, Any] | None:
        """Which part of a request decides on its price, and how, as JSON; ``None`` where nothing does."""
        if self.computed_for is not None:
            bounds = {"minimum": min, "maximum": max}
            return {
                "in": "request",
                "computed": True,
                **{name: [r.to_json() for r in self._bound(bound)] for name, bound in bounds.items()},
                "validSeconds": self.computed_for,
            }
        if self.choice is None:
            return None
        out: dict[str, Any] = {"in": self.choice.where.value, "name": self.choice.field, "prices": []}
        if self.choice.absent is not None:
            out["absent"] = self.choice.absent
        for value, offers in self.tiers:
            said = {"accepts": [requirements.to_json() for requirements in offers]}
            out["prices"].append(said if value is None else {"value": value, **said})
        return out

    def _bound(self, bound: Callable[..., Requirements]) -> list[Requirements]:
        """The least or the most for each network and token."""
        kinds = dict.fromkeys((r.network, r.asset) for r in self.accepts)
        return [
            bound((r for r in self.accepts if (r.network, r.asset) == kind), key=lambda r: r.amount) for kind in kinds
        ]

    def availability(self) -> dict[str, Any] | None:
        """Whether what is behind it answered last, as JSON; it promises nothing of the next call."""
        return None if self.available is None else {"up": self.available[0], "checkedAt": self.available[1]}

    def declaration(self) -> dict[str, Any]:
        """The ``bazaar`` extension for all paths of the route; it always says the method."""
        return bazaar.declaration(self.method, self.pattern, {}, self.input, self.output)

    def extensions(self) -> dict[str, Any]:
        """What its offers advertise, and its declaration."""
        return {**extensions(), bazaar.EXTENSION: self.declaration()}


def listed(catalogue: Catalogue) -> tuple[Listed, ...]:
    """The routes to list, in the order of the seller's file."""
    payable = catalogue.payable_networks()
    found = ((route, _offered(route, payable)) for route in catalogue.snapshot.routes)
    health = {seen.url: (seen.up, seen.checked_at) for seen in catalogue.snapshot.health}
    return tuple(
        _listed(route, accepts, health.get(health_url(route) or ""))
        for route, accepts in found
        if accepts and not is_reserved(route.pattern)
    )


def token_of(requirements: Requirements) -> Asset | None:
    """The token that is asked for, where it is known."""
    try:
        return network_info(requirements.network).asset(str(requirements.asset))
    except ConfigurationError:
        return None


def price_of(requirements: Requirements) -> str:
    """``$0.01 USDC`` where the token is known, else atomic units."""
    token = token_of(requirements)
    if token is None:
        return f"{requirements.amount} atomic units of {requirements.asset}"
    return f"{format_dollars(requirements.amount, token)} {token.symbol}"


def _offered(route: Route, payable: Collection[Network]) -> tuple[Requirements, ...]:
    kept: list[Requirements] = []
    for requirements in route.terms:
        if requirements.network in payable and requirements not in kept:
            kept.append(requirements)
    return tuple(kept)


def _listed(route: Route, accepts: tuple[Requirements, ...], available: tuple[bool, int] | None) -> Listed:
    return Listed(
        route.method,
        route.pattern,
        accepts,
        route.choice,
        None if route.computed is None else route.computed.valid_seconds,
        route.description,
        route.mime_type,
        route.input,
        route.output,
        available,
    )
