"""What this very request costs, where the price depends on a value in it.

The value is read once and in one way, and whatever a lenient upstream could read in a second way is refused: a
parameter given twice or spelled with escapes, a key in another case, a body that is not plainly JSON (threats 20-22).
Nothing is rewritten: the bytes that were priced are those that are claimed and forwarded.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote_plus

from tollgate.errors import BadRequest
from tollgate.gateway.catalogue import Match
from tollgate.gateway.messages import Request
from tollgate.payment.price_choice import PriceChoice, Where
from tollgate.payment.routes import PreviousPrice
from tollgate.wire import strict_json
from tollgate.wire.models import Requirements

# Unpaid requests are read too, so what is read has to be small.
MAX_PRICED_BODY_BYTES = 256 * 1024
MAX_BODY_DEPTH = 64
# What a value in a query may be made of, and so what a tier may be called: nothing that has a second spelling.
VALUE = re.compile(r"[A-Za-z0-9._~-]{1,64}")

_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.-]+\+)?json(?:[ \t]*;[ \t]*charset=\"?utf-8\"?)?", re.IGNORECASE)
_NOT_PLAIN = re.compile(r"[^a-z0-9]")
# More decoding than any server does.
_DECODINGS = 4


def priced(match: Match, request: Request, *, as_before: bool = False) -> Match:
    """The match with what this request costs as its route's only prices, and what it cost before as the previous.

    ``as_before``: a payment came with it, and what has no price any more may still be paid for as it was offered.
    Raises ``BadRequest``, 400 (413 or 415 for a body that cannot be read), when it has no price.
    """
    route = match.route
    if route.choice is None and not route.former:
        return match
    previous = list(route.previous)
    for former in route.former:
        try:
            ended = chosen(former.choice, request)
        except BadRequest:
            continue
        previous += [PreviousPrice(requirements, former.until) for requirements in ended]
    try:
        accepts = route.accepts if route.choice is None else chosen(route.choice, request)
    except BadRequest:
        if not (as_before and previous):
            raise
        accepts = ()
    return replace(match, route=replace(route, accepts=accepts, previous=tuple(previous), choice=None, former=()))


def chosen(choice: PriceChoice, request: Request) -> tuple[Requirements, ...]:
    """What the request costs. Raises as ``priced``."""
    if choice.where is Where.QUERY:
        return price_of(choice, _in_query(choice, request.raw_query))
    return price_of(choice, _in_body(choice, request))


def price_of(choice: PriceChoice, value: str | None) -> tuple[Requirements, ...]:
    """What a request with this value costs; ``None``: without one. Raises ``BadRequest`` 400."""
    if value is None:
        if choice.absent is None:
            raise _refused(choice, "price_field_missing", "is missing")
        value = choice.absent
    accepts = choice.of(value)
    if not accepts:
        raise _refused(choice, "price_value_unknown", "has another value")
    return accepts


def _in_query(choice: PriceChoice, raw_query: str) -> str | None:
    found = _named(choice, raw_query)
    if len(found) > 1:
        raise _refused(choice, "price_field_repeated", "is given more than once")
    if found and VALUE.fullmatch(found[0]) is None:
        raise _refused(choice, "price_value_malformed", "is empty, escaped or too long")
    return found[0] if found else None


def _named(choice: PriceChoice, raw_query: str) -> list[str]:
    """The values under the field's name; any other spelling of the name is refused."""
    if ";" in raw_query:
        raise _refused(choice, "price_field_ambiguous", "may stand behind the query's semicolon, which some take for &")
    name = choice.field.rsplit(".", 1)[-1]
    found = []
    for piece in raw_query.split("&"):
        given, _, value = piece.partition("=")
        if given == name:
            found.append(value)
        elif _plain(_decoded(given)) == _plain(name):
            raise _refused(choice, "price_field_ambiguous", "is spelled in another way")
    return found


def _in_body(choice: PriceChoice, request: Request) -> str | None:
    if len(request.body) > MAX_PRICED_BODY_BYTES:
        sentence = f"This request's price is in its body, which may have {MAX_PRICED_BODY_BYTES} bytes."
        raise BadRequest(413, "request_body_too_large", sentence)
    if _named(choice, request.raw_query):
        raise _refused(choice, "price_field_ambiguous", "stands in the query too")
    if not request.body:
        # Nothing that anybody could read: how crawlers ask for an offer.
        return None
    if _JSON_TYPE.fullmatch(request.headers.get("content-type", "")) is None:
        sentence = "This request's price is in its body: send JSON, and say so (Content-Type: application/json)."
        raise BadRequest(415, "body_not_json", sentence)
    value = strict_json.loads(request.body, max_bytes=MAX_PRICED_BODY_BYTES, max_depth=MAX_BODY_DEPTH, floats=True)
    for name in choice.field.split("."):
        if not isinstance(value, Mapping):
            raise _refused(choice, "price_value_malformed", "lies in something that is no object")
        if any(key != name and _plain(key) == _plain(name) for key in value):
            raise _refused(choice, "price_field_ambiguous", "is spelled in another way")
        if name not in value:
            return None
        value = value[name]
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int):
        raise _refused(choice, "price_value_malformed", "is neither text nor a whole number")
    return str(value)


def _plain(name: str) -> str:
    """What is left of a name for the most lenient reader: no case, no accents of form, no marks, no brackets."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return _NOT_PLAIN.sub("", folded.partition("[")[0])


def _decoded(name: str) -> str:
    for _ in range(_DECODINGS):
        once = unquote_plus(name)
        if once == name:
            break
        name = once
    return name


def _refused(choice: PriceChoice, code: str, why: str) -> BadRequest:
    place = "query parameter" if choice.where is Where.QUERY else "body's field"
    values = ", ".join(tier.value for tier in choice.tiers)
    return BadRequest(
        400, code, f"The price depends on the {place} {choice.field}, which {why}. Send it once, as one of: {values}."
    )
