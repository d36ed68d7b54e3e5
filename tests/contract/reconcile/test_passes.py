"""Whole passes on real parts: bounded in pages and time, with back-off that a crash does not lose, poison apart."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.payments import NOW, some_claim
from tests.support.world import Diary, World
from tollgate.chain.rpc import RpcClient
from tollgate.errors import ChainUnavailable
from tollgate.ledger.dynamo import Item, Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.work import Entry, Page, WorkList
from tollgate.payment.events import Event
from tollgate.payment.record import Payment
from tollgate.payment.states import State
from tollgate.reconcile import sweep
from tollgate.reconcile.sweep import MOST_STRIKES, Sweep


class Killed(BaseException):
    """The process is gone: no ``except Exception`` sees it."""


@dataclass
class Clock:
    """Time that passes when told to."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Visitor:
    """Counts looks; ``does`` says what a look at a payment does."""

    does: Callable[[Payment], None] = lambda payment: None
    seen: list[str] = field(default_factory=list)
    patience: list[float] = field(default_factory=list)

    def visit(self, payment: Payment, until: float) -> None:
        """Look."""
        self.seen.append(f"PAY#{payment.id.digest}")
        self.patience.append(until)
        self.does(payment)


@dataclass
class Desk:
    """A pass with a visitor of the test's own, over a real table."""

    table: Table
    clock: Clock = field(default_factory=Clock)
    visitor: Visitor = field(default_factory=Visitor)
    diary: Diary = field(default_factory=Diary)

    def __post_init__(self) -> None:
        self.work = WorkList(self.table)
        self.ledger = PaymentsLedger(self.table)

    def claim(self, due: int = NOW) -> str:
        """A payment that is due then."""
        payment = self.ledger.claim(some_claim(lease_until=due - 1))
        return f"PAY#{payment.id.digest}"

    def run(self, seconds: float = 60) -> int:
        """One pass."""
        return Sweep(self.work, self.visitor, self.clock, self.diary).run(self.clock() + seconds)

    def item(self, pk: str) -> Item:
        """One item."""
        return self.work.read([pk])[pk]

    def done(self) -> dict[str, Any]:
        """What the last pass said of itself."""
        return [fields for event, fields in self.diary.events if event is Event.RECONCILE_DONE][-1]


@pytest.fixture
def desk(payments_table: Table) -> Desk:
    """An empty one."""
    return Desk(payments_table)


def fails(*pks: str, error: BaseException) -> Callable[[Payment], None]:
    """A look at these raises."""

    def look(payment: Payment) -> None:
        if f"PAY#{payment.id.digest}" in pks:
            raise error

    return look


# ------------------------------------------------------------------ pages and time


def test_a_pass_goes_on_page_after_page_until_nothing_is_due(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a page of every shard, each exactly once; what becomes due meanwhile is the next pass's."""
    monkeypatch.setattr(sweep, "PAGE", 2)
    due = {desk.claim() for _ in range(30)}
    later = desk.claim(NOW + 1)
    assert desk.run() == 30
    assert sorted(desk.visitor.seen) == sorted(due)
    assert later not in desk.visitor.seen
    assert desk.done()["complete"] is True


def test_no_item_comes_twice_in_a_pass_although_it_is_due_again_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visit may leave its payment due now (REVERSED goes back to SETTLING so); the pass ends all the same."""
    monkeypatch.setattr(sweep, "PAGE", 1)
    due = {desk.claim() for _ in range(12)}
    desk.visitor.does = lambda payment: desk.ledger.reschedule(payment, NOW)
    assert desk.run() == 12
    assert sorted(desk.visitor.seen) == sorted(due)


def test_shards_take_turns_and_the_oldest_comes_first(desk: Desk) -> None:
    """It worked once: while the first shard was full, nobody looked at the last."""
    for n in range(40):
        desk.claim(NOW - n)
    desk.run()
    shards = [desk.item(pk)["work"] for pk in desk.visitor.seen]
    assert sorted(shards[:4]) == ["w0", "w1", "w2", "w3"]
    for shard in WorkList.shards:
        mine = [desk.item(pk)["claimed_at"] for pk in desk.visitor.seen if desk.item(pk)["work"] == shard]
        assert mine == sorted(mine)


def test_a_pass_ends_before_its_deadline_and_the_next_one_takes_the_rest(desk: Desk) -> None:
    """Each look takes ten seconds: five fit in a minute, and nobody is starved for it."""
    due = {desk.claim() for _ in range(12)}
    started = desk.clock.now

    def slow(payment: Payment) -> None:
        desk.clock.now += 10

    desk.visitor.does = slow
    assert desk.run(60) == 6
    assert desk.clock.now - started <= 60 + 5
    assert desk.done()["complete"] is False
    desk.clock.now = started + 25
    assert desk.run(120) >= 6
    assert set(desk.visitor.seen) == due


def test_many_share_the_time_and_few_have_all_of_it(desk: Desk) -> None:
    """One stuck payment may be waited for; a hundred may not each take all the time there is."""
    desk.claim()
    desk.run(60)
    assert desk.visitor.patience == [NOW + 55]
    for _ in range(20):
        desk.claim()
    desk.visitor.patience.clear()
    desk.run(60)
    assert desk.visitor.patience[0] == NOW + sweep.LEAST_SHARE_SECONDS
    assert desk.visitor.patience[-1] == NOW + 55


def test_the_lag_is_how_long_the_oldest_due_item_had_waited(desk: Desk) -> None:
    """Nothing due is no lag."""
    desk.run()
    assert desk.done()["lag_seconds"] == 0
    desk.claim(NOW - 400)
    desk.claim(NOW - 20)
    desk.run()
    assert desk.done()["lag_seconds"] == 400
    desk.run()
    assert desk.done()["lag_seconds"] == 0


def test_the_index_may_be_behind(desk: Desk) -> None:
    """It names what is gone, what is not due any more, and what is parked: none is looked at."""
    pushed, parked = desk.claim(), desk.claim()
    stale = [Entry(pushed, NOW), Entry(parked, NOW), Entry("PAY#" + "0" * 64, NOW)]
    desk.work.begin(desk.item(pushed), NOW + 30)
    desk.work.park(desk.item(parked), "KeyError", NOW)
    desk.work.page = lambda shard, *_: Page(tuple(stale) if shard == "w0" else (), None)  # type: ignore[method-assign]
    assert desk.run() == 0
    assert desk.visitor.seen == []


def test_a99_a_pass_in_the_middle_of_another_shares_its_work(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the first has read and not begun, the second may do: each item is looked at once by one of them."""
    monkeypatch.setattr(sweep, "PAGE", 3)
    due = {desk.claim() for _ in range(20)}
    nested: list[int] = []

    def meanwhile(payment: Payment) -> None:
        if len(desk.visitor.seen) in (1, 5):
            nested.append(desk.run())

    desk.visitor.does = meanwhile
    desk.run()
    assert nested
    assert sorted(desk.visitor.seen) == sorted(due)


def test_a98_an_event_that_comes_twice_finds_nothing_left_to_do(desk: Desk) -> None:
    """Scheduler delivers at least once: at the same moment, and a moment later."""
    due = {desk.claim() for _ in range(8)}
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(desk.run) for _ in range(2)]
    assert sum(run.result() for run in both) == 8
    assert desk.run() == 0
    assert sorted(desk.visitor.seen) == sorted(due)


# ------------------------------------------------------------------ back-off


def test_back_off_doubles_and_a_move_resets_it(desk: Desk) -> None:
    """30, 60, 120 ... seconds, at most 15 minutes, for what waits for something."""
    pk = desk.claim()
    desk.visitor.does = fails(pk, error=ChainUnavailable("down"))
    waits = []
    for _ in range(7):
        desk.run()
        waits.append(desk.item(pk)["due"] - int(desk.clock.now))
        desk.clock.now = desk.item(pk)["due"]
    assert waits == [30, 60, 120, 240, 480, 900, 900]
    desk.visitor.does = lambda payment: desk.ledger.release(payment, int(desk.clock.now), debt="owner_died")
    desk.run()
    assert "attempts" not in desk.item(pk)


def test_a100_an_item_that_kills_its_pass_waits_longer_each_time(desk: Desk) -> None:
    """The look is counted before it is made, so the crash does not lose the back-off; the others get their turn."""
    poison = desk.claim(NOW - 100)
    desk.visitor.does = fails(poison, error=Killed())
    waits = []
    for _ in range(3):
        with pytest.raises(Killed):
            desk.run()
        waits.append(desk.item(poison)["due"] - int(desk.clock.now))
        other = desk.claim(int(desk.clock.now))
        desk.run()
        assert other in desk.visitor.seen, "the poison came first again"
        desk.clock.now = desk.item(poison)["due"]
    assert waits == [30, 60, 120]


# ------------------------------------------------------------------ poison


def test_a100_poison_first_the_second_still_done_and_the_bug_is_loud(desk: Desk) -> None:
    """The first item of each page raises; every other one is looked at, and the pass fails at its end."""
    poison = desk.claim(NOW - 100)
    others = {desk.claim() for _ in range(8)}
    desk.visitor.does = fails(poison, error=KeyError("no such thing"))
    with pytest.raises(KeyError):
        desk.run()
    assert set(desk.visitor.seen) == others | {poison}
    assert desk.done()["failed"] == 1


def test_poison_is_parked_after_it_raised_a_bug_five_times_in_a_row(desk: Desk) -> None:
    """Off the list, with the exception's class and nothing of its text; the passes are quiet again."""
    poison = desk.claim()
    desk.visitor.does = fails(poison, error=KeyError("of-its-text"))
    for strike in range(1, MOST_STRIKES + 1):
        assert "parked" not in desk.item(poison), strike
        with pytest.raises(KeyError):
            desk.run()
        desk.clock.now = desk.item(poison)["due"]
    assert desk.item(poison)["parked"] == "KeyError"
    assert "of-its-text" not in str(desk.item(poison))
    assert [f["why"] for e, f in desk.diary.events if e is Event.RECONCILE_PARKED] == ["KeyError"]
    desk.clock.now += 10_000
    assert desk.run() == 0
    assert desk.done()["parked_payments"] == 1


def test_an_item_that_killed_its_process_five_times_is_parked_unlooked_at(desk: Desk) -> None:
    """It is parked before a sixth look can kill again."""
    poison = desk.claim()
    desk.visitor.does = fails(poison, error=Killed())
    for _ in range(MOST_STRIKES):
        with pytest.raises(Killed):
            desk.run()
        desk.clock.now = desk.item(poison)["due"]
    desk.run()
    assert desk.item(poison)["parked"] == "process_died"
    assert desk.visitor.seen == [poison] * MOST_STRIKES


def test_what_cannot_even_be_read_is_parked_too(desk: Desk) -> None:
    """An item of a version to come, or one edited by hand."""
    poison = desk.claim()
    client: Any = desk.table._client
    client.update_item(
        TableName=desk.table._name,
        Key={"pk": {"S": poison}},
        UpdateExpression="SET #state = :odd",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":odd": {"S": "FROM_THE_FUTURE"}},
    )
    for _ in range(MOST_STRIKES):
        with pytest.raises(ValueError, match="FROM_THE_FUTURE"):
            desk.run()
        desk.clock.now = desk.item(poison)["due"]
    assert desk.item(poison)["parked"] == "ValueError"
    assert desk.visitor.seen == []


def test_a_look_that_comes_back_between_two_bugs_begins_the_count_anew(desk: Desk) -> None:
    """In a row means in a row."""
    pk = desk.claim()
    for look in range(3 * MOST_STRIKES):
        waits = look % MOST_STRIKES == MOST_STRIKES - 1
        desk.visitor.does = fails(pk, error=ChainUnavailable("down") if waits else KeyError())
        try:
            desk.run()
        except KeyError:
            assert not waits
        desk.clock.now = desk.item(pk)["due"]
    assert "parked" not in desk.item(pk)


def test_an_item_that_only_waits_for_an_endpoint_is_no_poison(world: World) -> None:
    """However long the endpoint is down: it is looked at again every 15 minutes, and settles when it is back."""
    payment = world.sign(world.buyer(), world.offer())
    world.settler.down = True
    assert world.request(payment=payment, seconds=7).status == 503
    working, world.evm._rpc = world.evm._rpc, RpcClient(["http://127.0.0.1:1"])
    for _ in range(2 * MOST_STRIKES):
        world.skew += 1_000
        world.reconcile(seconds=6.5)
    assert world.diary.count(Event.RECONCILE_PARKED) == 0
    standing = world.payment(payment)
    assert standing is not None
    assert standing.state is State.UNRESOLVED
    world.evm._rpc = working
    world.settler.down = False
    world.skew += 1_000
    world.reconcile()
    standing = world.payment(payment)
    assert standing is not None
    # Its authorization expired meanwhile, on our clock; the chain's has not moved, so it still could be settled.
    assert standing.state is State.SETTLED


def test_a58_a_block_is_only_called_gone_with_its_hash_in_hand(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told which hash is expected, a chain with two endpoints asks both before it denies it."""
    payment = world.sign(world.buyer(), world.offer())
    assert world.request(payment=payment).status == 200
    settled = world.payment(payment)
    assert settled is not None
    asked: list[object] = []
    real = world.evm.block_hash_at

    def spy(number: int, timeout: float, expected: object = None) -> object:
        asked.append(expected)
        return real(number, timeout)

    monkeypatch.setattr(world.evm, "block_hash_at", spy)
    world.skew += 3600
    world.reconcile()
    assert settled.block_hash in asked
