"""Headers that cross the proxy, and the one URL that a call goes to."""

import pytest

from tollgate.gateway.forwarding import (
    Destination,
    destination,
    is_field,
    may_be_set,
    request_headers,
    response_headers,
)


def test_what_an_api_needs_goes_up() -> None:
    """Content negotiation and custom headers, by lower-case name."""
    sent = {
        "Accept": "a",
        "accept-language": "b",
        "content-type": "c",
        "user-agent": "d",
        "x-request-id": "e",
        "X-City": "Zürich",
    }
    assert request_headers(sent) == {name.lower(): value for name, value in sent.items()}


def test_what_nobody_listed_stays() -> None:
    """An allowlist: a header that is new tomorrow does not go up."""
    assert request_headers({"origin": "a", "referer": "b", "forwarded": "c", "dnt": "1", "priority": "u=1"}) == {}


def test_a34_ranges_and_conditions_do_not_go_up() -> None:
    """Half an answer, or none (304), is not what was paid for and not what a resend should get."""
    names = ["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "expect"]
    assert request_headers(dict.fromkeys(names, "x")) == {}


def test_the_answer_comes_back_in_order() -> None:
    """With repeated names, and what its encoding needs."""
    sent = (
        ("Content-Type", "text/plain"),
        ("ETag", '"1"'),
        ("Link", "<a>"),
        ("Link", "<b>"),
        ("Content-Encoding", "br"),
    )
    assert response_headers(sent) == tuple((name.lower(), value) for name, value in sent)


def test_caching_is_the_edges_business() -> None:
    """No cache may be told anything by the upstream: the body was paid for once."""
    names = [
        "cache-control",
        "expires",
        "pragma",
        "age",
        "surrogate-control",
        "cdn-cache-control",
        "x-cdn-cache-control",
    ]
    assert response_headers([(name, "public") for name in names]) == ()


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("x-a", "b", True),
        ("x-a", "", True),
        ("x-a", "b\tc é", True),
        ("", "b", False),
        ("x a", "b", False),
        ("x:a", "b", False),
        ("x-a\n", "b", False),
        ("x-a", "b\n", False),
        ("x-a", "b\rc", False),
        ("x-a", "\0", False),
        ("x-a", "\x7f", False),
    ],
)
def test_a_field_is_one_header(name: str, value: str, valid: bool) -> None:
    """A token as name, and no controls in the value but a tab."""
    assert is_field(name, value) is valid


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "x-origin-secret"])
def test_a_secret_may_travel_under_a_header_of_the_sellers_choice(name: str) -> None:
    """Authorization too: it is the seller's own, never the buyer's."""
    assert may_be_set(name)


@pytest.mark.parametrize(
    "name", ["Host", "Content-Length", "Transfer-Encoding", "Connection", "PAYMENT-SIGNATURE", "X-PAYMENT"]
)
def test_a_secret_never_travels_under_a_header_of_the_connection(name: str) -> None:
    """It would change what the request means."""
    assert not may_be_set(name)


@pytest.mark.parametrize(
    ("template", "query", "expected"),
    [
        ("https://api.example.com", "", Destination("https", "api.example.com", 443, "/")),
        ("https://API.example.com./v1/", "", Destination("https", "api.example.com", 443, "/v1/")),
        (
            "https://api.example.com:8443/v1/{city}/now",
            "a=1&a=%31",
            Destination("https", "api.example.com", 8443, "/v1/Z%C3%BCrich/now?a=1&a=%31"),
        ),
        ("http://127.0.0.1:80/{city}", "", Destination("http", "127.0.0.1", 80, "/Z%C3%BCrich")),
        ("http://[::1]:9000/x", "?", Destination("http", "::1", 9000, "/x??")),
    ],
)
def test_a_template_is_filled(template: str, query: str, expected: Destination) -> None:
    """Params as one encoded segment, the query as the buyer sent it."""
    assert destination(template, {"city": "Zürich"}, query) == expected


@pytest.mark.parametrize(
    ("template", "authority"),
    [
        ("https://a.example/", "a.example"),
        ("https://a.example:443/", "a.example"),
        ("http://a.example:443/", "a.example:443"),
        ("http://[::1]/", "[::1]"),
        ("https://[::1]:8443/", "[::1]:8443"),
    ],
)
def test_the_host_header_is_the_templates(template: str, authority: str) -> None:
    """With its port unless it is the scheme's own."""
    assert destination(template, {}, "").authority == authority
