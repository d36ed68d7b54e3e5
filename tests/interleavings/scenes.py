"""What runs at once, for the explorer: each scene is a fresh world, its jobs, and the end of the story.

At the end every buyer insists on what it paid for, reconcile runs until quiet, somebody else buys, and everything
that holds after crashes (tests/crash/invariants.py) must hold here, besides what is said below.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tests.crash.invariants import ALL, Watch, broken
from tests.crash.walk import MINUTE, PATHS, Run, Scenario, add_upfront_route, standing_offer
from tests.interleavings.stage import Stage
from tests.support.buyer import decode, encode
from tests.support.fakes.client import Buyer, Told
from tests.support.fakes.clock import Job
from tests.support.fakes.effects import Plan
from tests.support.fakes.world import START
from tests.support.world import ELSEWHERE
from tollgate.payment.rate_limits import RateLimit, RouteLimits
from tollgate.payment.settlement import SettleOutcome
from tollgate.payment.states import State

Work = Callable[[], Any]


class Scene(Run):
    """One world. Subclasses say what comes before (``prepare``) and what runs at once (``jobs``)."""

    # Exceptions of AWS are part of the world.
    aws_fails = False
    payer_spends = False
    # Who gave up: a buyer need not come to its body.
    leaves = False
    flow = "authorization"

    def __init__(self, plan: Plan | None = None) -> None:
        self.scenario = Scenario(
            type(self).__name__, "", payer_spends=self.payer_spends, buyer_leaves=self.leaves, flow=self.flow
        )
        self.world = Stage(plan)  # type: ignore[assignment]
        add_upfront_route(self.world)
        self.watch = Watch(self)
        self._sweep_at = START + MINUTE
        self.buyers: list[Buyer] = []
        self.thieves: list[Buyer] = []
        self.prepare()

    def prepare(self) -> None:
        """What has happened before."""

    def jobs(self) -> Sequence[Work]:
        """What runs at once."""
        raise NotImplementedError

    def new_buyer(self, seed: int, **more: Any) -> Buyer:
        """A payer with tokens; the story is not over before it has its body."""
        buyer = super().new_buyer(seed, **more)
        self.buyers.append(buyer)
        return buyer

    def end(self, jobs: Sequence[Job]) -> None:
        """Everybody is answered; see the module's docstring."""
        for job in jobs:
            if job.error is not None:
                raise job.error
        self.calm()
        for buyer in self.buyers:
            if buyer.body is None and buyer.signed and not self.leaves:
                buyer.pursue(buyer.signed[-1])
        self._until_quiet()
        self.world.effects.counting = False
        self._heal()
        self._next_buyer()
        for breach in self.watch.breaches:
            raise breach
        for holds in (*ALL, nobody_is_counted_for_ever, thieves_get_nothing, told_the_truth):
            holds(self)

    def calm(self) -> None:
        """What was out of order is in order again."""


def nobody_is_counted_for_ever(run: Scene) -> None:
    """What is over is counted out: the payer's row says that nothing is under way (rule 14)."""
    for row in run.world.rows("PYR#"):
        if row.get("open", 0) or row.get("open_value", 0):
            raise broken(run, "payers", f"nothing is under way, but the payer's row says {row}")


def thieves_get_nothing(run: Scene) -> None:
    """Nobody gets a body for a copy of somebody's payment (rule 6)."""
    for thief in run.thieves:
        for told in thief.told:
            if b"paid-body" in told.answer.body:
                raise broken(run, "thieves", f"a thief got the body: {told}")


def told_the_truth(run: Scene) -> None:
    """A receipt of success names a transaction that is booked for that very payment."""
    receipts = {row["payment"]: row["transaction"] for row in run.world.rows("RCT#")}
    for buyer in (*run.buyers, *run.thieves):
        for told in buyer.told:
            receipt = told.receipt
            if receipt is None or not receipt["success"] or told.payment is None:
                continue
            if receipt["transaction"] not in receipts.values():
                raise broken(run, "truth", f"{told} names a transaction that is in no receipt")


def attempt(buyer: Buyer, header: str) -> Work:
    """One request of a buyer that keeps the body if it gets one."""

    def send() -> Told:
        told = buyer.send(header)
        if 200 <= told.answer.status < 300:
            buyer.body = told.answer.body
        return told

    return send


class SamePayment(Scene):
    """One payment, sent by its buyer so many times at once."""

    copies = 2

    def prepare(self) -> None:
        self.buyer = self.new_buyer(1, path=PATHS[self.flow])
        self.header = self.buyer.sign(standing_offer(self.flow))

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.buyer, self.header)] * self.copies


class SamePaymentThrice(SamePayment):
    """Three connections of one buyer."""

    copies = 3


class UpstreamFails(SamePayment):
    """What is sold answers 500 to whoever asks first."""

    leaves = True

    def prepare(self) -> None:
        super().prepare()
        self.world.upstream.status = 500

    def calm(self) -> None:
        self.world.upstream.status = 200


class Copied(SamePayment):
    """Somebody reads the payment off the pool of the chain and sends it too, without what the chain does not show."""

    def prepare(self) -> None:
        super().prepare()
        message = decode(self.header)
        message["extensions"]["payment-identifier"]["info"].pop("id")
        self.copy = encode(message)
        self.thief = Buyer(self.world, seed=99, identifier="", source=ELSEWHERE)
        self.thieves.append(self.thief)

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.buyer, self.header), self.steal]

    def steal(self) -> None:
        """Wait for the bytes, then send the copy."""
        node = self.world.node
        while not node.seen and self.world.clock.now < START + 30:
            self.world.clock.sleep(0.25)
        self.thief.send(self.copy)


class CopiedAndResent(Copied):
    """The buyer sends twice, the thief once."""

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.buyer, self.header), attempt(self.buyer, self.header), self.steal]


class PaidFirst(SamePayment):
    """The money comes first, and then the one run."""

    flow = "upfront"


class PaidFirstAndFailed(UpstreamFails):
    """The money came, and the one run brings nothing: it is owed, once."""

    flow = "upfront"

    def end(self, jobs: Sequence[Job]) -> None:
        super().end(jobs)
        if len(self.world.rows("RFD#")) != 1:
            raise broken(self, "I7", "what is owed back stands in one row")


class OneBalance(Scene):
    """Two payments of one payer, whose balance is enough for one of them: nothing is served on the other."""

    leaves = True
    payer_spends = True

    def prepare(self) -> None:
        dear = replace(self.world.requirements, amount=1_200_000)
        self.world.routes[0] = self.world.route("weather", "GET", "/weather/{city}", accepts=(dear,))
        self.one = self.new_buyer(1)
        self.other = self.new_buyer(1, path="/weather/rome", first_number=50)
        self.headers = [buyer.sign(buyer.offer()) for buyer in (self.one, self.other)]

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.one, self.headers[0]), attempt(self.other, self.headers[1])]

    def calm(self) -> None:
        if len(self.world.upstream.runs) > 1:
            raise broken(self, "payers", "two payments over one balance were both served")
        self.world.routes[0] = self.world.route("weather", "GET", "/weather/{city}")


class LastPlace(Scene):
    """Two payers, and a route that may be bought once more: one is served, the other is told when to come again."""

    leaves = True
    limit = RateLimit(1, 3600)

    def prepare(self) -> None:
        limited = self.world.route("weather", "GET", "/weather/{city}", limits=RouteLimits(self.limit, self.limit))
        self.world.routes[0] = limited
        self.before()
        self.pair = [self.new_buyer(1), self.new_buyer(2, path="/weather/rome")]
        self.headers = [buyer.sign(buyer.offer()) for buyer in self.pair]
        self.runs = len(self.world.upstream.runs)

    def before(self) -> None:
        """Nobody ever bought it."""

    def jobs(self) -> Sequence[Work]:
        return [attempt(buyer, header) for buyer, header in zip(self.pair, self.headers, strict=True)]

    def calm(self) -> None:
        (bought,) = [row["bought"] for row in self.world.rows("RATE#") if row["pk"].endswith("#")]
        statuses = sorted(buyer.told[-1].answer.status for buyer in self.pair)
        if len(self.world.upstream.runs) - self.runs > 1 or statuses != [200, 429] or bought != 1:
            raise broken(self, "limits", f"one place was left: {statuses}, and the row says {bought}")
        self.world.routes[0] = self.world.route("weather", "GET", "/weather/{city}")


class LastPlaceOfANewWindow(LastPlace):
    """The same, just when a window begins: whoever comes first turns the row over."""

    limit = RateLimit(2, 3600)

    def before(self) -> None:
        self.world.advance(3540 - self.world.clock.now % 3600)
        earlier = self.new_buyer(3)
        earlier.pursue(earlier.sign(earlier.offer()))
        self.world.advance(3600 - self.world.clock.now % 3600)


class TwoBuyers(Scene):
    """Two payments of two payers, settled over one relayer."""

    def prepare(self) -> None:
        self.one, self.other = self.new_buyer(1), self.new_buyer(2)
        self.headers = [buyer.sign(standing_offer()) for buyer in (self.one, self.other)]

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.one, self.headers[0]), attempt(self.other, self.headers[1])]


def settle_again(run: Scene) -> SettleOutcome:
    """Ask settle for the first payment in the ledger, as an owner or a reconcile pass does."""
    payment = run.world.all_payments()[0]
    with run.world.effects.process("asker"):
        return run.world.settles.settle(payment.settle_request(), 8.0)


class OwnerDied(SamePayment):
    """The payment's owner died at its n-th effect: 3 is the call of settle, after the answer was stored."""

    died_at = 3

    def __init__(self) -> None:
        super().__init__({self.died_at: "before"})

    def prepare(self) -> None:
        super().prepare()
        self.buyer.send(self.header)
        self.world.advance(20)


class TwoSettles(OwnerDied):
    """Two askers settle one payment."""

    def jobs(self) -> Sequence[Work]:
        return [lambda: settle_again(self), lambda: settle_again(self)]


class TwoReconcilers(OwnerDied):
    """Two passes meet over a payment whose owner died before it asked settle."""

    def jobs(self) -> Sequence[Work]:
        return [self.world.reconcile, self.world.reconcile]


class TwoReconcilersOverThePaid(TwoReconcilers):
    """The money came first, and the owner died before the run: one of them ends it."""

    flow = "upfront"
    leaves = True
    died_at = 9

    def prepare(self) -> None:
        super().prepare()
        payment = self.world.all_payments()[0]
        if payment.state is not State.SETTLED:
            raise AssertionError(f"the owner was to die once it was paid, not {payment.state}")
        self.world.advance(payment.claim.authorization.valid_before + 1800 - self.world.clock.now)


class TwoReconcilersOverTheUnserved(TwoReconcilers):
    """The same, and the owner died while the upstream ran."""

    died_at = 2


class ResendAndReconcile(OwnerDied):
    """The buyer comes back just when reconcile finds its payment."""

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.buyer, self.header), self.world.reconcile]


class ResendAndReconcileTheUnserved(ResendAndReconcile):
    """The same, and the owner died while the upstream ran."""

    died_at = 2


class TwoResendsAndReconcile(OwnerDied):
    """The buyer comes back on two connections."""

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.buyer, self.header), attempt(self.buyer, self.header), self.world.reconcile]


class SecondPayment(Scene):
    """The first payment was answered 503; its buyer signs another for the same request, and resends the first."""

    def prepare(self) -> None:
        # Short invocations: each poll is a stop.
        self.buyer = self.new_buyer(1, seconds=8.0)
        self.world.node.receipts_hidden_until = START + 14
        self.first = self.buyer.sign(standing_offer())
        self.buyer.send(self.first)
        told = self.buyer.told[-1]
        if told.answer.status != 503:
            raise AssertionError(f"the first was to stay unknown, but {told}")
        self.second = self.buyer.sign(standing_offer())
        self.world.advance(1)

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.buyer, self.first), attempt(self.buyer, self.second)]


class SecondPaymentAndReconcile(SecondPayment):
    """The second payment arrives while reconcile finishes the first."""

    def prepare(self) -> None:
        super().prepare()
        self.world.advance(30)

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.buyer, self.second), self.world.reconcile]


class TwoSecondPayments(SecondPayment):
    """Two second payments at once, of one buyer."""

    def prepare(self) -> None:
        super().prepare()
        self.third = self.buyer.sign(standing_offer())

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.buyer, self.second), attempt(self.buyer, self.third)]


class SlowOwner(SamePayment):
    """The owner stands still for longer than its lease, somebody goes on for it, and then it wakes (fencing)."""

    def jobs(self) -> Sequence[Work]:
        return [attempt(self.buyer, self.header), self.later]

    def later(self) -> None:
        """Past the lease: a pass of reconcile."""
        self.world.clock.sleep(25)
        self.world.reconcile()
