"""What a request costs is read in one way, or it has no price."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.errors import BadRequest
from tollgate.gateway.catalogue import Match, PreviousPrice, Route, UpstreamTarget
from tollgate.gateway.messages import Request
from tollgate.gateway.price_selection import MAX_PRICED_BODY_BYTES, chosen, priced
from tollgate.payment.price_choice import FormerChoice, PriceChoice, Tier, Where
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network

JSON = {"content-type": "application/json"}


def terms(amount: int, network: int = 84532) -> Requirements:
    """A price."""
    return Requirements("exact", Network(network), amount, Address(b"\1" * 20), Address(b"\2" * 20), 60, {})


def both(amount: int) -> tuple[Requirements, ...]:
    """A price on two networks."""
    return (terms(amount), terms(amount, 8453))


TIERS = (Tier("small", both(1)), Tier("large", both(20)), Tier("4", both(4)), Tier("true", both(5)))
BY_QUERY = PriceChoice(Where.QUERY, "size", TIERS)
BY_BODY = PriceChoice(Where.BODY, "options.size", TIERS)


def asked(query: str = "", body: bytes = b"", **headers: str) -> Request:
    """A request."""
    return Request("POST", "/a", query, {k.replace("_", "-"): v for k, v in headers.items()}, body, "192.0.2.1")


def by_query(query: str, choice: PriceChoice = BY_QUERY) -> int | str:
    """The amount, or the code of the refusal."""
    return _amount(choice, asked(query))


def by_body(
    document: Any, choice: PriceChoice = BY_BODY, query: str = "", content_type: str = "application/json"
) -> int | str:
    """The amount, or the code of the refusal."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return _amount(choice, asked(query, body, content_type=content_type))


def _amount(choice: PriceChoice, request: Request) -> int | str:
    try:
        found = chosen(choice, request)
    except BadRequest as bad:
        assert bad.status in (400, 413, 415)
        return bad.code
    assert [r.network for r in found] == [Network(84532), Network(8453)]
    return found[0].amount


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("size=small", 1),
        ("size=large", 20),
        ("q=a%26size%3Dlarge&size=small&x", 1),
        ("size=4", 4),
        ("", "price_field_missing"),
        ("other=size", "price_field_missing"),
        ("=size=large", "price_field_missing"),
        ("sizes=large", "price_field_missing"),
        ("size=tiny", "price_value_unknown"),
        ("size=LARGE", "price_value_unknown"),
        ("size=04", "price_value_unknown"),
        ("size=", "price_value_malformed"),
        ("size", "price_value_malformed"),
        ("size=lar%67e", "price_value_malformed"),
        ("size=large+", "price_value_malformed"),
        ("size=large%20", "price_value_malformed"),
        ("size=large%00", "price_value_malformed"),
        ("size=small=large", "price_value_malformed"),
        ("size=" + "a" * 65, "price_value_malformed"),
        ("size=small&size=large", "price_field_repeated"),
        ("size=large&size=large", "price_field_repeated"),
        ("size=small&size", "price_field_repeated"),
    ],
)
def test_a21_a_query_has_one_value_or_no_price(query: str, wanted: int | str) -> None:
    """The value as it stands there, once."""
    assert by_query(query) == wanted


@pytest.mark.parametrize(
    "other",
    [
        "Size=large", "SIZE=large", "%73ize=large", "%2573ize=large", "siz%65=large", "size[]=large", "size[0]=large",
        "size%5B%5D=large", "size%00=large", "+size=large", "size+=large", "%20size=large", "size.=large",
        "si-ze=large", "si_ze=large", "%C5%BFize=large", "%EF%BD%93ize=large", "size%09=large",
        ".size=large", "size[a][b]=large",
    ],
)  # fmt: skip
def test_a21_another_spelling_of_the_name_has_no_price(other: str) -> None:
    """Alone, before or after: some reader would take it for the parameter."""
    for query in (other, f"size=small&{other}", f"{other}&size=small"):
        assert by_query(query) == "price_field_ambiguous", query
        assert by_query(query, replace(BY_QUERY, absent="small", otherwise=both(20))) == "price_field_ambiguous"


@pytest.mark.parametrize("query", ["size=small;size=large", "a=1;size=large", "size=small;", ";"])
def test_a21_a_semicolon_is_no_separator_and_no_value(query: str) -> None:
    """Some readers split there."""
    assert by_query(query) == "price_field_ambiguous"


def test_what_is_absent_or_other_costs_what_the_seller_says() -> None:
    """The tier for what is absent, the dearest for what is unknown; a fault stays one."""
    choice = replace(BY_QUERY, absent="small", otherwise=both(99))
    assert by_query("", choice) == 1
    assert by_query("size=huge", choice) == 99
    assert by_query("size=small&size=large", choice) == "price_field_repeated"
    assert by_body(b"", replace(BY_BODY, absent="small"), content_type="") == 1
    assert by_body(b"x", replace(BY_BODY, absent="small"), content_type="") == "body_not_json"
    assert by_query("size=%6carge", choice) == "price_value_malformed"


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ({"options": {"size": "small"}}, 1),
        ({"options": {"size": "large", "x": 1.5}, "y": [{"SIZE": "small"}]}, 20),
        ({"options": {"size": 4}}, 4),
        (b'{"options": {"size": 4.0}}', 4),
        ({"options": {"size": True}}, 5),
        (b'{"options": {"siz\\u0065": "lar\\u0067e"}}', 20),
        ({"size": "small"}, "price_field_missing"),
        ({"options": {}}, "price_field_missing"),
        ({"options": {"size": None}}, "price_value_malformed"),
        ({"options": {"size": 4.5}}, "price_value_malformed"),
        ({"options": {"size": ["large"]}}, "price_value_malformed"),
        ({"options": {"size": {"a": 1}}}, "price_value_malformed"),
        ({"options": "size"}, "price_value_malformed"),
        ([{"options": {"size": "large"}}], "price_value_malformed"),
        (b"null", "price_value_malformed"),
        ({"options": {"size": "Large"}}, "price_value_unknown"),
        ({"options": {"size": " large"}}, "price_value_unknown"),
        (b"", "price_field_missing"),
        (b" ", "invalid_json"),
        (b"options.size=large", "invalid_json"),
        (b'{"options": {"size": "small"}} {"options": {"size": "large"}}', "invalid_json"),
        (b'\xef\xbb\xbf{"options": {"size": "small"}}', "invalid_json"),
        ('{"options": {"size": "small"}}'.encode("utf-16"), "invalid_json"),
        (b'{"options": {"size": "small", "size": "large"}}', "json_duplicate_key"),
        (b'{"options": {"size": "small", "siz\\u0065": "large"}}', "json_duplicate_key"),
        (b'{"options": {"size": "small"}, "options": {"size": "large"}}', "json_duplicate_key"),
        (b'{"options": {"size": "small"}, "x": NaN}', "json_number_refused"),
        (b'{"options": {"size": "small"}, "x": ' + b"[" * 70 + b"]" * 70 + b"}", "json_too_deep"),
    ],
)
def test_a22_a_body_has_one_value_or_no_price(document: Any, wanted: int | str) -> None:
    """Strict JSON, one field, one meaning."""
    assert by_body(document) == wanted


@pytest.mark.parametrize(
    "document",
    [
        {"options": {"size": "small", "Size": "large"}},
        {"options": {"SIZE": "large"}},
        {"options": {"size": "small"}, "Options": {"size": "large"}},
        {"options": {"size": "small", "\u017fize": "large"}},
        {"options": {"size": "small", "si_ze": "large"}},
        {"options": {"size": "small", "size[]": "large"}},
    ],
)
def test_a22_a_key_in_another_case_has_no_price(document: Any) -> None:
    """Go's decoder, to name one, takes the last of them in any case."""
    assert by_body(document, replace(BY_BODY, absent="small", otherwise=both(20))) == "price_field_ambiguous"


@pytest.mark.parametrize(
    "content_type",
    [
        "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/json, text/x", "application/json; charset=utf-16", "application/json; charset=utf-7",
        "application/json;x=y", "application/jsonp",
    ],
)  # fmt: skip
def test_a22_a_body_that_others_may_read_otherwise_has_no_price(content_type: str) -> None:
    """This one is JSON and a form with another value at once."""
    polyglot = b'{"options": {"size": "small"}, "x": "&size=large&options[size]=large"}'
    assert by_body(polyglot, content_type=content_type) == "body_not_json"


def test_json_is_json_by_any_of_its_names() -> None:
    """With its charset, and with a suffix."""
    for name in (
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/x+json",
    ):
        assert by_body({"options": {"size": "small"}}, content_type=name) == 1


@pytest.mark.parametrize("query", ["size=large", "SIZE=large", "%73ize=large", "size[]=large", "a=1;size=large"])
def test_a22_the_query_may_not_say_what_the_body_says(query: str) -> None:
    """Frameworks that merge the two differ in which one wins."""
    assert by_body({"options": {"size": "small"}}, query=query) == "price_field_ambiguous"
    assert by_body({"options": {"size": "small"}}, query="q=1") == 1


def test_a04_what_is_read_unpaid_is_small() -> None:
    """A body over the cap is refused unread."""
    body = b'{"options": {"size": "small"}, "x": "' + b"x" * MAX_PRICED_BODY_BYTES + b'"}'
    assert by_body(body) == "request_body_too_large"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=40))
def test_a21_nothing_added_makes_a_dear_call_cheap(noise: str) -> None:
    """Whatever stands beside ``size=large``, and in whatever order: its price, or none."""
    for query in (f"size=large&{noise}", f"{noise}&size=large"):
        assert by_query(query) == 20 or isinstance(by_query(query), str)


ROUTE = Route("a", "GET", "/a", (), (), UpstreamTarget("https://api.example.com/a", 1.0))


def previous_of(route: Route, query: str) -> list[tuple[int, int]]:
    """Amount and end of what is still acceptable for a request."""
    match = priced(Match(route, "/a", {}), asked(query))
    return [(p.requirements.amount, p.until) for p in match.route.previous]


def test_a24_what_was_offered_for_this_request_stays_acceptable_for_it() -> None:
    """And not what was offered for others."""
    old = FormerChoice(PriceChoice(Where.QUERY, "size", (Tier("small", (terms(2),)), Tier("huge", (terms(50),)))), 100)
    route = replace(ROUTE, choice=BY_QUERY, former=(old,), previous=(PreviousPrice(terms(7), 90),))
    assert previous_of(route, "size=small") == [(7, 90), (2, 100)]
    assert previous_of(route, "size=large") == [(7, 90)]
    flat = replace(ROUTE, accepts=(terms(9),), former=(old,))
    assert previous_of(flat, "size=huge") == [(50, 100)]
    assert previous_of(flat, "") == []


def test_a_route_whose_price_was_not_asked_for_offers_nothing() -> None:
    """Whoever forgets to price a match sells nothing by it; priced twice is priced."""
    route = replace(ROUTE, choice=BY_QUERY)
    assert route.accepts == ()
    match = priced(Match(route, "/a", {}), asked("size=large"))
    assert match.route.accepts == both(20)
    assert priced(match, asked("size=small")) == match
