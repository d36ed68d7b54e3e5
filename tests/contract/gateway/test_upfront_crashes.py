"""The upfront flow, with the process dying before or after each of its writes, and two requests at once.

After each crash time passes, the buyer sends the same payment again, and reconcile runs until it is quiet: the upstream
ran at most once, the money moved at most once, and whatever was charged was served or is owed back.
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.settling import Crash, Dying
from tests.support.upstream import answers, sunny
from tests.support.world import PRICE, World, body_of
from tollgate.errors import LostRace
from tollgate.gateway.paid_call import PaidCall
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.record import Payment
from tollgate.payment.states import State

IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"
PATH = "/report/paris"
ENDED = {State.FULFILLED, State.REFUND_DUE, State.RELEASED, State.UNPAID}


@pytest.fixture
def upfront(world: World) -> Iterator[World]:
    """A world with a route that settles first."""
    settles_first = dataclasses.replace(
        world.requirements, extra={**world.requirements.extra, "paymentFlow": "upfront"}
    )
    world.routes.append(world.route("report", "GET", "/report/{city}", accepts=(settles_first,)))
    yield world
    world.chain.mine_at_once()


def signed(world: World) -> dict[str, Any]:
    return world.sign(world.buyer(), world.offer(PATH), identifier=IDENTIFIER)


def known(world: World, payment: dict[str, Any]) -> Payment:
    found = world.payment(payment)
    assert found is not None
    return found


def dying(world: World, part: str, method: str, *, after: bool) -> None:
    """This world's next gateway dies at the first call of ``part.method``."""
    paid_call = world.gateway.paid_call
    parts = dataclasses.replace(paid_call.parts, **{part: Dying(getattr(paid_call.parts, part), method, after=after)})
    world.gateway = dataclasses.replace(world.gateway, parts=parts, paid_call=PaidCall.of(parts))


def crash(world: World, payment: dict[str, Any]) -> None:
    with pytest.raises(Crash):
        world.request(PATH, payment=payment, seconds=20)
    world.gateway = world.make_gateway()
    # The dead one's lease passes: its deadline and 5 s.
    world.skew += 27


def heal(world: World, payment: dict[str, Any]) -> None:
    """Reconcile until nothing moves any more."""
    for _ in range(6):
        world.advance(400)
        world.chain.mine(world.chain.info.confirmations)
        world.reconcile()
    assert known(world, payment).state in ENDED


def accounts_agree(world: World, payment: dict[str, Any]) -> None:
    """Charged means served or owed, each once."""
    state = known(world, payment).state
    charged = world.sent()
    assert charged == (1 if state in (State.FULFILLED, State.REFUND_DUE) else 0)
    assert world.revenue() == (charged * PRICE, charged)
    assert (world.row("RFD", payment) is not None) == (state is State.REFUND_DUE)
    assert (world.row("ANS", payment) is not None) == (state is State.FULFILLED)
    assert world.upstream.runs <= 1
    assert world.row("DEBT", payment) is None


CRASHES = [
    # part, method, after, how the payment stands then, what the resend gets
    ("upfront", "begin", False, State.CLAIMED, 200),
    ("upfront", "begin", True, State.SETTLING, 200),
    ("settler", "settle", False, State.SETTLING, 200),
    ("settler", "settle", True, State.SETTLING, 200),
    ("books", "book", False, State.SETTLING, 200),
    ("books", "book", True, State.SETTLED, 200),
    ("upfront", "run", False, State.SETTLED, 200),
    ("upfront", "run", True, State.EXECUTING_PAID, 502),
    ("upstream", "fetch", False, State.EXECUTING_PAID, 502),
    ("upstream", "fetch", True, State.EXECUTING_PAID, 502),
    ("upfront", "fulfil", False, State.EXECUTING_PAID, 502),
    ("upfront", "fulfil", True, State.FULFILLED, 200),
]


@pytest.mark.parametrize(("part", "method", "after", "state", "status"), CRASHES)
def test_a_crash_at_any_write_is_served_or_owed_to_the_resend(
    upfront: World, part: str, method: str, *, after: bool, state: State, status: int
) -> None:
    """Before the run the resend carries it through; once it may have run, it never runs again."""
    payment = signed(upfront)
    dying(upfront, part, method, after=after)
    crash(upfront, payment)
    assert known(upfront, payment).state is state
    answer = upfront.request(PATH, payment=payment, seconds=20)
    assert answer.status == status, body_of(answer)
    assert answer.header("payment-required") is None
    assert upfront.request(PATH, payment=payment, seconds=20).status == status
    accounts_agree(upfront, payment)
    heal(upfront, payment)
    accounts_agree(upfront, payment)


@pytest.mark.parametrize(("part", "method", "after", "state", "status"), CRASHES)
def test_a_crash_whose_buyer_never_comes_back_ends_by_itself(
    upfront: World, part: str, method: str, *, after: bool, state: State, status: int
) -> None:
    """Reconcile alone: released, served before, or owed back; and it runs nothing."""
    payment = signed(upfront)
    dying(upfront, part, method, after=after)
    crash(upfront, payment)
    runs = upfront.upstream.runs
    heal(upfront, payment)
    assert upfront.upstream.runs == runs
    accounts_agree(upfront, payment)
    if state is State.CLAIMED:
        assert known(upfront, payment).state is State.RELEASED


@pytest.mark.parametrize("after", [False, True])
def test_a82_a_crash_around_the_refund_row_leaves_it_written_once(upfront: World, *, after: bool) -> None:
    """The row and the state are one transaction: there is no moment with the one and not the other."""
    upfront.upstream.behave(answers(500))
    payment = signed(upfront)
    dying(upfront, "upfront", "refund_due", after=after)
    crash(upfront, payment)
    assert known(upfront, payment).state is (State.REFUND_DUE if after else State.EXECUTING_PAID)
    answer = upfront.request(PATH, payment=payment, seconds=20)
    assert answer.status == 502
    row = upfront.row("RFD", payment)
    assert row is not None
    assert row["why"] == ("status_500" if after else "owner_died")
    accounts_agree(upfront, payment)


def test_a_run_that_was_taken_over_is_not_run_by_its_first_owner(upfront: World) -> None:
    """The move to EXECUTING_PAID is conditioned on the owner: there is one run, whoever wakes up late."""
    payment = signed(upfront)
    dying(upfront, "upfront", "run", after=False)
    crash(upfront, payment)
    settled = known(upfront, payment)
    ledger = UpfrontLedger(upfront.table)
    now = int(upfront.clock())
    taken = ledger.take_run(settled, "taker", now, now + 30)
    assert (taken.claim.owner, taken.fence, taken.state) == ("taker", settled.fence + 1, State.EXECUTING_PAID)
    with pytest.raises(LostRace):
        ledger.run(settled, settled.claim.owner, now)
    with pytest.raises(LostRace):
        ledger.take_run(settled, "second taker", now, now + 30)
    # A write whose answer was lost is its writer's, and nobody else's.
    assert ledger.take_run(settled, "taker", now, now + 30) == taken


def test_a_settled_payment_of_a_living_owner_is_not_run_by_another(upfront: World) -> None:
    """Nor by somebody who reads it and takes its owner's name for an own."""
    payment = signed(upfront)
    dying(upfront, "upfront", "run", after=False)
    crash(upfront, payment)
    settled = known(upfront, payment)
    ledger = UpfrontLedger(upfront.table)
    alive = settled.claim.lease_until
    with pytest.raises(LostRace):
        ledger.take_run(settled, "taker", alive, alive + 30)
    with pytest.raises(LostRace):
        ledger.run(settled, "somebody", alive)
    with pytest.raises(LostRace):
        ledger.refund_due(settled, "not_fetched", alive, dead=True)
    assert known(upfront, payment) == settled


def test_a_dead_claim_is_taken_over_with_what_it_claimed(upfront: World) -> None:
    """Fence + 1; address and identifier stay those of the claim (rule 11). One taker only."""
    payment = signed(upfront)
    dying(upfront, "upfront", "begin", after=False)
    crash(upfront, payment)
    claimed = known(upfront, payment)
    ledger = UpfrontLedger(upfront.table)
    now = int(upfront.clock())
    taken = ledger.take_claim(claimed, "taker", now, now + 30)
    expected = dataclasses.replace(claimed.claim, owner="taker", lease_until=now + 30)
    assert (taken.claim, taken.fence) == (expected, claimed.fence + 1)
    with pytest.raises(LostRace):
        ledger.take_claim(claimed, "second", now, now + 30)
    with pytest.raises(LostRace):
        ledger.begin(claimed, now)
    stranger = upfront.request(PATH, payment=payment, source="203.0.113.9", seconds=5)
    assert stranger.status == 503
    assert stranger.header("payment-required") is None


def test_a36_copies_at_once_are_one_settlement_one_run_and_truths(upfront: World) -> None:
    """Six of the same: whoever is answered 200 has the body."""
    payment = signed(upfront)
    barrier = threading.Barrier(6)

    def slow(handler: Any) -> None:
        threading.Event().wait(0.5)
        sunny(handler)

    upfront.upstream.behave(slow)

    def go(_: int) -> tuple[int, bytes]:
        barrier.wait()
        answer = upfront.request(PATH, payment=payment, seconds=20)
        assert answer.header("payment-required") is None
        return answer.status, answer.body

    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(go, range(6)))
    assert {status for status, _ in replies} <= {200, 503}
    assert {body for status, body in replies if status == 200} == {b"sunny"}
    assert (upfront.upstream.runs, upfront.sent()) == (1, 1)


def reorganised(world: World, behave: Callable[[Any], None]) -> dict[str, Any]:
    """A payment that came to its end, and whose block is then gone from the chain; reconcile has seen it."""
    buyer = world.buyer()
    payment = world.sign(buyer, world.offer(PATH), identifier=IDENTIFIER)
    world.upstream.behave(behave)
    # The buyer's tokens are minted before the snapshot that we go back to.
    snapshot = world.chain.rpc("evm_snapshot")
    world.request(PATH, payment=payment, seconds=20)
    assert world.chain.rpc("evm_revert", snapshot)
    world.chain.set_clock()
    world.chain.mine(3)
    world.skew = max(0.0, world.chain.now() - time.time())
    ended = known(world, payment)
    world.payments.reschedule(ended, int(world.clock()))
    world.reconcile()
    assert known(world, payment).state in (State.REVERSED, State.SETTLING)
    # After a revert a new transaction does not make the node mine by itself.
    world.chain.mine_every(1)
    return payment


@pytest.mark.own_chain
@pytest.mark.parametrize(
    ("behave", "state", "status"), [(sunny, State.FULFILLED, 200), (answers(500), State.REFUND_DUE, 502)]
)
def test_a57_after_a_reorganisation_it_ends_as_before_and_is_never_run_twice(
    upfront: World, behave: Callable[[Any], None], state: State, status: int
) -> None:
    """REVERSED, settled again, and straight to FULFILLED or REFUND_DUE."""
    payment = reorganised(upfront, behave)
    for _ in range(4):
        upfront.skew += 30
        answer = upfront.request(PATH, payment=payment, seconds=20)
        if answer.status != 503:
            break
        # A slow machine: the new transaction was not seen in time.
        assert answer.header("payment-required") is None
        upfront.chain.mine(1)
    assert answer.status == status
    assert known(upfront, payment).state is state
    history = [move.what for move in known(upfront, payment).moves if move.what != "TAKEN_OVER"]
    assert history[-4:] == ["REVERSED", "SETTLING", "SETTLED", state.value]
    assert upfront.upstream.runs == 1
    assert upfront.revenue() == (PRICE, 1)
    row = upfront.row("RFD", payment)
    assert (row is not None) == (state is State.REFUND_DUE)
    assert row is None or "reversed_at" not in row


@pytest.mark.own_chain
def test_a57_reconcile_alone_ends_it_as_before_too(upfront: World) -> None:
    """And what is owed is not owed while the money is gone from the chain."""
    payment = reorganised(upfront, answers(500))
    upfront.skew += 30
    upfront.reconcile()
    assert known(upfront, payment).state is State.SETTLED
    row = upfront.row("RFD", payment)
    assert row is not None
    assert "reversed_at" in row
    upfront.reconcile()
    assert known(upfront, payment).state is State.REFUND_DUE
    row = upfront.row("RFD", payment)
    assert row is not None
    assert "reversed_at" not in row
    assert upfront.upstream.runs == 1


@pytest.mark.own_chain
def test_a57_what_was_served_and_never_settles_again_is_a_debt(upfront: World) -> None:
    """The authorization expired before it could be put on chain again."""
    payment = reorganised(upfront, sunny)
    upfront.advance(100)
    upfront.chain.mine(upfront.chain.info.confirmations)
    upfront.reconcile()
    assert known(upfront, payment).state is State.UNPAID
    assert upfront.row("DEBT", payment) is not None
    assert upfront.revenue() == (0, 0)
