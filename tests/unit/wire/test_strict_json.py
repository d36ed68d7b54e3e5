"""JSON is read in exactly one way or not at all."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.errors import BadRequest
from tollgate.wire.strict_json import MAX_SAFE_INTEGER, loads

_SCALARS = st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | st.text()
_VALUES = st.recursive(
    _SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3), max_leaves=8
)


def code_of(data: bytes, **caps: int) -> tuple[int, str]:
    """Status and code of the refusal."""
    with pytest.raises(BadRequest) as caught:
        loads(data, **{"max_bytes": 8192, **caps})
    return caught.value.status, caught.value.code


@given(_VALUES, st.booleans())
def test_what_the_standard_writer_writes_is_read_back(value: Any, ascii_only: bool) -> None:
    """No valid value of strings, integers, booleans and null is lost, escaped or not."""
    assert loads(json.dumps(value, ensure_ascii=ascii_only).encode(), max_bytes=10**6, max_depth=64) == value


@pytest.mark.parametrize(
    "number",
    ["1.0", "-0.5", "1e3", "1E400", "NaN", "Infinity", "-Infinity", str(2**53), str(-(2**53)), "9" * 5000],
)
def test_a_number_that_readers_disagree_on_is_refused(number: str) -> None:
    """Floats of any spelling and integers outside the safe range are refused, also deep inside."""
    assert code_of(f'{{"a":[{number}]}}'.encode()) == (400, "json_number_refused")


def test_safe_integers_are_read() -> None:
    """The bounds of RFC 7493 are inside."""
    assert loads(f"[{MAX_SAFE_INTEGER},-{MAX_SAFE_INTEGER},0]".encode(), max_bytes=64) == [
        MAX_SAFE_INTEGER,
        -MAX_SAFE_INTEGER,
        0,
    ]


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', '[{"b":{"a":1,"\\u0061":1}}]'])
def test_a_key_given_twice_is_refused(text: str) -> None:
    """Also when nested, spelled with an escape, or given the same value."""
    assert code_of(text.encode()) == (400, "json_duplicate_key")


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"{", b"{'a':1}", b'{"a":1} x', b"\xff", b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}", b'"\\ud800"',
     b'{"\\udfff":1}', b'"a\nb"', b"[1,]", b"01", b'"\\x"'],
)  # fmt: skip
def test_what_is_not_json_is_refused(data: bytes) -> None:
    """Syntax errors, other encodings, a byte order mark and unpaired surrogates."""
    assert code_of(data) == (400, "invalid_json")


def test_a_paired_surrogate_is_a_character() -> None:
    """Escaped pairs are what other writers make of characters beyond the basic plane."""
    assert loads(b'"\\ud83d\\ude00"', max_bytes=64) == "\U0001f600"


@pytest.mark.parametrize("shape", ["[", '{"a":'])
def test_depth_is_counted_before_parsing(shape: str) -> None:
    """Nesting at the cap is read; one more, or a thousand unclosed, is refused as too deep."""
    close = "]" if shape == "[" else "}"
    assert loads((shape * 16 + "0" + close * 16).encode(), max_bytes=8192)
    assert code_of((shape * 17 + "0" + close * 17).encode()) == (400, "json_too_deep")
    assert code_of((shape * 1000).encode()) == (400, "json_too_deep")


def test_brackets_in_strings_are_not_nesting() -> None:
    """Not even behind escaped quotes and backslashes."""
    text = json.dumps({'\\"[[[[': '{{{{\\\\"' * 9})
    assert loads(text.encode(), max_bytes=8192, max_depth=1) == json.loads(text)


def test_size_is_checked_before_anything_else() -> None:
    """One byte over the cap is 431, whatever the bytes are."""
    assert loads(b'"' + b"a" * 62 + b'"', max_bytes=64) == "a" * 62
    assert code_of(b"\xff" * 65, max_bytes=64) == (431, "json_too_large")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"2", 2),
        (b"2.0", 2),
        (b"-0.0", 0),
        (b"1e3", 1000),
        (b"21.5", 21.5),
        (b"9007199254740991", 2**53 - 1),
        (b"9007199254740993", 2.0**53),
        (b"100000000000000000000", 1e20),
    ],
)
def test_where_floats_are_let_through_a_number_is_its_value(text: bytes, value: float) -> None:
    """An integer is a safe one, however it is spelled; JSON Schema sees it the same way."""
    read = loads(text, max_bytes=100, floats=True)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", [b"1e400", b"-1e400", b"9" * 400, b"NaN", b"Infinity"])
def test_a_number_without_a_value_is_refused_all_the_same(text: bytes) -> None:
    """Also where floats are let through (threat 4)."""
    with pytest.raises(BadRequest) as refused:
        loads(text, max_bytes=1000, floats=True)
    assert refused.value.code == "json_number_refused"
