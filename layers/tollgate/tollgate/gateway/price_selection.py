"""What this very request costs, where the price depends on a value in it.

The value is read once and in one way, and whatever a lenient upstream could read in a second way is refused: a
parameter given twice or spelled with escapes, a key in another case, a body that is not plainly JSON (threats 20-22).
Nothing is rewritten: the bytes that were priced are those that are claimed and forwarded.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
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

# What a request is refused with, made of a code and what is wrong.
_Refuse = Callable[[str, str], BadRequest]
_ABSENT = object()

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


def body_fields(fields: tuple[str, ...], request: Request) -> dict[str, Any]:
    """Those of the fields that a request's JSON body has, by their names. Raises as ``priced``."""
    if not fields:
        return {}
    refuse = [partial(_misread, name) for name in fields]
    document = _body(fields, request, refuse)
    if document is _ABSENT:
        return {}
    found = {name: _field(name, document, wrong) for name, wrong in zip(fields, refuse, strict=True)}
    return {name: value for name, value in found.items() if value is not _ABSENT}


def _in_query(choice: PriceChoice, raw_query: str) -> str | None:
    found = _named(choice.field, raw_query, partial(_refused, choice))
    if len(found) > 1:
        raise _refused(choice, "price_field_repeated", "is given more than once")
    if found and VALUE.fullmatch(found[0]) is None:
        raise _refused(choice, "price_value_malformed", "is empty, escaped or too long")
    return found[0] if found else None


def _named(field: str, raw_query: str, refuse: _Refuse) -> list[str]:
    """The values under the field's name; any other spelling of the name is refused."""
    if ";" in raw_query:
        raise refuse("price_field_ambiguous", "may stand behind the query's semicolon, which some take for &")
    name = field.rsplit(".", 1)[-1]
    found = []
    for piece in raw_query.split("&"):
        given, _, value = piece.partition("=")
        if given == name:
            found.append(value)
        elif _plain(_decoded(given)) == _plain(name):
            raise refuse("price_field_ambiguous", "is spelled in another way")
    return found


def _in_body(choice: PriceChoice, request: Request) -> str | None:
    refuse = partial(_refused, choice)
    document = _body((choice.field,), request, [refuse])
    value = _ABSENT if document is _ABSENT else _field(choice.field, document, refuse)
    if value is _ABSENT:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int):
        raise refuse("price_value_malformed", "is neither text nor a whole number")
    return str(value)


def _body(fields: tuple[str, ...], request: Request, refuse: list[partial[BadRequest]]) -> Any:
    """The body as JSON, or ``_ABSENT``."""
    if len(request.body) > MAX_PRICED_BODY_BYTES:
        sentence = f"This request's price is in its body, which may have {MAX_PRICED_BODY_BYTES} bytes."
        raise BadRequest(413, "request_body_too_large", sentence)
    for name, wrong in zip(fields, refuse, strict=True):
        if _named(name, request.raw_query, wrong):
            raise wrong("price_field_ambiguous", "stands in the query too")
    if not request.body:
        # Nothing that anybody could read: how crawlers ask for an offer.
        return _ABSENT
    if _JSON_TYPE.fullmatch(request.headers.get("content-type", "")) is None:
        sentence = "This request's price is in its body: send JSON, and say so (Content-Type: application/json)."
        raise BadRequest(415, "body_not_json", sentence)
    return strict_json.loads(request.body, max_bytes=MAX_PRICED_BODY_BYTES, max_depth=MAX_BODY_DEPTH, floats=True)


def _field(field: str, value: Any, refuse: _Refuse) -> Any:
    """What lies under the field's name, or ``_ABSENT``."""
    for name in field.split("."):
        if not isinstance(value, Mapping):
            raise refuse("price_value_malformed", "lies in something that is no object")
        if any(key != name and _plain(key) == _plain(name) for key in value):
            raise refuse("price_field_ambiguous", "is spelled in another way")
        if name not in value:
            return _ABSENT
        value = value[name]
    return value


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


def _misread(field: str, code: str, why: str) -> BadRequest:
    return BadRequest(400, code, f"The price depends on the body's field {field}, which {why}. Send it once.")


def _refused(choice: PriceChoice, code: str, why: str) -> BadRequest:
    place = "query parameter" if choice.where is Where.QUERY else "body's field"
    values = ", ".join(tier.value for tier in choice.tiers)
    return BadRequest(
        400, code, f"The price depends on the {place} {choice.field}, which {why}. Send it once, as one of: {values}."
    )
