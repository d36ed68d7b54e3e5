"""The parameters of ``/discovery/…``, read strictly where they decide how much is answered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tollgate.errors import BadRequest

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_QUERY = 400
_MAX_OFFSET = 10**9
_MOST_FIELDS = 16
_WHOLE = re.compile(r"0|[1-9][0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a resource must have to be listed; ``None`` takes all."""

    type: str | None
    pay_to: str | None
    scheme: str | None
    network: str | None
    extensions: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of what was found."""

    limit: int
    offset: int


def read_parameters(raw_query: str) -> Mapping[str, str]:
    """Each parameter once. Raises ``BadRequest`` 400. Unknown ones are let through: a newer client may send more."""
    try:
        pairs = parse_qsl(raw_query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise _wrong("The query cannot be read: percent-encode UTF-8, at most 16 parameters.") from error
    given = dict(pairs)
    if len(given) != len(pairs):
        raise _wrong("Give each parameter once.")
    return given


def read_filters(given: Mapping[str, str]) -> Filters:
    """The filters that official clients know."""
    return Filters(
        given.get("type"), given.get("payTo"), given.get("scheme"), given.get("network"), given.get("extensions")
    )


def read_page(given: Mapping[str, str], start: str) -> Page:
    """``limit``, and the offset under the name ``start``. Raises ``BadRequest`` 400."""
    limit = _number(given, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    return Page(limit, _number(given, start, 0, 0, _MAX_OFFSET))


def read_search(given: Mapping[str, str]) -> str:
    """The search's text. Raises ``BadRequest`` 400."""
    text = given.get("query", "").strip()
    if not text or len(text) > MAX_QUERY:
        raise _wrong(f"Ask with query=, 1 to {MAX_QUERY} characters.")
    return text


def _number(given: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if _WHOLE.fullmatch(text) is None or not low <= int(text) <= high:
        raise _wrong(f"{name} must be a whole number from {low} to {high}.")
    return int(text)


def _wrong(sentence: str) -> BadRequest:
    return BadRequest(400, "invalid_parameters", sentence)
