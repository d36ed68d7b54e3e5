"""What HTTP means by its methods, statuses and headers holds through the front door."""

import socket
import time
from urllib.parse import urlsplit

import pytest
from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.e2e.http import ELSEWHERE, get, signed
from tests.support.buyer import encode

FULL = 100_000_000
NO_STORE = "private, no-store"


def raw(stack: LocalStack, *parts: bytes) -> bytes:
    """Send bytes, read something before each further part, and return all that came until the door closed."""
    address = urlsplit(stack.api_url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=30) as connection:
        heard = b""
        for part in parts:
            if part is not parts[0]:
                heard += connection.recv(65536)
            connection.sendall(part)
        while piece := connection.recv(65536):
            heard += piece
    return heard


def head(stack: LocalStack, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """A HEAD as the wire has it: status, headers and whatever came after them."""
    lines = [f"HEAD {path} HTTP/1.1", "Host: api", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    said, _, rest = raw(stack, "\r\n".join([*lines, "", ""]).encode()).partition(b"\r\n\r\n")
    status, *fields = said.decode().split("\r\n")
    pairs = [field.partition(": ") for field in fields]
    return int(status.split()[1]), {name.lower(): value for name, _, value in pairs}, rest


def test_a30_an_unpaid_head_is_the_gets_402_without_its_body(stack: LocalStack) -> None:
    """The same offer, and not one byte after the headers."""
    offered = get(stack, "/weather/oslo")
    status, headers, rest = head(stack, "/weather/oslo")
    assert (status, rest) == (402, b"")
    for name in ("payment-required", "content-type", "cache-control"):
        assert headers[name] == offered.headers[name], name
    assert not stack.upstream.runs


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/weather/%2e%2e", 400)])
def test_a30_a_head_of_anything_else_has_no_body_either(stack: LocalStack, path: str, status: int) -> None:
    """The errors of GET."""
    seen, _, rest = head(stack, path)
    assert (seen, rest) == (status, b"")


def test_a30_a_paid_head_is_405_and_takes_nothing(stack: LocalStack, buyer: LocalAccount) -> None:
    """It names the method that would buy something; the payment can still be used for that."""
    payment = signed(stack, buyer, "/weather/oslo")
    status, headers, rest = head(stack, "/weather/oslo", PAYMENT_SIGNATURE=encode(payment))
    assert (status, headers["allow"], rest) == (405, "GET", b"")
    assert "payment-response" not in headers
    assert not stack.upstream.runs
    assert stack.chain.balance(buyer.address) == FULL
    assert get(stack, "/weather/oslo", payment).status == 200


@pytest.mark.parametrize("path", ["/weather/oslo", "/echo", "/nothing"])
def test_a31_options_is_free_everywhere(stack: LocalStack, buyer: LocalAccount, path: str) -> None:
    """204 without an offer, with a payment too, and nothing runs."""
    payment = signed(stack, buyer, "/weather/oslo")
    for sent in (None, payment):
        reply = get(stack, path, sent, method="OPTIONS")
        assert (reply.status, reply.body) == (204, b"")
        assert "payment-required" not in reply.headers
    assert not stack.upstream.runs
    assert stack.chain.balance(buyer.address) == FULL


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a32_a_method_override_changes_nothing_and_does_not_go_up(
    stack: LocalStack, buyer: LocalAccount, name: str
) -> None:
    """A GET stays the GET that was priced."""
    header = {name.replace("-", "_"): "DELETE"}
    reply = get(stack, "/echo", signed(stack, buyer, "/echo", **header), **header)
    assert (reply.status, reply.json["method"]) == (200, "GET")
    assert name.lower() not in {sent.lower() for sent, _ in reply.json["headers"]}


def test_a34_ranges_and_conditions_buy_the_whole_answer(stack: LocalStack, buyer: LocalAccount) -> None:
    """The upstream never hears of them; a resend is the whole answer too, not 206 or 304."""
    asked = {"Range": "bytes=0-3", "If_None_Match": '"v1"', "If_Modified_Since": "Sat, 21 Nov 2026 00:00:00 GMT"}
    payment = signed(stack, buyer, "/answer")
    for source in ("127.0.0.1", ELSEWHERE):
        reply = get(stack, "/answer?status=200", payment, source=source, **asked)
        assert (reply.status, reply.body, reply.headers["etag"]) == (200, b"made", '"v1"')
        assert "content-range" not in reply.headers
    assert stack.upstream.runs["/answer"] == 1
    echo = get(stack, "/echo", signed(stack, buyer, "/echo"), **asked)
    assert not {"range", "if-none-match", "if-modified-since"} & {name.lower() for name, _ in echo.json["headers"]}


def test_a34_expect_100_continue_is_the_front_doors_business(stack: LocalStack, buyer: LocalAccount) -> None:
    """It asks for the body, and the upstream gets a plain request."""
    payment = encode(signed(stack, buyer, "/echo", method="POST"))
    said = raw(
        stack,
        b"POST /echo HTTP/1.1\r\nHost: api\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"
        b"Content-Type: text/plain\r\nPAYMENT-SIGNATURE: " + payment.encode() + b"\r\n\r\n",
        b"hello",
    )
    assert said.startswith(b"HTTP/1.1 100 ")
    assert b"HTTP/1.1 200 " in said
    assert b'"body":"hello"' in said
    assert b"100-continue" not in said


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 201), ("POST", 202)])
def test_a83_a84_a92_status_and_location_survive_and_what_is_not_the_goods_does_not(
    stack: LocalStack, buyer: LocalAccount, method: str, status: int
) -> None:
    """On the first answer and on the resend: one receipt, ours; one caching rule, ours; validators as they were."""
    payment = signed(stack, buyer, "/answer", method=method)
    replies = [
        get(
            stack,
            f"/answer?status={status}",
            payment,
            method=method,
            source=source,
            body=b"" if method == "POST" else None,
        )
        for source in ("127.0.0.1", ELSEWHERE)
    ]
    for reply in replies:
        assert (reply.status, reply.body) == (status, b"made")
        # A 202 says where its result will be: the buyer fetches it under a link of ours, the same on the resend.
        link = f"{stack.api_url}/x402/results?token=" if status == 202 else "/things/1"
        assert reply.headers["location"].startswith(link)
        assert reply.headers["location"] == replies[0].headers["location"]
        assert reply.headers["etag"] == '"v1"'
        assert reply.headers["last-modified"] == "Sat, 21 Nov 2026 00:00:00 GMT"
        assert reply.headers["cache-control"] == NO_STORE
        assert reply.receipt["success"] is True
        leaked = {"expires", "cdn-cache-control", "set-cookie", "payment-required", "x-payment-response"}
        assert not leaked & reply.headers.keys()
        assert "access-control-allow-origin" not in reply.headers
    assert replies[0].receipt == replies[1].receipt
    assert stack.upstream.runs["/answer"] == 1


def test_a84_nothing_between_us_and_the_buyer_may_keep_an_answer(stack: LocalStack, buyer: LocalAccount) -> None:
    """Offer, refusal, error and goods alike."""
    payment = signed(stack, buyer, "/weather/oslo")
    forged = {**payment, "payload": {**payment["payload"], "signature": "0x" + "11" * 65}}
    replies = [
        get(stack, "/weather/oslo"),
        get(stack, "/weather/oslo", forged),
        get(stack, "/nothing"),
        get(stack, "/weather/oslo", payment),
    ]
    assert [reply.status for reply in replies] == [402, 402, 404, 200]
    assert {reply.headers["cache-control"] for reply in replies} == {NO_STORE}


@pytest.mark.parametrize("status", [206, 301, 304, 402])
def test_a92_a82_what_is_no_delivery_is_502_and_not_charged(
    stack: LocalStack, buyer: LocalAccount, status: int
) -> None:
    """A part, a redirect, "not modified", the upstream's own price: nothing of them passes."""
    reply = get(stack, f"/answer?status={status}", signed(stack, buyer, "/answer"))
    assert (reply.status, reply.json["code"]) == (502, "upstream_unusable")
    assert not {"location", "payment-required", "payment-response", "etag"} & reply.headers.keys()
    assert stack.chain.balance(buyer.address) == FULL
    assert stack.upstream.runs["/answer"] == 1


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_a82_an_upstreams_error_passes_without_a_receipt_or_a_charge(
    stack: LocalStack, buyer: LocalAccount, status: int
) -> None:
    """And its forged receipt does not pass for one."""
    reply = get(stack, f"/answer?status={status}", signed(stack, buyer, "/answer"))
    assert (reply.status, reply.body) == (status, b"made")
    assert "payment-response" not in reply.headers
    assert stack.chain.balance(buyer.address) == FULL


def test_a80_a_buyer_who_hung_up_gets_the_answer_on_resend(stack: LocalStack, buyer: LocalAccount) -> None:
    """The connection goes away while the upstream works; the same payment again is served, once paid."""
    payment = signed(stack, buyer, "/weather/oslo")
    address = urlsplit(stack.api_url)
    stack.upstream.hold()
    with socket.create_connection((address.hostname, address.port or 80), timeout=30) as connection:
        sent = f"GET /weather/oslo HTTP/1.1\r\nHost: api\r\nPAYMENT-SIGNATURE: {encode(payment)}\r\n\r\n"
        connection.sendall(sent.encode())
        deadline = time.monotonic() + 20
        while not stack.upstream.runs["/weather/oslo"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    stack.upstream.release()
    reply = get(stack, "/weather/oslo", payment, source=ELSEWHERE)
    assert (reply.status, reply.json["city"]) == (200, "oslo")
    assert reply.receipt["success"] is True
    assert stack.upstream.runs["/weather/oslo"] == 1
    assert stack.chain.balance(buyer.address) == FULL - 10_000
