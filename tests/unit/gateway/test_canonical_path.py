"""One text for one path, or a 400 (rule 8, threat 29)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.errors import BadRequest
from tollgate.gateway.canonical_path import MAX_PATH, canonical_path, encoded_path

AMBIGUOUS = [
    "",
    "api/x",
    "//api/x",
    "/api//x",
    "/api/./x",
    "/api/../x",
    "/api/..",
    "/.",
    "/api/%2e/x",
    "/api/%2E%2e/x",
    "/api\\x",
    "/api%5Cx",
    "/api%5cx",
    "/api%2Fx",
    "/api%2fx",
    "/api/x%252F",
    "/api/%2525",
    "/api/%",
    "/api/%2",
    "/api/%zz",
    "/api/%c0%af",
    "/api/%ff",
    "/api/%ed%a0%80",
    "/api/\ud800",
    "/api/x\n",
    "/api/%0a",
    "/api/%00",
    "/api/%7f",
    "/api/%c2%85",
    "/api/%e2%80%a8",
    "/api/x;v=1",
    "/api/x%3Bv=1",
    "/api/x?y=1",
    "/api/x%3Fy=1",
    "/api/x#y",
    "/api/x%23y",
]


@pytest.mark.parametrize("raw", AMBIGUOUS)
def test_what_two_readers_could_read_differently_is_400(raw: str) -> None:
    """Every such spelling is refused with the one code, before anything is looked up."""
    with pytest.raises(BadRequest) as refused:
        canonical_path(raw)
    assert (refused.value.status, refused.value.code) == (400, "ambiguous_path")


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("/", "/"),
        ("/api/x", "/api/x"),
        ("/api/x/", "/api/x/"),
        ("/api/%78", "/api/x"),
        ("/api/New%20York", "/api/New York"),
        ("/api/M%C3%BCnchen", "/api/München"),
        ("/api/München", "/api/München"),
        ("/api/a+b", "/api/a+b"),
        ("/api/...", "/api/..."),
        ("/api/.well-known", "/api/.well-known"),
    ],
)
def test_a_path_is_decoded_once_and_keeps_its_trailing_slash(raw: str, canonical: str) -> None:
    """Front doors that decode and front doors that do not lead to the same text."""
    assert canonical_path(raw) == canonical
    assert canonical_path(canonical) == canonical


def test_a_path_that_would_make_the_offer_too_long_is_431() -> None:
    """The cap counts the path as it stands in resource.url, so three bytes for each escaped one."""
    assert canonical_path("/" + "x" * (MAX_PATH - 1))
    for raw in ("/" + "x" * MAX_PATH, "/" + "ü" * (MAX_PATH // 6 + 1), "/" + "x" * 100_000):
        with pytest.raises(BadRequest) as refused:
            canonical_path(raw)
        assert (refused.value.status, refused.value.code) == (431, "path_too_long")


@given(st.text(max_size=60).map(lambda text: "/" + text))
def test_no_text_ends_in_anything_but_a_clean_path_or_a_400(raw: str) -> None:
    """Whatever comes in, what comes out is a fixed point that survives being encoded and read again."""
    try:
        path = canonical_path(raw)
    except BadRequest:
        return
    assert not set(path) & set("?#%\\;")
    assert "//" not in path
    assert not {".", ".."} & set(path.split("/"))
    assert not any(unicodedata.category(c) == "Cc" for c in path)
    assert canonical_path(encoded_path(path)) == path
