"""Bad input on the deployed stack: a clear 4xx, and nothing written."""

import json
import socket
import time
from urllib.parse import urlsplit

import pytest
from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.attacks.test_routes import ALIASES
from tests.e2e.conftest import routes
from tests.e2e.http import get, signed
from tests.support.buyer import as_v1, decode, encode


def payments(stack: LocalStack) -> int:
    """How many items the payments table holds."""
    return len(stack.rows(stack.deployed.payments_table))


@pytest.mark.parametrize("path", ["/", "/nothing", "/weather", "/weather/oslo/", "/x402/anything"])
def test_an_unknown_route_is_404_and_never_passed_through(stack: LocalStack, path: str) -> None:
    """Default deny."""
    reply = get(stack, path)
    assert (reply.status, reply.json["code"]) == (404, "unknown_route")
    assert not stack.upstream.runs


@pytest.mark.parametrize("tail", ["%2e%2e", "/oslo", "a%2fb", "a%5cb", "%zz"])
def test_a29_a_path_with_two_readings_is_400(stack: LocalStack, tail: str) -> None:
    """It reaches no upstream for free."""
    reply = get(stack, f"/weather/{tail}")
    assert reply.status in (400, 404)
    assert not stack.upstream.runs


def test_a29_forty_aliases_of_a_priced_path_are_priced_or_refused(stack: LocalStack) -> None:
    """As raw request lines through the front door: each is 400, 402 or 404, and the upstream hears of none."""
    spellings = [alias.replace("api/x", "weather/oslo").replace("api", "weather") for alias in ALIASES]
    sent = [spelling for spelling in spellings if spelling and spelling == "".join(spelling.split())]
    assert len(sent) >= 40
    door = urlsplit(stack.api_url)
    seen = {}
    for target in sent:
        with socket.create_connection((door.hostname, door.port or 80), timeout=30) as connection:
            line = f"GET {target} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n"
            connection.sendall(line.encode())
            seen[target] = int(connection.makefile("rb").readline().split()[1])
    assert set(seen.values()) <= {400, 402, 404}, seen
    assert set(seen.values()) >= {400, 404}
    assert not stack.upstream.runs


def test_malformed_oversized_and_repeated_payments_write_nothing(stack: LocalStack, buyer: LocalAccount) -> None:
    """400 with a code, 431 over the cap."""
    before = payments(stack)
    good = encode(signed(stack, buyer, "/weather/oslo"))
    for header, status in {
        "{}": 400,
        "e30=": 402,  # an object, but of no version that we speak
        f"{good},{good}": 400,
        good[:-8]: 400,
        "A" * 9000: 431,
    }.items():
        reply = get(stack, "/weather/oslo", header)
        assert reply.status == status, header[:20]
        if status == 400:
            assert reply.json["code"]
    both = get(stack, "/weather/oslo", good, X_PAYMENT=encode(as_v1(decode(good))))
    assert (both.status, both.json["code"]) == (400, "payment_header_ambiguous")
    assert payments(stack) == before
    assert not stack.upstream.runs


def test_a_body_over_the_cap_is_413(stack: LocalStack, buyer: LocalAccount) -> None:
    """Before anything is claimed."""
    payment = signed(stack, buyer, "/echo", method="POST", body=b"")
    reply = get(stack, "/echo", payment, method="POST", body=b"x" * (4 * 1024 * 1024 + 1))
    assert reply.status == 413
    assert not stack.upstream.runs


@pytest.mark.parametrize(
    ("path", "status"),
    [("/fail?status=503", 503), ("/redirect", 502), ("/big?bytes=5000000", 502), ("/slow?seconds=4", 504)],
)
def test_what_the_upstream_cannot_deliver_is_not_charged(
    stack: LocalStack, buyer: LocalAccount, path: str, status: int
) -> None:
    """Passed through, 502 or 504; the money stays."""
    bare = path.partition("?")[0]
    reply = get(stack, path, signed(stack, buyer, bare))
    assert reply.status == status
    assert "payment-response" not in reply.headers
    assert stack.chain.balance(buyer.address) == 100_000_000
    assert stack.upstream.runs[bare] == 1


def test_a_wrong_routes_file_changes_nothing_and_a_new_price_shows_within_a_minute(
    stack: LocalStack, buyer: LocalAccount
) -> None:
    """The old price is honoured meanwhile; line and field are named."""
    good = json.loads(routes(stack))
    wrong = json.loads(routes(stack))
    wrong["routes"][0]["price"] = "$0.0000001"
    with pytest.raises(RuntimeError, match=r"routes\[0\]\.price"):
        stack.apply_routes(json.dumps(wrong))
    assert get(stack, "/weather/oslo").offer["accepts"][0]["amount"] == "10000"
    old = signed(stack, buyer, "/weather/oslo")
    good["routes"][0]["price"] = "$0.02"
    try:
        stack.apply_routes(json.dumps(good))
        deadline = time.monotonic() + 60
        while get(stack, "/weather/oslo").offer["accepts"][0]["amount"] != "20000":
            assert time.monotonic() < deadline, "not seen within a minute"
            time.sleep(1)
        assert get(stack, "/weather/oslo", old).status == 200
        assert stack.chain.balance(buyer.address) == 100_000_000 - 10_000
    finally:
        stack.apply_routes(routes(stack))
        stack.kill_runtimes(stack.deployed.proxy_function)  # new ones have read nothing yet


def test_the_relayer_can_be_asked_for(stack: LocalStack) -> None:
    """`make relayer`: its address, and what gas it has."""
    assert stack.relayer in stack.tollgate("relayer")


def test_a69_a_relayer_without_gas_takes_the_network_off_the_offers(stack: LocalStack, buyer: LocalAccount) -> None:
    """503, and nothing is taken; back as soon as it was funded."""
    payment = signed(stack, buyer, "/weather/oslo")
    stack.chain.give_gas(stack.relayer, 0)
    try:
        stack.reconcile()
        stack.kill_runtimes(stack.deployed.proxy_function)  # new ones have read nothing yet
        reply = get(stack, "/weather/oslo")
        assert (reply.status, reply.json["code"]) == (503, "no_payable_network")
        assert "payment-required" not in reply.headers
        assert get(stack, "/weather/oslo", payment).status == 503
        assert not stack.upstream.runs
    finally:
        stack.chain.give_gas(stack.relayer)
        stack.reconcile()
        stack.kill_runtimes(stack.deployed.proxy_function)
    assert get(stack, "/weather/oslo", payment).status == 200
