"""One canonical form of a request's path, or a 400: what is matched, priced and forwarded is this one text.

Front doors differ in whether they hand over the path decoded. It is decoded once here, and whatever
could then still be read in two ways is refused, so it does not matter (threat 29, rule 8).
"""

import re
import unicodedata
from typing import NoReturn
from urllib.parse import quote, unquote_to_bytes

from tollgate.errors import BadRequest

_MALFORMED_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_SLASH = re.compile(r"%2[Ff]")
_REFUSED = re.compile(r"[?#%\\;]")
# Controls, lone surrogates, and the two separators that some readers take for line ends.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})

# Characters of the path in an offer's resource.url: what keeps the offer of a route with params under 4 kB.
MAX_PATH = 1024


def canonical_path(raw_path: str) -> str:
    """Decode ``raw_path`` once and return it; a trailing slash stays significant.

    Raises ``BadRequest`` 400 ``ambiguous_path`` for anything that two readers could read differently:
    ``? # % \\ ;`` or ``//`` after decoding, an encoded slash, dot segments, control characters,
    malformed percent-encoding, or bytes that are not UTF-8; 431 ``path_too_long`` over ``MAX_PATH``.
    """
    if len(raw_path) > 3 * MAX_PATH:
        raise _too_long()
    if not raw_path.startswith("/"):
        _refuse("must start with a slash")
    if _MALFORMED_PERCENT.search(raw_path):
        _refuse("holds a percent sign that is not followed by two hex digits")
    if _ENCODED_SLASH.search(raw_path):
        _refuse("holds an encoded slash")
    try:
        path = unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeError:
        _refuse("is not UTF-8")
    if _REFUSED.search(path):
        _refuse("holds one of ? # % \\ ; after decoding")
    if "//" in path:
        _refuse("holds an empty segment")
    if any(segment in (".", "..") for segment in path.split("/")):
        _refuse("holds a dot segment")
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in path):
        _refuse("holds a control character")
    if len(encoded_path(path)) > MAX_PATH:
        raise _too_long()
    return path


def encoded_path(path: str) -> str:
    """A canonical path as it stands in an URL."""
    return quote(path, safe="/:@!$&'()*+,=-._~")


def _too_long() -> BadRequest:
    return BadRequest(431, "path_too_long", f"The path is longer than {MAX_PATH} characters.")


def _refuse(why: str) -> NoReturn:
    raise BadRequest(400, "ambiguous_path", f"The path {why}.")
