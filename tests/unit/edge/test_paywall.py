"""The page that a person sees."""

import pytest

from tests.support.buyer import decode
from tests.support.payments import ASSET, NETWORK, PAY_TO
from tollgate.edge.answers import render
from tollgate.edge.paywall import wants_page
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.wire.models import PaymentRequired, Requirements, Resource

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "user-agent": "Mozilla/5.0 (X11; Linux x86_64)"}
REQUIREMENTS = Requirements("exact", NETWORK, 10_000, ASSET, PAY_TO, 60, {"name": "USDC", "version": "2"})


def offer(description: str = "The weather in a city") -> Outcome:
    """An offer of one cent."""
    resource = Resource("https://api.example/weather/paris", description)
    return Outcome(Kind.OFFER, offer=PaymentRequired(resource, (REQUIREMENTS,)))


def test_a_browser_gets_a_page_and_the_offer_all_the_same() -> None:
    """Price, network and wallet in words; the header for a wallet that can pay."""
    answer = render(offer(), page=True)
    page = answer.body.decode()
    assert answer.status == 402
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert answer.header("cache-control") == "private, no-store"
    for said in ("$0.01 USDC", "base-sepolia", str(PAY_TO), "https://api.example/weather/paris"):
        assert said in page
    header = answer.header("payment-required")
    assert header is not None
    assert decode(header)["accepts"][0]["amount"] == "10000"


def test_nothing_of_the_sellers_text_runs() -> None:
    """Escaped, and forbidden to run besides."""
    answer = render(offer("<script>alert(1)</script>"), page=True)
    assert b"<script" not in answer.body
    assert "default-src 'none'" in (answer.header("content-security-policy") or "")


def test_only_an_offer_is_a_page() -> None:
    """Errors stay JSON, whoever asks."""
    answer = render(Outcome(Kind.BAD_REQUEST, status=404, code="unknown_route", sentence="Nothing."), page=True)
    assert answer.header("content-type") == "application/json"


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        (BROWSER, True),
        ({**BROWSER, "accept": "application/json"}, False),
        ({**BROWSER, "user-agent": "python-httpx/0.28"}, False),
        ({}, False),
    ],
)
def test_programs_get_json(headers: dict[str, str], page: bool) -> None:
    """Both signs are needed: the official SDK's rule."""
    assert wants_page(headers) is page
