"""Threats 46-49: the money is there when it is checked, and gone when it is to be moved."""

from typing import Any

from tests.conformance.facilitator import cancel
from tests.support.world import World
from tollgate.payment.states import State

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"


def test_a46_a_payment_that_is_cancelled_while_it_is_served_is_a_debt_and_no_body(world: World) -> None:
    """Used and cancelled look alike to the flag: without a Transfer it is UNPAID, once that cannot go away again."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer(), identifier=IDENTIFIER)

    def cancel_then_answer(handler: Any) -> None:
        cancel(world.chain, buyer, payment)
        handler.answer(200, b"sunny")

    world.upstream.behave(cancel_then_answer)
    answer = world.request(payment=payment, seconds=7)
    a = payment["payload"]["authorization"]
    assert world.chain.nonce_used(buyer.address, bytes.fromhex(a["nonce"][2:]))
    assert b"sunny" not in answer.body
    world.chain.mine(world.chain.info.confirmations + 1)
    world.skew += 40
    world.reconcile()
    found = world.payment(payment)
    assert found is not None
    assert found.state is State.UNPAID
    if answer.status != 402:
        # Not deep yet when it was answered: then nobody was asked to sign again.
        assert answer.status == 503
        assert answer.header("payment-required") is None
    assert world.row("DEBT", payment) is not None
    assert world.row("RCT", payment) is None
    assert (world.sent(), world.revenue()) == (0, (0, 0))
    again = world.request(payment=payment)
    assert (again.status, again.header("payment-required") is not None) == (402, True)
    assert world.upstream.runs == 1
