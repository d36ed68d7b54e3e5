"""Challenge: the same 402 as the route's own, for callers who ask first."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from local.buyer import read_header
from local.chain import Chain
from tests.support.functions import Functions
from tollgate.payment.computed_price import ComputedPrice
from tollgate.payment.price_choice import PriceChoice, Tier, Where

PRICER = "arn:aws:lambda:us-east-1:000000000000:function:pricer"
CHALLENGE = "/x402/challenge"
BROWSER = {"accept": "text/html,application/xhtml+xml", "user-agent": "Mozilla/5.0"}


@pytest.fixture(scope="module")
def functions(aws_endpoint: str, shared_chain: Chain) -> Iterator[Functions]:
    """A stack with a few routes; their upstreams are never called."""
    with Functions(aws_endpoint, shared_chain, UpstreamFunctionArns=PRICER) as made:
        made.sell("GET", "/weather/{city}", "http://127.0.0.1:9/{city}", description="Weather", mime_type="text/plain")
        made.sell("POST", "/orders", "http://127.0.0.1:9/orders", price=20_000)
        for method, where in (("GET", Where.QUERY), ("POST", Where.BODY)):
            choice = PriceChoice(where, "size", (Tier("small", made.terms()), Tier("large", made.terms(200_000))))
            made.sell(method, "/image", "http://127.0.0.1:9/image", choice=choice)
        made.sell("GET", "/status", "http://127.0.0.1:9/status", free=True)
        for method, path, fields in (("GET", "/computed/{n}", ()), ("POST", "/texts", ("pages", "options.tone"))):
            computed = ComputedPrice(PRICER, made.terms(), made.terms(900_000), fields)
            made.sell(method, path, "http://127.0.0.1:9/x", computed=computed)
        made.sellers_functions[PRICER] = _price
        yield made


def _price(event: Any) -> dict[str, Any]:
    """By pages, or by a path's number: cents."""
    return {"amount": 10_000 * int(event["body"].get("pages") or event["params"].get("n") or 1), "validSeconds": 600}


def query(method: str, path: str) -> str:
    """The URL that asks for a route's offer."""
    return f"{CHALLENGE}?method={method}&path={quote(path, safe='')}"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/weather/paris"), ("POST", "/orders"), ("GET", "/weather/new%20york"), ("GET", "/weather/S%C3%A3o")],
)
@pytest.mark.parametrize("headers", [{}, BROWSER], ids=["client", "browser"])
def test_the_challenge_is_the_routes_own_answer(
    functions: Functions, method: str, path: str, headers: dict[str, str]
) -> None:
    """Status, headers and body, for a client and for a browser."""
    direct = functions.request(method, path, headers=headers)
    asked = functions.request("GET", query(method, path), headers=headers)
    assert direct.status == asked.status == 402
    assert asked.headers == direct.headers
    assert asked.body == direct.body
    assert "payment-required" in asked.headers


def test_method_is_get_unless_said(functions: Functions) -> None:
    """The usual question is short; HEAD of it has the same headers."""
    short = functions.request("GET", f"{CHALLENGE}?path=/weather/paris")
    assert short.headers == functions.request("GET", query("GET", "/weather/paris")).headers
    head = functions.request("HEAD", f"{CHALLENGE}?path=/weather/paris")
    assert (head.headers, head.body) == (short.headers, b"")


def test_a_free_route_says_that_it_is_free(functions: Functions) -> None:
    """200, no offer, and its upstream is not asked: it is not there."""
    answer = functions.request("GET", query("GET", "/status"))
    assert (answer.status, answer.json()) == (200, {"free": True})
    assert "payment-required" not in answer.headers
    assert functions.request("GET", "/status").status == 502


def test_a_price_that_depends_on_the_request_is_asked_for_with_it(functions: Functions) -> None:
    """By the query as it would be sent; by the value where it stands in the body."""
    for size, price in (("small", "10000"), ("large", "200000")):
        asked = functions.request("GET", f"{query('GET', '/image')}&query=size%3D{size}")
        assert asked.headers == functions.request("GET", f"/image?size={size}").headers
        of_body = functions.request("GET", f"{query('POST', '/image')}&value={size}")
        sent = {"content-type": "application/json"}
        assert (
            of_body.headers
            == functions.request("POST", "/image", headers=sent, body=f'{{"size":"{size}"}}'.encode()).headers
        )
        assert (
            of_body.json()["accepts"][0]["maxAmountRequired"]
            == asked.json()["accepts"][0]["maxAmountRequired"]
            == price
        )


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (query("GET", "/nothing"), 404, "unknown_route"),
        (query("GET", CHALLENGE), 404, "unknown_route"),
        (query("POST", "/weather/paris"), 405, "method_not_allowed"),
        (query("GET", "/orders"), 405, "method_not_allowed"),
        (query("HEAD", "/weather/paris"), 400, "invalid_parameters"),
        (query("get", "/weather/paris"), 400, "invalid_parameters"),
        (query("GET", "weather/paris"), 400, "invalid_parameters"),
        (query("GET", ""), 400, "invalid_parameters"),
        (query("GET", "/weather/../orders"), 400, "ambiguous_path"),
        (query("GET", "//weather/paris"), 400, "ambiguous_path"),
        (query("GET", "/weather/paris?units=metric"), 400, "ambiguous_path"),
        (query("GET", "/weather/a%2Fb"), 400, "ambiguous_path"),
        (CHALLENGE, 400, "invalid_parameters"),
        (f"{CHALLENGE}?", 400, "invalid_parameters"),
        (f"{CHALLENGE}?method=GET", 400, "invalid_parameters"),
        (f"{CHALLENGE}?path=/weather/paris&path=/orders", 400, "invalid_parameters"),
        (f"{CHALLENGE}?path=/weather/paris&price=0", 400, "invalid_parameters"),
        (f"{CHALLENGE}?path=/weather/paris&", 400, "invalid_parameters"),
        (f"{CHALLENGE}?path=%FF", 400, "invalid_parameters"),
        (f"{CHALLENGE}?path=/weather/paris&value=small", 400, "invalid_parameters"),
        (f"{CHALLENGE}?path=/weather/paris&query=%23", 400, "malformed_query"),
        (query("GET", "/image"), 400, "price_field_missing"),
        (query("GET", "/image") + "&value=small", 400, "invalid_parameters"),
        (query("GET", "/image") + "&query=size%3Dtiny", 400, "price_value_unknown"),
        (query("POST", "/image"), 400, "price_field_missing"),
        (query("POST", "/image") + "&value=tiny", 400, "price_value_unknown"),
        (f"{CHALLENGE}?" + "a&" * 20, 400, "invalid_parameters"),
    ],
)
def test_what_is_not_for_sale_is_said(functions: Functions, asked: str, status: int, code: str) -> None:
    """A structured error and no offer."""
    reply = functions.request("GET", asked)
    assert (reply.status, reply.json()["code"]) == (status, code)
    assert reply.json()["error"]
    assert reply.headers["content-type"] == "application/json"
    assert "payment-required" not in reply.headers
    assert (reply.headers.get("allow") == "GET, HEAD, OPTIONS") == (status == 405)


def test_it_reads_the_routes_and_nothing_else(functions: Functions) -> None:
    """No write, no secret, no RPC call; warm, not even a read."""
    functions.cold("challenge")
    with functions.recording() as seen:
        functions.request("GET", query("GET", "/weather/paris"))
        functions.request("GET", query("POST", "/orders"))
    assert [call.operation for call in seen.aws] == ["BatchGetItem"]
    assert seen.rpc == []


def test_other_methods_are_told_which_one_is_right(functions: Functions) -> None:
    """The body of a POST is not looked at."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        reply = functions.request(method, query("GET", "/weather/paris"))
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert functions.request("OPTIONS", CHALLENGE).status == 204


def test_a_payment_sent_here_buys_nothing(functions: Functions) -> None:
    """Challenge only ever offers; the payment stays unused."""
    payment = functions.sign(functions.buyer(), functions.offer("GET", "/weather/paris"))
    reply = functions.request("GET", query("GET", "/weather/paris"), payment=payment)
    assert reply.status == 402
    assert "payment-response" not in reply.headers


def test_a69_without_gas_there_is_nothing_to_offer(aws_endpoint: str, functions: Functions) -> None:
    """As the route itself says."""
    dynamo = functions.client("dynamodb")
    status = '{"network":"eip155:84532","relayers":[],"hasGas":false,"checkedAt":1}'
    item = {"pk": {"S": "NETWORK#eip155:84532"}, "status": {"S": status}, "checked_at": {"N": "1"}}
    dynamo.put_item(TableName=functions.resource("RoutesTable"), Item=item)
    try:
        functions.cold("challenge", "proxy")
        reply = functions.request("GET", query("GET", "/weather/paris"))
        assert (reply.status, reply.json()["code"]) == (503, "no_payable_network")
        assert reply.headers == functions.request("GET", "/weather/paris").headers
    finally:
        dynamo.delete_item(TableName=functions.resource("RoutesTable"), Key={"pk": item["pk"]})
        functions.cold("challenge", "proxy")


def test_a_computed_offer_that_was_asked_for_first_is_one_that_the_route_takes(functions: Functions) -> None:
    """By the path, and by the fields of a body that are said as ``value``: the quote is good at the route itself."""
    for asked, method, url, body, amount in (
        ("path=/computed/7", "GET", "/computed/7", b"", "70000"),
        ("method=POST&path=/texts&value=%7B%22pages%22%3A3%7D", "POST", "/texts", b'{"pages":3,"text":"x"}', "30000"),
    ):
        reply = functions.request("GET", f"{CHALLENGE}?{asked}")
        offer = read_header(reply.headers["payment-required"])
        assert offer["accepts"][0]["amount"] == amount
        payment = functions.sign(functions.buyer(), offer)
        headers = {"content-type": "application/json"} if body else {}
        # Nobody is behind the route: the payment was taken, and is not charged.
        answer = functions.request(method, url, payment=payment, body=body, headers=headers)
        assert (answer.status, answer.json()["code"]) == (502, "upstream_unusable")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("path=/computed/7&value=1", "invalid_parameters"),
        ("method=POST&path=/texts&value=3", "price_value_malformed"),
        ("method=POST&path=/texts&value=%7B", "invalid_json"),
        ("method=POST&path=/texts&query=tone%3Da", "price_field_ambiguous"),
    ],
)
def test_a_computed_price_that_nobody_could_read_is_400(functions: Functions, asked: str, code: str) -> None:
    """As the route itself would say."""
    reply = functions.request("GET", f"{CHALLENGE}?{asked}")
    assert (reply.status, reply.json()["code"]) == (400, code)


def test_a_price_function_that_fails_is_503_without_an_offer(functions: Functions) -> None:
    """Here too."""
    kept, functions.sellers_functions[PRICER] = functions.sellers_functions[PRICER], lambda event: {"price": "cheap"}
    try:
        reply = functions.request("GET", f"{CHALLENGE}?path=/computed/7")
    finally:
        functions.sellers_functions[PRICER] = kept
    assert (reply.status, reply.json()["code"]) == (503, "price_unavailable")
    assert "payment-required" not in reply.headers
    assert int(reply.headers["retry-after"]) > 0
