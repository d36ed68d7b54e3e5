"""Threats 16-28: paying for one thing and taking another."""

import json

import pytest

from tests.support.buyer import fresh_signature
from tests.support.functions import HOST, Functions
from tests.support.lambda_events import Reply, http_event
from tests.support.world import BASE_URL, ELSEWHERE, World, body_of

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"

# What some readers take for the same query, and others do not.
QUERIES = ["size=s&size=l", "size=l&size=s", "%73ize=l", "size=l;size=s", "size[]=l", "size=l&", "SIZE=l", "size=%6c"]


@pytest.mark.parametrize("query", QUERIES)
def test_a21_a_query_is_claimed_and_forwarded_byte_for_byte(world: World, query: str) -> None:
    """Nothing in it is parsed, so nothing can be read twice: the paid bytes are the forwarded ones."""
    payment = world.sign(world.buyer(), world.offer(query=query), identifier=IDENTIFIER)
    assert world.request(payment=payment, query=query).status == 200
    assert world.upstream.seen[0][1] == f"/weather/paris?{query}"
    for other in ("", "size=l", *QUERIES):
        assert world.request(payment=payment, query=other).status == (200 if other == query else 409), other
    assert world.upstream.runs == 1


@pytest.mark.parametrize(
    "lie",
    [
        {"host": "evil.example"},
        {"x-forwarded-host": "evil.example", "x-forwarded-proto": "http", "x-forwarded-port": "1"},
        {"forwarded": "host=evil.example;proto=http", "x-forwarded-prefix": "/cheap"},
        {"x-original-url": "/cheap", "x-rewrite-url": "/cheap", "x-original-host": "evil.example"},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_a23_no_header_decides_what_is_sold_or_where(functions: Functions, lie: dict[str, str]) -> None:
    """The same challenge to every Host and X-Forwarded-*: the public URL is configured."""
    functions.sell("GET", "/dear", "http://127.0.0.1:9/", price=1_000_000)
    functions.sell("GET", "/cheap", "http://127.0.0.1:9/", price=1)
    plain = functions.request("GET", "/dear")
    lied = functions.request("GET", "/dear", headers=lie)
    assert plain.status == lied.status == 402
    assert plain.headers["payment-required"] == lied.headers["payment-required"]
    assert b"evil" not in lied.body
    asked = functions.request("GET", "/x402/challenge?method=GET&path=/dear", headers=lie)
    assert asked.headers["payment-required"] == plain.headers["payment-required"]
    assert json.loads(plain.body)["accepts"][0]["resource"] == f"https://{HOST}/dear"


def test_a23_the_apis_own_name_sells_the_same(functions: Functions) -> None:
    """The execute-api name beside a custom domain: same challenge, same public URL."""
    functions.sell("GET", "/dear", "http://127.0.0.1:9/")
    raw = "abcdef1234.execute-api.us-east-1.amazonaws.com"
    event = http_event("GET", "/dear", {}, b"", "192.0.2.1", route_key="$default", host=raw)
    there = Reply.of(functions.invoke("proxy", event))
    assert there.headers["payment-required"] == functions.request("GET", "/dear").headers["payment-required"]
    assert raw.encode() not in there.body


def test_a28_a_sign_in_opens_one_payment_and_not_what_it_names(world: World) -> None:
    """The URI that the payer signs grants nothing: it is the payment id that binds, and its own request."""
    buyer = world.buyer()
    cheap = world.sign(buyer, world.offer())
    dear = world.sign(buyer, world.offer("/forecast/paris"))
    assert world.request(payment=cheap).status == world.request("/forecast/paris", payment=dear).status == 200
    how = body_of(world.request(payment=cheap, source=ELSEWHERE))["details"]["signIn"]
    for uri in (f"{BASE_URL}/forecast/paris", how["uri"]):
        own = fresh_signature(buyer, {**how, "uri": uri}, now=world.clock())
        there = world.request("/forecast/paris", payment=dear, source=ELSEWHERE, sign_in_with_x=own)
        assert (there.status, b"sunny" in there.body) == (409, False)
        unpaid = world.request("/forecast/paris", source=ELSEWHERE, sign_in_with_x=own)
        assert unpaid.status == 402
    wrong_request = world.request("/weather/rome", payment=cheap, source=ELSEWHERE, sign_in_with_x=own)
    assert wrong_request.status == 409
    assert world.request(payment=cheap, source=ELSEWHERE, sign_in_with_x=own).body == b"sunny"


def test_a19_a_signature_for_another_chain_or_token_pays_nothing(world: World) -> None:
    """Same amount, same payTo, same nonce: the domain is ours, whatever the payer signed or claims to have accepted."""
    other_token = "0x" + "36" * 20
    for changed in ({"network": "eip155:8453"}, {"asset": other_token}, {"extra": {"name": "USDC", "version": "1"}}):
        offer = world.offer()
        offer["accepts"][0].update(changed)
        payment = world.sign(world.buyer(), offer)
        as_it_says = world.request(payment=payment)
        assert as_it_says.status == 402
        assert body_of(as_it_says)["error"] in {"no_matching_requirements", "invalid_exact_evm_payload_signature"}
        payment["accepted"] = world.offer()["accepts"][0]
        as_if_ours = world.request(payment=payment)
        assert (as_if_ours.status, body_of(as_if_ours)["error"]) == (402, "invalid_exact_evm_payload_signature")
    assert (world.upstream.runs, world.settler.calls) == (0, 0)
