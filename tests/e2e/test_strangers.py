"""Attackers with what the chain shows, on the deployed stack (threats 112 to 115)."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eth_account.signers.local import LocalAccount

from local.buyer import rebuild
from local.chain import DEPLOYER, calldata
from local.stack import LocalStack
from tests.e2e.http import ELSEWHERE, get, signed
from tests.support.buyer import TRANSFER, encode, fresh_signature, transfer_arguments


def test_a112_a_settled_header_rebuilt_from_calldata_opens_nothing(stack: LocalStack, buyer: LocalAccount) -> None:
    """From another address, and without the identifier from the same address after its three answers."""
    payment = signed(stack, buyer, "/weather/oslo")
    first = get(stack, "/weather/oslo", payment)
    mined = stack.chain.transaction(first.receipt["transaction"])
    assert mined is not None
    offer = get(stack, "/weather/oslo").headers["payment-required"]
    stolen = rebuild(offer, mined["input"])
    reply = get(stack, "/weather/oslo", stolen, source=ELSEWHERE)
    assert reply.status == 409
    assert reply.json["details"]["transaction"] == first.receipt["transaction"]
    assert b"celsius" not in reply.body
    spoofed = get(stack, "/weather/oslo", stolen, source=ELSEWHERE, x_forwarded_for="127.0.0.1")
    assert spoofed.status == 409
    assert stack.upstream.runs["/weather/oslo"] == 1


def test_a113_a_strangers_payment_to_the_same_seller_buys_nothing(stack: LocalStack, buyer: LocalAccount) -> None:
    """Settled by somebody else, never claimed here: used already."""
    payment = signed(stack, buyer, "/weather/oslo")
    stack.chain.send(TRANSFER, *transfer_arguments(payment))
    reply = get(stack, "/weather/oslo", payment)
    assert (reply.status, reply.offer["error"]) == (402, "invalid_exact_evm_nonce_already_used")
    assert stack.upstream.runs["/weather/oslo"] == 0


def test_a114_two_payments_in_one_transaction_are_two_logs_and_two_receipts(
    stack: LocalStack, buyer: LocalAccount
) -> None:
    """Somebody submits both of a payer's claimed payments in one batch: each is booked on its own log."""
    batch = stack.chain.deploy_batch()
    payments = [signed(stack, buyer, "/weather/oslo") for _ in range(2)]
    stack.upstream.hold()
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(get, stack, "/weather/oslo", payment) for payment in payments]
        while stack.upstream.runs["/weather/oslo"] < 2:
            time.sleep(0.05)
        submit_batch(stack, batch, payments)
        stack.upstream.release()
        replies = [call.result() for call in calls]
    # Not our relayer's transaction: the body wants a fresh signature of the payer (rule 3).
    assert [reply.status for reply in replies] == [409, 409]
    details = [reply.json["details"] for reply in replies]
    assert len({detail["transaction"] for detail in details}) == 1
    rows = stack.rows(stack.deployed.payments_table)
    logs = [row["pk"]["S"] for row in rows if details[0]["transaction"] in row["pk"]["S"]]
    assert len(logs) == 2
    receipts = [
        row for row in rows
        if row["pk"]["S"].startswith("RCT#") and row["transaction"]["S"] == details[0]["transaction"]
    ]  # fmt: skip
    assert len({receipt["log_index"]["N"] for receipt in receipts}) == 2
    for payment, detail in zip(payments, details, strict=True):
        shown = fresh_signature(buyer, detail["signIn"])
        served = get(stack, "/weather/oslo", payment, sign_in_with_x=shown)
        assert served.status == 200
        assert served.json["city"] == "oslo"


def submit_batch(stack: LocalStack, batch: str, payments: list[dict[str, Any]]) -> None:
    """One transaction with both transfers."""
    calls = [bytes.fromhex(calldata(TRANSFER, *transfer_arguments(payment))[2:]) for payment in payments]
    stack.chain.send("run(address,bytes[])", stack.chain.token, calls, to=batch)


def test_a115_a_copy_from_the_mempool_is_refused_before_it_mines(stack: LocalStack, buyer: LocalAccount) -> None:
    """The nonce is read at ``pending``."""
    payment = signed(stack, buyer, "/weather/oslo")
    stack.chain.stop_mining()
    pending = {
        "from": DEPLOYER,
        "to": stack.chain.token,
        "data": calldata(TRANSFER, *transfer_arguments(payment)),
        "gas": "0x30d40",
    }
    stack.chain.rpc("eth_sendTransaction", pending)
    reply = get(stack, "/weather/oslo", encode(payment), source=ELSEWHERE)
    assert (reply.status, reply.offer["error"]) == (402, "invalid_exact_evm_nonce_already_used")
    assert stack.upstream.runs["/weather/oslo"] == 0
