"""One world from its first request to quiet: a buyer who follows the rules, time, reconcile, and the invariants."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tests.crash.invariants import ALL, Watch
from tests.support.fakes.client import Buyer
from tests.support.fakes.effects import CRASHES, Effect, Plan
from tests.support.fakes.world import START, FakeWorld
from tollgate.wire.primitives import Address

# Reconcile's schedule, and how often a payment may be looked at before that counts as never ending.
MINUTE = 60
MOST_PASSES = 60
# By then whatever a scenario breaks is mended.
HEALED_SECONDS = 900

# What may go wrong at an effect of each kind besides a crash; a crash is possible at all of them.
FAULTS: dict[str, tuple[str, ...]] = {
    "dynamo": ("echo", "lost", "refuse"),
    "sign": ("refuse",),
    "send": ("lost", "refuse"),
    "fetch": (),
    "s3": ("lost", "refuse"),
    "invoke": ("lost", "refuse"),
    "answer": ("lost",),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens besides the plan. ``prepare`` sets the world up, ``drive`` is what the buyer does.

    ``buyer_leaves``: nobody insists on the body. ``payer_spends``: the payer's balance moves for other reasons.
    ``rivals``: how many reconcile passes run at once. ``aws_fails``: exceptions of AWS are part of the world.
    ``identifier``: whether the buyer sends one; ``signatures``: how many payments it signs at the most.
    ``end``: the state of the buyer's payment when nothing is killed.
    """

    name: str
    end: str
    prepare: Callable[["Run"], None] = lambda run: None
    drive: Callable[["Run"], None] = lambda run: run.buyer.pursue(run.header)
    buyer_leaves: bool = False
    payer_spends: bool = False
    rivals: int = 1
    aws_fails: bool = False
    identifier: bool = True
    signatures: int = 2
    flow: str = "authorization"

    @property
    def owned(self) -> bool:
        """Whether what is sold is an owner's, who owes a fee of it; in the plain stories it is the operator's."""
        return self.flow == "authorization" and not self.name.startswith("happy")


@cache
def standing_offer(flow: str = "authorization") -> dict[str, Any]:
    """A route's offer: the same in every world, so it is asked for once."""
    world = FakeWorld()
    add_upfront_route(world)
    return Buyer(world, seed=9, path=PATHS[flow]).offer()


OWNER = Address(b"\x0a" * 20)
# Of 10,000 atomic units: 123.
FEE_BPS = 123
PATHS = {"authorization": "/weather/paris", "upfront": "/report/paris"}


def add_upfront_route(world: FakeWorld) -> None:
    """A route that settles first."""
    first = replace(world.requirements, extra={**world.requirements.extra, "paymentFlow": "upfront"})
    world.routes.append(world.route("report", "GET", "/report/{city}", accepts=(first,)))


class Run:
    """One visit: a scenario under a plan. ``last_buyer`` is somebody else, who buys at the end."""

    last_buyer: Buyer | None = None

    def __init__(self, scenario: Scenario, plan: Plan) -> None:
        self.scenario = scenario
        self.world = FakeWorld(plan)
        add_upfront_route(self.world)
        if scenario.owned:
            self.world.routes[0] = replace(self.world.routes[0], owner=OWNER, fee_bps=FEE_BPS)
        self.watch = Watch(self)
        self.aws_fails = scenario.aws_fails or any(fault not in CRASHES for fault in plan.values())
        self._sweep_at = START + MINUTE
        self.buyer = self.new_buyer(1)
        if not scenario.identifier:
            self.buyer.identifier = ""
        self.buyer.most_signatures = scenario.signatures
        self.buyers = [self.buyer]
        scenario.prepare(self)
        self.buyer.path = PATHS[scenario.flow]
        self.header = self.buyer.sign(standing_offer(scenario.flow))

    def new_buyer(self, seed: int, **more: Any) -> Buyer:
        """A payer with tokens, who lets reconcile run while it waits."""
        return Buyer(self.world, seed=seed, wait=self.wait, **more)

    def go(self) -> "Run":
        """The whole story; raises ``Broken``."""
        self.scenario.drive(self)
        return self.check()

    def check(self) -> "Run":
        """To quiet, and everything that must hold then; raises ``Broken``."""
        self._until_quiet()
        self.world.effects.counting = False
        self._heal()
        left = left_behind(self.world)
        if (self.scenario, left) not in _SERVED_AFTER:
            self._next_buyer()
        for breach in self.watch.breaches:
            raise breach
        for holds in ALL:
            holds(self)
        _SERVED_AFTER.add((self.scenario, left))
        return self

    def wait(self, seconds: float) -> None:
        """Pass time; reconcile runs on the minute, as its schedule says."""
        until = self.world.clock.now + seconds
        while self._sweep_at <= until:
            self.world.clock.advance_to(self._sweep_at)
            self._sweep_at = int(self.world.clock.now) + MINUTE
            self.reconcile()
        self.world.clock.advance_to(until)

    def reconcile(self) -> None:
        """One pass, or several at once that take turns at every step."""
        if self.scenario.rivals == 1:
            self.world.reconcile()
            return
        rivals = [self.world.reconcile] * self.scenario.rivals
        for job in self.world.together(*rivals, pick=alternate()):
            if job.error is not None:
                raise job.error

    def _until_quiet(self) -> None:
        for _ in range(MOST_PASSES):
            due = self.world.next_due()
            if due is None:
                return
            self.world.clock.advance_to(max(due + 1, self.world.clock.now + 1))
            self.reconcile()

    def _heal(self) -> None:
        """Everything is well again, and quiet."""
        world = self.world
        world.clock.advance_to(max(START + HEALED_SECONDS, world.clock.now))
        self._until_quiet()
        world.effects.always.clear()
        world.effects.script.clear()
        world.dynamo.throttle = None
        world.upstream.status, world.upstream.failure, world.upstream.seconds = 200, None, 0.1

    def _next_buyer(self) -> None:
        """Somebody else buys."""
        world = self.world
        self.last_buyer = last = Buyer(world, seed=77, path=PATHS[self.scenario.flow])
        self.buyers.append(last)
        last.pursue(last.sign(standing_offer(self.scenario.flow)))
        self._until_quiet()

    def on(self, kind: str, phase: str, act: Callable[[], None], *, nth: int = 0, detail: str = "") -> None:
        """Let others act just before or after the ``nth`` effect of a kind that has ``detail`` in it, once."""
        seen = 0

        def watcher(when: str, effect: Effect) -> None:
            nonlocal seen
            if when != phase or effect.kind != kind or detail not in effect.detail:
                return
            if seen == nth:
                act()
            seen += 1

        self.world.effects.watchers.append(watcher)

    def story(self) -> str:
        """The plan and the history, for a broken promise."""
        told = [f"  {at.at - START:8.2f}s {at}" for buyer in self.buyers for at in buyer.told]
        rows = [f"  {p.id.digest[:8]} {p.state} fence {p.fence}" for p in self.world.all_payments()]
        rows += [f"  settlement {s.state} {s.slot.nonce if s.slot else '-'}" for s in self.world.all_settlements()]
        parts = (
            f"scenario {self.scenario.name}, plan {self.world.effects.plan}",
            self.world.effects.story(),
            "told:",
            *told,
            "ledger:",
            *rows,
            f"failures: {self.world.failures}",
        )
        return "\n".join(parts)


# What somebody else bought after, in which scenario: the next world that leaves the same behind would sell the same.
_SERVED_AFTER: set[tuple[Scenario, tuple[object, ...]]] = set()


def left_behind(world: FakeWorld) -> tuple[object, ...]:
    """All that a purchase of somebody else meets: the relayer's nonces in the ledger, on chain and in warm memories,
    its gas, and the node's pool."""
    relayer, node = str(world.signer.address()), world.node
    return (
        tuple(sorted((s.state.value, str(s.slot and s.slot.nonce), s.filler) for s in world.all_settlements())),
        tuple(sorted((row["pk"], row.get("payment", "")) for row in world.rows("NNC#", "settlements"))),
        tuple(
            (row["next"], row["seen"], world.clock.now - row["seen_at"] > MINUTE)
            for row in world.rows("RLY#", "settlements")
        ),
        tuple(world.memories()),
        (node.nonce(relayer), node.gas_balance(relayer), node.base_fee, node.down, node.waits),
        node.receipts_hidden_until > world.clock.now,
        tuple(sent.hash for sent in node.pool),
    )


def alternate() -> Callable[[Any], Any]:
    """Every step another job, as long as there is one."""
    last: list[Any] = [None]

    def pick(runnable: Any) -> Any:
        last[0] = next((job for job in runnable if job is not last[0]), runnable[0])
        return last[0]

    return pick
