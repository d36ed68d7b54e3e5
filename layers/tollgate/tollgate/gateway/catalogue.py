"""The route table as the gateway uses it: match a request, say what it costs, keep the previous price.

Default deny: what no route declares is 404, another method of a declared path is 405, and HEAD is
like any other method (threats 16, 24, 29, 30; rule 8).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tollgate.errors import BadRequest, ConfigurationError
from tollgate.gateway.canonical_path import canonical_path
from tollgate.gateway.path_pattern import PathPattern, is_reserved
from tollgate.payment.computed_price import FormerComputedPrice
from tollgate.payment.price_choice import FormerChoice
from tollgate.payment.routes import NetworkStatus, PreviousPrice, Route, Snapshot, UpstreamTarget
from tollgate.wire.primitives import Network

__all__ = [
    "CACHE_SECONDS",
    "METHODS",
    "Catalogue",
    "Match",
    "MethodNotAllowed",
    "NetworkStatus",
    "PreviousPrice",
    "Route",
    "Snapshot",
    "UpstreamTarget",
    "merge",
]

# How long a proxy may serve from a snapshot before it reads the table again.
CACHE_SECONDS = 60
# HEAD and OPTIONS are missing: a paid HEAD buys nothing, and a preflight is never priced (threats 30, 31).
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class MethodNotAllowed(BadRequest):
    """405: the path is declared, but not with this method; ``allow`` is what the Allow header holds."""

    def __init__(self, allow: Iterable[str], code: str = "method_not_allowed", sentence: str = "") -> None:
        self.allow = ", ".join(sorted(set(allow)))
        super().__init__(405, code, sentence or f"This path takes {self.allow}.")


@dataclass(frozen=True, slots=True)
class Match:
    """The route that a request is for. ``path`` is canonical and decoded, and so are ``params``."""

    route: Route
    path: str
    params: Mapping[str, str]


# A metric of a route costs by the month.
MOST_MEASURED = 100
OTHERS = "(others)"


class Catalogue:
    """A snapshot, ready to be matched. Raises ``ConfigurationError`` for routes that could not be served."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._measured = frozenset(route.id for route in snapshot.routes[:MOST_MEASURED])
        self._by_length: dict[int, list[tuple[PathPattern, Route]]] = {}
        seen: dict[object, str] = {}
        for route in snapshot.routes:
            try:
                pattern = PathPattern.parse(route.pattern)
            except ValueError as error:
                raise ConfigurationError(f"route {route.id}: path {error}") from error
            if route.method not in METHODS:
                raise ConfigurationError(f"route {route.id}: method must be one of {', '.join(METHODS)}")
            if route.choice is not None and (route.accepts or not all(tier.accepts for tier in route.choice.tiers)):
                raise ConfigurationError(f"route {route.id}: its price depends on the request, and every tier has one")
            if route.computed is not None and (route.accepts or route.choice is not None):
                raise ConfigurationError(f"route {route.id}: its price is computed, so no other one stands beside it")
            if route.free and route.payable_terms:
                raise ConfigurationError(f"route {route.id}: a free route takes no payment, at no price")
            for key in ((route.method, pattern.shape), route.id):
                if key in seen:
                    raise ConfigurationError(f"routes {seen[key]} and {route.id} cannot be told apart")
                seen[key] = route.id
            self._by_length.setdefault(len(pattern.segments), []).append((pattern, route))
        for candidates in self._by_length.values():
            candidates.sort(key=lambda candidate: candidate[0].specificity)

    def measured_as(self, route: Route) -> str:
        """The value of its metrics' dimension: its id, for the first hundred routes, so that metrics stay few."""
        return route.id if route.id in self._measured else OTHERS

    def match(self, method: str, raw_path: str) -> Match:
        """The most specific route for a request.

        Raises ``BadRequest``: 400 ``ambiguous_path``, 404 ``unknown_route``, or ``MethodNotAllowed`` (405).
        """
        path = canonical_path(raw_path)
        allow: list[str] = []
        if not is_reserved(path):
            for pattern, route in self._by_length.get(path.count("/"), ()):
                params = pattern.match(path)
                if params is None:
                    continue
                if route.method == method:
                    return Match(route, path, params)
                allow.append(route.method)
        if allow:
            raise MethodNotAllowed(allow)
        raise BadRequest(404, "unknown_route", "There is nothing for sale at this path.")

    def payable_networks(self) -> frozenset[Network]:
        """The networks that may be offered: not those whose relayers are known to have no gas (threat 69)."""
        priced = {r.network for route in self.snapshot.routes for r in route.terms}
        out_of_gas = {status.network for status in self.snapshot.networks if not status.has_gas}
        return frozenset(priced - out_of_gas)


def merge(current: Sequence[Route], wanted: Sequence[Route], now: int) -> tuple[Route, ...]:
    """``wanted``, with what buyers may still hold offers for kept acceptable.

    A proxy may offer the old requirements for ``CACHE_SECONDS`` more, and a buyer has
    maxTimeoutSeconds to use an offer. Routes are the same when a buyer cannot tell them apart: by
    method and path, not by id.
    """
    before = {_key(route): route for route in current}
    return tuple(_with_previous(before.get(_key(route)), route, now) for route in wanted)


def _key(route: Route) -> tuple[object, ...]:
    return (route.method, PathPattern.parse(route.pattern).shape)


def _with_previous(old: Route | None, new: Route, now: int) -> Route:
    kept: list[PreviousPrice] = []
    former: list[FormerChoice] = []
    if old is not None and not new.free:
        ended = (PreviousPrice(r, now + CACHE_SECONDS + r.max_timeout_seconds) for r in old.accepts)
        for price in (*ended, *(p for p in old.previous if p.until >= now)):
            known = [k.requirements for k in kept]
            if price.requirements not in new.accepts and price.requirements not in known:
                kept.append(price)
        choices = [f for f in old.former if f.until >= now]
        if old.choice is not None:
            longest = max(r.max_timeout_seconds for r in old.choice.terms)
            choices.insert(0, FormerChoice(old.choice, now + CACHE_SECONDS + longest))
        for choice in choices:
            if choice.choice not in (new.choice, *(f.choice for f in former)):
                former.append(choice)
    return replace(new, previous=tuple(kept), former=tuple(former), former_computed=_computed_before(old, new, now))


def _computed_before(old: Route | None, new: Route, now: int) -> tuple[FormerComputedPrice, ...]:
    """What was computed for offers that somebody may still hold; each expires by itself, the last one by then."""
    if old is None or new.free:
        return ()
    found = [former for former in old.former_computed if former.until >= now]
    if old.computed is not None:
        found.insert(0, FormerComputedPrice(old.computed, now + CACHE_SECONDS + old.computed.valid_seconds))
    kept: list[FormerComputedPrice] = []
    for former in found:
        if former.computed not in (new.computed, *(k.computed for k in kept)):
            kept.append(former)
    return tuple(kept)
