"""How old the oldest open payment is, as reconcile measures it for the alarm."""

from tests.support.world import World
from tollgate.payment.events import Event
from tollgate.payment.states import State


def _oldest(world: World) -> int:
    fields = [fields for event, fields in world.diary.events if event is Event.RECONCILE_DONE]
    seconds: int = fields[-1]["oldest_open_seconds"]
    return seconds


def test_a_payment_that_cannot_settle_is_as_old_as_its_claim(world: World) -> None:
    """It grows with every pass that sees it."""
    world.settler.down = True
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment, seconds=7).status == 503
    world.skew += 60
    world.reconcile(seconds=6.5)
    assert 60 <= _oldest(world) < 120
    world.skew += 900
    world.reconcile(seconds=6.5)
    assert 960 <= _oldest(world) < 1100


def test_a_settled_payment_that_is_only_looked_at_again_is_not_open(world: World) -> None:
    """The second look at its block comes half an hour later; that is no reason to ring."""
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 200
    world.skew += int(world.chain.info.final_blocks * world.chain.info.block_seconds) + 30
    assert world.reconcile() == 1
    found = world.payment(payment)
    assert found is not None
    assert found.state is State.SETTLED
    assert _oldest(world) == 0
