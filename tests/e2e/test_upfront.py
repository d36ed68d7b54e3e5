"""Routes that settle first, on the deployed stack."""

from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.e2e.http import ELSEWHERE, get, signed

PRICE = 10_000


def test_a_route_that_settles_first_is_paid_run_once_and_served(stack: LocalStack, buyer: LocalAccount) -> None:
    """The offer says so; the resend gets the stored answer."""
    payment = signed(stack, buyer, "/report/tides")
    assert payment["accepted"]["extra"]["paymentFlow"] == "upfront"
    reply = get(stack, "/report/tides", payment)
    assert (reply.status, reply.json) == (200, {"report": "tides"})
    assert reply.receipt["success"] is True
    assert stack.chain.receipt(reply.receipt["transaction"]) is not None
    again = get(stack, "/report/tides", payment, source=ELSEWHERE)
    assert (again.status, again.body, again.receipt) == (200, reply.body, reply.receipt)
    assert stack.upstream.runs["/report/tides"] == 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE


def test_a82_an_upstream_that_fails_is_owed_back_by_name(stack: LocalStack, buyer: LocalAccount) -> None:
    """502 with the receipt and the reference under which the operator finds what is owed."""
    payment = signed(stack, buyer, "/fail", method="POST")
    reply = get(stack, "/fail", payment, method="POST")
    assert reply.status == 502
    assert "payment-required" not in reply.headers
    assert reply.receipt["success"] is True
    refund = reply.json["details"]["refund"]
    assert (refund["amount"], refund["payer"]) == (str(PRICE), buyer.address)
    shown = stack.tollgate("payment", "show", refund["reference"])
    assert "REFUND_DUE" in shown
    assert "status_500" in shown
    again = get(stack, "/fail", payment, method="POST")
    assert (again.status, again.json) == (502, reply.json)
    assert stack.upstream.runs["/fail"] == 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE
