"""The runtime is killed (SIGKILL) in the middle of a settlement; the payment is served all the same, once."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from eth_account.signers.local import LocalAccount

from local.rpc_gate import SEND, Act
from local.stack import LocalStack
from tests.e2e.http import Reply, get, signed

PRICE = 10_000


def resend_until_served(stack: LocalStack, payment: dict[str, object], seconds: float = 90) -> Reply:
    """As a buyer who follows the rules: the same payment again, while the answer is 503 or lost."""
    deadline = time.monotonic() + seconds
    while True:
        reply = get(stack, "/weather/oslo", payment)
        assert "payment-required" not in reply.headers, "an unknown outcome carried an offer"
        if reply.status not in (500, 503) or time.monotonic() > deadline:
            return reply
        time.sleep(1)


@pytest.mark.parametrize("moment", ["after SIGNED", "after broadcast"])
def test_a105_settle_killed_is_served_once(stack: LocalStack, buyer: LocalAccount, moment: str) -> None:
    """The stored bytes are sent again, or found mined: one signature, one transaction, one run."""
    payment = signed(stack, buyer, "/weather/oslo")
    act = Act.HOLD if moment == "after SIGNED" else Act.HOLD_ANSWER
    rule = stack.gate.rule(act, SEND, times=1)
    before = stack.chain.transaction_count(stack.relayer)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(get, stack, "/weather/oslo", payment)
        rule.wait_met()
        assert stack.chain.transaction_count(stack.relayer) == before + (act is Act.HOLD_ANSWER)
        assert stack.kill_runtimes(stack.deployed.settle_function) > 0
        rule.release()
        first.result()
    reply = resend_until_served(stack, payment)
    assert reply.status == 200
    assert reply.json["city"] == "oslo"
    assert stack.upstream.runs["/weather/oslo"] == 1
    assert stack.chain.transaction_count(stack.relayer) == before + 1
    assert len(set(stack.gate.broadcasts)) == 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE


def test_a105_proxy_and_settle_killed_after_signed_is_served_on_resend(stack: LocalStack, buyer: LocalAccount) -> None:
    """Nothing that matters lived in either process: whoever meets the dead payment finishes it."""
    payment = signed(stack, buyer, "/weather/oslo")
    rule = stack.gate.rule(Act.HOLD, SEND, times=1)
    before = stack.chain.transaction_count(stack.relayer)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(get, stack, "/weather/oslo", payment)
        rule.wait_met()
        stack.kill_runtimes(stack.deployed.proxy_function)
        stack.kill_runtimes(stack.deployed.settle_function)
        rule.release()
        assert first.result().status >= 500
    assert stack.chain.transaction_count(stack.relayer) == before
    reply = resend_until_served(stack, payment)
    assert reply.status == 200
    assert stack.upstream.runs["/weather/oslo"] == 1
    assert stack.chain.transaction_count(stack.relayer) == before + 1
    assert len(set(stack.gate.broadcasts)) == 1


def test_a54_the_receipt_wait_times_out_and_the_payment_is_served_once(stack: LocalStack, buyer: LocalAccount) -> None:
    """503 with the transaction and no offer while it does not mine; the stored answer once it did."""
    payment = signed(stack, buyer, "/weather/oslo")
    stack.chain.stop_mining()
    reply = get(stack, "/weather/oslo", payment)
    assert reply.status == 503
    assert "payment-required" not in reply.headers
    assert reply.receipt["errorReason"] == "settlement_pending"
    stack.chain.mine_at_once()
    stack.chain.mine()
    served = resend_until_served(stack, payment)
    assert served.status == 200
    assert served.receipt["transaction"] == reply.receipt["transaction"]
    assert stack.upstream.runs["/weather/oslo"] == 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE
