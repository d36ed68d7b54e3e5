"""The offer of a route, for callers who ask first and for gateways that want only the 402.

    GET /x402/challenge?method=GET&path=/weather/paris
    GET /x402/challenge?method=GET&path=/images/1&query=size%3Dlarge      a price that depends on the query
    GET /x402/challenge?method=POST&path=/images&value=large              one that depends on a field of the body
    GET /x402/challenge?method=POST&path=/texts&value=%7B%22pages%22%3A3%7D   one that is computed from some fields

``path`` and ``query`` are what would stand in the request line: percent-encoded once for that, and once here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from tollgate.errors import BadRequest
from tollgate.gateway.catalogue import METHODS, Catalogue, Match, MethodNotAllowed
from tollgate.gateway.forwarding import is_query
from tollgate.gateway.messages import Request
from tollgate.gateway.offers import offer_at
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.gateway.ports import CatalogueSource
from tollgate.gateway.price_answer import question
from tollgate.gateway.price_quotes import RESERVE_SECONDS, PriceUnavailable, Quotes, unavailable
from tollgate.gateway.price_selection import body_fields, price_of, priced
from tollgate.payment.events import Event, Journal
from tollgate.payment.price_choice import Where
from tollgate.payment.record import StoredAnswer

_PARAMETERS = frozenset({"method", "path", "query", "value"})
_MOST_FIELDS = 8
_FREE = StoredAnswer(200, (("content-type", "application/json"),), b'{"free":true}')


@dataclass(frozen=True, slots=True)
class Challenger:
    """The use case. ``base_url`` has no trailing slash."""

    catalogues: CatalogueSource
    base_url: str
    journal: Journal
    quotes: Quotes

    def challenge(self, raw_query: str) -> Outcome:
        """The answer that an unpaid request would get; for a free route that it is free, and its upstream is not asked.

        A query that names no route says what is wrong.
        """
        try:
            wanted = _read(raw_query)
            catalogue = self.catalogues.current()
            match = _priced(catalogue.match(wanted["method"], wanted["path"]), wanted)
            asked = _asked(match, wanted)
        except MethodNotAllowed as other:
            # The Allow header speaks of this endpoint, which is not the route.
            return Outcome(
                Kind.BAD_REQUEST,
                code=other.code,
                sentence=f"The route at this path takes {other.allow}.",
                status=other.status,
                details={"allow": other.allow},
                allow="GET, HEAD, OPTIONS",
            )
        except BadRequest as bad:
            return Outcome(Kind.BAD_REQUEST, code=bad.code, sentence=bad.sentence, status=bad.status)
        if match.route.free:
            return Outcome(Kind.FREE, answer=_FREE)
        try:
            outcome = offer_at(self.base_url, catalogue, self._computed(catalogue, match, asked))
        except PriceUnavailable:
            outcome = unavailable()
        self.journal.record(Event.OFFER_MADE, route=match.route.id, kind=outcome.kind.value)
        return outcome

    def _computed(self, catalogue: Catalogue, match: Match, asked: bytes) -> Match:
        """Raises ``PriceUnavailable``."""
        if match.route.computed is None:
            return match
        deadline = self.quotes.clock() + match.route.computed.timeout_seconds + RESERVE_SECONDS
        return self.quotes.offered(match, asked, catalogue.payable_networks(), deadline)


def _read(raw_query: str) -> Mapping[str, str]:
    """What is asked about, each parameter once. Raises ``BadRequest`` 400."""
    try:
        pairs = parse_qsl(
            raw_query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:
        raise _wrong() from error
    given = dict(pairs)
    if len(given) != len(pairs) or not given.keys() <= _PARAMETERS or not given.get("path", "").startswith("/"):
        raise _wrong()
    given.setdefault("method", "GET")
    if given["method"] not in METHODS:
        raise BadRequest(400, "invalid_parameters", f"method must be one of {', '.join(METHODS)}.")
    return given


def _wrong() -> BadRequest:
    return BadRequest(
        400,
        "invalid_parameters",
        "Ask with path=/the/path and method=GET, each once and percent-encoded, and with query=… or value=… where the "
        "price depends on the query or on the body; nothing else.",
    )


def _priced(match: Match, wanted: Mapping[str, str]) -> Match:
    """The match at the price of the call that is asked about. Raises ``BadRequest``."""
    query, choice = wanted.get("query", ""), match.route.choice
    if not is_query(query):
        raise BadRequest(400, "malformed_query", "The query must be visible ASCII: percent-encode the rest.")
    if choice is not None and choice.where is Where.BODY:
        accepts = price_of(choice, wanted.get("value"))
        return replace(match, route=replace(match.route, accepts=accepts, choice=None))
    if "value" in wanted and (match.route.computed is None or not match.route.computed.fields):
        raise _wrong()
    return priced(match, Request(wanted["method"], wanted["path"], query, {}, b"", ""))


def _asked(match: Match, wanted: Mapping[str, str]) -> bytes:
    """What a price function is asked about the call: ``value`` is a body with the fields that it sees.

    Raises ``BadRequest``.
    """
    computed, body = match.route.computed, wanted.get("value", "").encode()
    request = Request("", "", wanted.get("query", ""), {"content-type": "application/json"}, body, "")
    return question(match, request.raw_query, body_fields(() if computed is None else computed.fields, request))
