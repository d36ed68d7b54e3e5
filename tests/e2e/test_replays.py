"""Many requests at once on the deployed stack: copies of one payment, and many payments over one relayer."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.e2e.http import ELSEWHERE, Reply, get, signed
from tests.e2e.logs import log_lines

PRICE = 10_000
# The event's own line; the same name also stands in the metrics line.
SIGNED = '"message":"settlement.signed"'


def test_a36_six_replays_at_once_are_one_run_one_transaction_and_six_truths(
    stack: LocalStack, buyer: LocalAccount
) -> None:
    """Whoever is answered 200 has the body; nobody is offered to pay again; the money moved once."""
    payment = signed(stack, buyer, "/weather/oslo", identifier=False)
    before = stack.chain.transaction_count(stack.relayer)
    barrier = threading.Barrier(6)

    def go(_: int) -> Reply:
        barrier.wait()
        return get(stack, "/weather/oslo", payment)

    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(go, range(6)))
    assert stack.upstream.runs["/weather/oslo"] == 1
    assert stack.chain.transaction_count(stack.relayer) == before + 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE
    served = [reply for reply in replies if reply.status == 200]
    assert served
    assert all(reply.json["city"] == "oslo" for reply in served)
    assert len({reply.receipt["transaction"] for reply in served}) == 1
    assert {reply.status for reply in replies} <= {200, 503, 409}
    assert not any("payment-required" in reply.headers for reply in replies)


def test_a66_sixteen_payments_at_once_over_one_relayer_take_sixteen_nonces(stack: LocalStack) -> None:
    """No gap, no nonce twice, one signature for each; every payment is served in the end."""
    buyers = [stack.funded_account() for _ in range(16)]
    payments = [signed(stack, buyer, "/weather/rome") for buyer in buyers]
    stack.warm(stack.deployed.settle_function, {"op": "relayers"}, 8)
    first = stack.chain.transaction_count(stack.relayer)
    signed_before = len(log_lines(stack, "settle", SIGNED))

    def go(payment: dict[str, object]) -> Reply:
        deadline = time.monotonic() + 120
        reply = get(stack, "/weather/rome", payment)
        while reply.status == 503 and time.monotonic() < deadline:
            assert "payment-required" not in reply.headers
            time.sleep(1)
            reply = get(stack, "/weather/rome", payment)
        return reply

    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(go, payments))
    assert [reply.status for reply in replies] == [200] * 16
    transactions = {reply.receipt["transaction"] for reply in replies}
    assert len(transactions) == 16
    mined = [stack.chain.transaction(transaction) for transaction in transactions]
    nonces = sorted(int(tx["nonce"], 16) for tx in mined if tx is not None)
    assert nonces == list(range(first, first + 16))
    assert len(set(stack.gate.broadcasts)) == 16
    signatures = len(log_lines(stack, "settle", SIGNED)) - signed_before
    assert signatures == 16
    assert stack.upstream.runs["/weather/rome"] == 16


def test_a116_copies_of_a_payment_cannot_hold_the_stack(stack: LocalStack, buyer: LocalAccount) -> None:
    """While the upstream is busy three copies may wait; the rest, and strangers, get 503 at once."""
    payment = signed(stack, buyer, "/weather/bern", identifier=False)
    stack.upstream.hold()
    with ThreadPoolExecutor(8) as pool:
        owner = pool.submit(get, stack, "/weather/bern", payment)
        while not stack.upstream.runs["/weather/bern"]:
            time.sleep(0.05)
        copies = [pool.submit(get, stack, "/weather/bern", payment) for _ in range(5)]
        stranger = pool.submit(get, stack, "/weather/bern", payment, source=ELSEWHERE)
        assert stranger.result(timeout=20).status == 503
        deadline = time.monotonic() + 20
        while sum(copy.done() for copy in copies) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        turned_away = [copy.result().status for copy in copies if copy.done()]
        assert turned_away == [503, 503]
        stack.upstream.release()
        assert owner.result().status == 200
        assert sorted(copy.result().status for copy in copies) == [200, 200, 200, 503, 503]
    assert stack.upstream.runs["/weather/bern"] == 1
