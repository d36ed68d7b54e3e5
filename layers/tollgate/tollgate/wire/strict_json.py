"""JSON without its ambiguities: one text has one meaning here, or it is refused (threats 3 and 4).

Refused: a key given twice, any float (also ``1e400``, NaN and Infinity), integers outside the safe
range of RFC 7493 (2^53 - 1), text that is not UTF-8, unpaired surrogates, and deep nesting. Size
and depth are checked before the parser runs, so neither can cost time or the stack.
"""

import json
import math
import re
from typing import Any, NoReturn

from tollgate.errors import BadRequest

MAX_SAFE_INTEGER = 2**53 - 1

_STRUCTURE = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_MAX_INTEGER_DIGITS = 17  # of 2^53, with a sign


def loads(data: bytes, *, max_bytes: int, max_depth: int = 16, floats: bool = False) -> Any:
    """Parse one JSON text of at most ``max_bytes`` bytes and ``max_depth`` nested containers.

    ``floats`` lets finite ones through, for texts that hold other people's numbers beside ours. What a number is
    then depends on its value and not on its spelling: 2.0 is an integer, 10^20 is none.

    Raises ``BadRequest``: 431 ``json_too_large`` over the cap, else 400 with ``invalid_json``,
    ``json_too_deep``, ``json_duplicate_key`` or ``json_number_refused``.
    """
    if len(data) > max_bytes:
        raise BadRequest(431, "json_too_large", f"The JSON must be at most {max_bytes} bytes.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _invalid("it is not UTF-8") from error
    _check_depth(text, max_depth)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_number if floats else _integer,
            parse_float=_number if floats else _refuse_number,
            parse_constant=_refuse_number,
        )
    except json.JSONDecodeError as error:
        raise _invalid(f"{error.msg} at character {error.pos}") from error
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _check_depth(text: str, max_depth: int) -> None:
    if text.count("{") + text.count("[") <= max_depth:
        # Too few to nest deeper, wherever they stand: an ordinary payment is not looked at again.
        return
    depth, in_string = 0, False
    for match in _STRUCTURE.finditer(text):
        mark = match.group()
        if mark == '"':
            in_string = not in_string
        elif in_string:
            continue
        elif mark in "[{":
            depth += 1
            if depth > max_depth:
                raise BadRequest(400, "json_too_deep", f"The JSON nests deeper than {max_depth} levels.")
        elif mark in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise BadRequest(400, "json_duplicate_key", "A JSON object gives one key twice.")
    return out


def _integer(digits: str) -> int:
    if len(digits) <= _MAX_INTEGER_DIGITS and abs(value := int(digits)) <= MAX_SAFE_INTEGER:
        return value
    return _refuse_number(digits)


def _number(digits: str) -> int | float:
    value = float(digits)
    if not math.isfinite(value):
        return _refuse_number(digits)
    return int(value) if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER else value


def _refuse_number(_: str) -> NoReturn:
    raise BadRequest(
        400,
        "json_number_refused",
        "JSON numbers must be integers within 2^53 - 1; amounts and times are decimal strings.",
    )


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _invalid("a string holds an unpaired surrogate") from error


def _invalid(why: str) -> BadRequest:
    return BadRequest(400, "invalid_json", f"The text is not valid JSON: {why}.")
