"""The authorizer killed before and after each of its effects, and told of an error at each write, on the fakes.

A buyer who follows the rules pays; then time passes and reconcile runs until it is quiet. Whatever went wrong where:
one transfer, one grant, and the request passes once. The one exception is when the grant is written and nobody hears of
it: from then on the answer is API Gateway's to bring, and the buyer is told 409.
"""

from dataclasses import replace
from functools import cache

import pytest

from tests.crash.walk import FAULTS, add_upfront_route
from tests.support.fakes.client import Buyer
from tests.support.fakes.effects import CRASHES, Plan
from tests.support.fakes.world import FakeWorld
from tests.support.world import BASE_URL, PRICE
from tollgate.gateway.paid_call import PaidCall
from tollgate.gateway.serve import Gateway
from tollgate.payment.record import Payment
from tollgate.payment.routes import ApiTarget
from tollgate.payment.states import State

PATH = "/report/paris"
MOST_PASSES = 60


class AuthorizerWorld(FakeWorld):
    """A stack whose requests come to the authorizer; a 200 is a request that passes."""

    def make_gateway(self) -> Gateway:
        """One that lets through instead of serving."""
        made = super().make_gateway()
        return replace(made, paid_call=PaidCall.of(made.parts, grants=True))


def walked(plan: Plan) -> tuple[AuthorizerWorld, Buyer]:
    """A purchase under a plan, to the end of everything."""
    world = AuthorizerWorld()
    add_upfront_route(world)
    world.routes[-1] = replace(world.routes[-1], upstream=ApiTarget(BASE_URL))
    buyer = Buyer(world, path=PATH)
    # Nobody's payment is in the offer: what goes wrong begins with the paid request.
    header = buyer.sign(buyer.offer())
    world.effects.plan = {len(world.effects.log) + index: fault for index, fault in plan.items()}
    buyer.pursue(header)
    for _ in range(MOST_PASSES):
        due = world.next_due()
        if due is None:
            break
        world.advance(max(1.0, due - world.clock.now))
        world.reconcile()
    return world, buyer


@cache
def effects() -> list[str]:
    """The kinds of effects of an undisturbed purchase, in order, up to its answer."""
    world, _ = walked({})
    kinds = [effect.kind for effect in world.effects.log]
    return kinds[: kinds.index("answer") + 1]


def plans() -> list[tuple[int, str]]:
    """Every effect with everything that can go wrong at it."""
    return [(index, fault) for index, kind in enumerate(effects()) for fault in (*CRASHES, *FAULTS[kind])]


def grants(payment: Payment) -> int:
    """How often it was moved to GRANTED."""
    return sum(move.what == State.GRANTED.value for move in payment.moves)


@pytest.mark.parametrize(("index", "fault"), plans())
def test_killed_anywhere_it_is_paid_once_and_granted_once(index: int, fault: str) -> None:
    """And it passes, once: a resend takes the place of whoever died before the grant."""
    world, buyer = walked({index: fault})
    story = world.effects.story()
    assert world.effects.fired, story
    passed = [request for request, answer in world.answers if answer.status == 200]
    (payment,) = world.all_payments()
    assert (payment.state, grants(payment)) == (State.GRANTED, 1), story
    assert buyer.balance - world.node.balance(str(buyer.address)) == PRICE, story
    assert not world.upstream.runs, story
    # Granted, and the word of it was lost on the way: the one thing that an authorizer cannot make good.
    answer = len(effects()) - 1
    lost = (index, fault) in {(answer - 1, "after"), (answer - 1, "lost"), (answer, "before")}
    assert len(passed) == (0 if lost else 1), story


def test_undisturbed_it_passes() -> None:
    """One signature, one transfer, one grant; and the walk above is over all of it."""
    world, buyer = walked({})
    (payment,) = world.all_payments()
    assert (payment.state, grants(payment), len(buyer.signed)) == (State.GRANTED, 1, 1)
    assert buyer.balance - world.node.balance(str(buyer.address)) == PRICE
    kinds = effects()
    assert {"dynamo", "invoke", "sign", "send", "answer"} <= set(kinds)
    assert len(plans()) > 30
