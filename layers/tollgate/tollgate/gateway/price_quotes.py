"""Prices that a function of the seller's computes: asked for an offer, and never again for its payment.

A payment is taken for what we offered, by the seal that it brings back: the function may be down by then, or have
changed its mind, and an honest payment is not refused for that. An offer is always asked for anew.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Protocol

from tollgate.errors import ConfigurationError, TollgateError
from tollgate.gateway.catalogue import Match
from tollgate.gateway.dialing import UpstreamFailed
from tollgate.gateway.messages import Request
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.price_answer import bound, question, read_answer
from tollgate.gateway.price_selection import body_fields
from tollgate.payment.computed_price import ComputedPrice, as_sealed, sealed
from tollgate.payment.events import Event, Journal
from tollgate.wire.models import QUOTE, Requirements
from tollgate.wire.primitives import Network

# What is left of an invocation when an offer has to be there.
RESERVE_SECONDS = 1.0


class PriceUnavailable(TollgateError):
    """Nobody can say at the moment what a request costs, or whether we offered what a payment accepts."""


class PriceFunctions(Protocol):
    """``FunctionUpstream``."""

    def invoke(self, function: str, payload: bytes, usual: float, timeout: float) -> bytes:
        """What it returned within ``timeout`` seconds, asked once. Raises ``UpstreamFailed``."""


@dataclass(frozen=True, slots=True)
class Quotes:
    """The use case. ``key`` raises ``ConfigurationError``; ``clock`` gives Unix seconds."""

    functions: Callable[[], PriceFunctions]
    key: Callable[[], bytes]
    clock: Callable[[], float]
    journal: Journal

    def offered(self, match: Match, asked: bytes, payable: Collection[Network], deadline: float) -> Match:
        """The match with what the function says as its route's only prices, by ``deadline`` (Unix seconds).

        Raises ``PriceUnavailable``, which is counted.
        """
        computed = match.route.computed
        if computed is None:
            return match
        accepts: tuple[Requirements, ...] = ()
        # Nobody is asked for what could not be paid.
        if any(r.network in payable for r in computed.low):
            try:
                accepts = self._ask(computed, asked, deadline)
            except PriceUnavailable as down:
                self.journal.record(Event.PRICE_FAILED, route=match.route.id, why=str(down))
                raise
        return replace(match, route=replace(match.route, accepts=accepts, computed=None, former_computed=()))

    def honoured(self, match: Match, request: Request, accepted: Requirements | None) -> Match:
        """The match, with what a payment accepts among its prices if that is what we offered for this request.

        Raises ``BadRequest`` for a request that has no price, ``PriceUnavailable`` without the key.
        """
        route, now = match.route, int(self.clock())
        prices = (
            *((route.computed,) if route.computed is not None else ()),
            *(former.computed for former in route.former_computed if now <= former.until),
        )
        if accepted is None or QUOTE not in accepted.extra:
            return match
        for computed in prices:
            terms = computed.offered_as(accepted)
            if terms is None:
                continue
            asked = question(match, request.raw_query, body_fields(computed.fields, request))
            found = as_sealed(terms, accepted.extra[QUOTE], bound(asked), self._key(), now)
            if found is not None:
                return replace(match, route=replace(route, accepts=(*route.accepts, found)))
        return match

    def _ask(self, computed: ComputedPrice, asked: bytes, deadline: float) -> tuple[Requirements, ...]:
        key = self._key()
        timeout = min(computed.timeout_seconds, deadline - RESERVE_SECONDS - self.clock())
        if timeout <= 0:
            raise PriceUnavailable("no_time_left")
        try:
            returned = self.functions().invoke(computed.function, asked, computed.timeout_seconds, timeout)
        except UpstreamFailed as failed:
            raise PriceUnavailable(failed.kind.value) from failed
        try:
            answer = read_answer(returned)
            amounts = answer.amounts(computed.low)
        except (ValueError, ConfigurationError) as error:
            raise PriceUnavailable("answer_unusable") from error
        expires = int(self.clock()) + min(computed.valid_seconds, answer.valid_seconds or computed.valid_seconds)
        return tuple(
            sealed(replace(low, amount=min(max(amount, low.amount), high.amount)), bound(asked), key, expires)
            for low, high, amount in zip(computed.low, computed.high, amounts, strict=True)
        )

    def _key(self) -> bytes:
        try:
            return self.key()
        except ConfigurationError as error:
            raise PriceUnavailable("key_unavailable") from error


def asked_of(match: Match, request: Request) -> bytes:
    """What the function is asked for this request. Raises ``BadRequest``."""
    computed = match.route.computed
    body = {} if computed is None else body_fields(computed.fields, request)
    return question(match, request.raw_query, body)


def unavailable() -> Outcome:
    """Nobody knows the price: no offer, and nothing of a payment was used."""
    return Outcome(
        Kind.NOTHING_TO_OFFER,
        code="price_unavailable",
        sentence="What this request costs cannot be said at the moment; nothing was charged. Try again later.",
    )
