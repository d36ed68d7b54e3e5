"""Anything in any order: purchases, resends, thieves, strangers, faults, time; then all is healed, and must end.

Hypothesis chooses the steps. What must hold is watched while they are made (write-ahead, I5, I8, I10), and I1 to I14
are read off the end, once reconcile has been left alone with a world that works again.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

pytest.importorskip("pyrevm", reason="the token in process needs pyrevm: CPython 3.11 or 3.12 on x86-64")

from tests.crash.scenarios import STRANGER, payer_cancels, payer_drains, send_from, transfer_of
from tests.crash.walk import PATHS, Run, Scenario, standing_offer
from tests.interleavings.report import FULL, keep
from tests.support.buyer import decode, encode
from tests.support.fakes.client import MOST_SIGN_INS, Buyer, payment_id
from tests.support.fakes.node import BASE_FEE
from tests.support.world import ELSEWHERE, WEI
from tollgate.payment.record import Payment
from tollgate.payment.states import State

MOST_BUYERS = 5
_STEPS: dict[str, dict[str, int]] = {}


class Purchases(RuleBasedStateMachine):
    """Several purchases, one wallet each, on routes of one flow."""

    flow = "authorization"

    def __init__(self) -> None:
        super().__init__()
        scenario = Scenario("machine", "", buyer_leaves=True, payer_spends=True, aws_fails=True, flow=self.flow)
        self.run = Run(scenario, {})
        self.headers: list[str] = [self.run.header]
        self.signed_in = [0]
        self.count("examples")

    def count(self, step: str) -> None:
        """For the figures."""
        steps = _STEPS.setdefault(self.flow, {})
        steps[step] = steps.get(step, 0) + 1

    # Buyers.

    @rule()
    def buy(self) -> None:
        """Somebody new signs and sends."""
        if len(self.run.buyers) > MOST_BUYERS:
            return
        self.count("purchases")
        buyer = self.run.new_buyer(10 + len(self.run.buyers), path=PATHS[self.flow])
        self.run.buyers.append(buyer)
        self.headers.append(buyer.sign(standing_offer(self.flow)))
        self.signed_in.append(0)
        self.send(len(self.headers) - 1)

    @rule(which=st.integers(0, MOST_BUYERS))
    def go_on(self, which: int) -> None:
        """A buyer does what the rules say next: resend, sign again once told to, or show the wallet."""
        self.count("resends")
        self.send(which % len(self.headers))

    def send(self, which: int) -> None:
        """As ``Buyer.pursue``, one exchange at a time."""
        buyer = self.run.buyers[which]
        last = buyer.told[-1] if buyer.told else None
        how = None
        if buyer.body is not None:
            return
        if last is not None and last.offer is not None:
            if len(buyer.signed) >= buyer.most_signatures:
                return
            self.headers[which] = buyer.sign(last.offer)
        elif last is not None and last.code == "payment_already_used" and self.signed_in[which] < MOST_SIGN_INS:
            self.signed_in[which] += 1
            how = buyer.sign_in(last.answer_body()["details"]["signIn"])
        told = buyer.send(self.headers[which], how)
        if 200 <= told.answer.status < 300:
            buyer.body = told.answer.body

    @rule(which=st.integers(0, MOST_BUYERS))
    def pay_again(self, which: int) -> None:
        """A buyer who does not follow the rules: told 503, it signs another payment for the same request."""
        which %= len(self.headers)
        buyer = self.run.buyers[which]
        last = buyer.told[-1] if buyer.told else None
        if last is None or last.answer.status != 503 or len(buyer.signed) >= buyer.most_signatures:
            return
        self.count("second payments")
        self.headers[which] = buyer.sign(standing_offer(self.flow))
        self.send(which)

    # Others.

    def known(self, which: int) -> Payment | None:
        """How a purchase's present payment stands."""
        return self.run.world.payments.get(payment_id(self.headers[which % len(self.headers)]))

    def at(self, which: int) -> Run:
        """The run, for acts that mean its first buyer."""
        which %= len(self.headers)
        self.run.buyer, self.run.header = self.run.buyers[which], self.headers[which]
        return self.run

    @rule(which=st.integers(0, MOST_BUYERS))
    def steal(self, which: int) -> None:
        """What the chain shows of a payment is sent from elsewhere: never a body."""
        if self.known(which) is None:
            # A payment that never arrived is whoever's first brings it.
            return
        self.count("thefts")
        message = decode(self.headers[which % len(self.headers)])
        message["extensions"]["payment-identifier"]["info"].pop("id")
        thief = Buyer(self.run.world, seed=99, identifier="", source=ELSEWHERE, path=PATHS[self.flow])
        told = thief.send(encode(message))
        assert b"paid-body" not in told.answer.body, f"a thief got the body: {told}\n{self.run.story()}"

    @rule(which=st.integers(0, MOST_BUYERS))
    def submit(self, which: int) -> None:
        """Somebody else puts a payment on chain that we know."""
        if self.known(which) is not None:
            self.count("strangers")
            run = self.at(which)
            with suppress(ValueError):
                send_from(run, STRANGER, transfer_of(run), first=True)

    @rule(which=st.integers(0, MOST_BUYERS))
    def cancel(self, which: int) -> None:
        """A payer cancels."""
        self.count("cancellations")
        with suppress(ValueError):
            payer_cancels(self.at(which))

    @rule(which=st.integers(0, MOST_BUYERS), back=st.booleans())
    def drain(self, which: int, back: bool) -> None:
        """A payer's money goes, or comes back."""
        self.count("drains and refills")
        run = self.at(which)
        if back:
            run.world.node.catch_up()
            run.world.node.mint(str(run.buyer.address), 1_000_000)
            return
        with suppress(ValueError):
            payer_drains(run)

    # The world.

    @rule(seconds=st.sampled_from([2, 7, 20, 61, 130]))
    def wait(self, seconds: int) -> None:
        """Time passes, and reconcile runs on its schedule."""
        self.count("waits")
        self.run.wait(seconds)

    @rule()
    def reconcile(self) -> None:
        """One pass more than the schedule says."""
        self.count("passes")
        self.run.reconcile()

    @rule(ahead=st.integers(0, 25), when=st.sampled_from(["before", "after"]))
    def kill(self, ahead: int, when: str) -> None:
        """Whoever makes that effect dies of it."""
        self.count("kills")
        effects = self.run.world.effects
        effects.plan[len(effects.log) + ahead] = when

    @rule(ahead=st.integers(0, 12), fault=st.sampled_from(["echo", "lost", "refuse"]))
    def fail_dynamo(self, ahead: int, fault: str) -> None:
        """A write is done and its answer lost, done twice, or refused."""
        self.count("DynamoDB faults")
        effects = self.run.world.effects
        done = sum(effect.kind == "dynamo" for effect in effects.log)
        effects.script["dynamo", done + ahead] = fault

    @rule(ahead=st.integers(0, 2), kind=st.sampled_from(["invoke", "send"]))
    def lose(self, ahead: int, kind: str) -> None:
        """An answer of settle's, or of a node's, is lost on its way."""
        self.count("lost answers")
        effects = self.run.world.effects
        done = sum(effect.kind == kind for effect in effects.log)
        effects.script[kind, done + ahead] = "lost"

    @rule(down=st.booleans())
    def chain(self, down: bool) -> None:
        """No RPC endpoint answers, or all do again."""
        self.count("RPC outages")
        self.run.world.node.down = down

    @rule(times=st.sampled_from([1, 1, 3, 50]))
    def fees(self, times: int) -> None:
        """What a block asks."""
        self.count("fee changes")
        self.run.world.node.base_fee = BASE_FEE * times

    @rule(mines=st.booleans())
    def mining(self, mines: bool) -> None:
        """Blocks take no transaction of anybody's, or do again."""
        self.count("mining stopped or started")
        self.run.world.node.takes = mines

    @rule(every=st.sampled_from([0, 2, 3]))
    def throttle(self, every: int) -> None:
        """DynamoDB throttles one request in so many, or none."""
        self.count("throttling changes")
        self.run.world.dynamo.throttle = one_in(every) if every else None

    @rule(wei=st.sampled_from([0, WEI]))
    def gas(self, wei: int) -> None:
        """The relayer's tank."""
        self.count("gas changes")
        self.run.world.node.give_gas(str(self.run.world.signer.address()), wei)

    @precondition(lambda self: all(p.state is not State.PAID_UNSERVED for p in self.run.world.all_payments()))
    @rule(depth=st.integers(1, 3), drop=st.booleans())
    def reorganise(self, depth: int, drop: bool) -> None:
        """The last blocks go. Not while money for nothing is on the books: that is only written down once final."""
        self.count("reorganisations")
        self.run.world.node.reorganise(depth, drop=drop)

    @invariant()
    def nothing_is_broken(self) -> None:
        """What is watched at every effect and every answer."""
        for breach in self.run.watch.breaches:
            raise breach

    def teardown(self) -> None:
        """Heal, let reconcile finish, and check everything."""
        world = self.run.world
        world.node.down = False
        world.node.base_fee = BASE_FEE
        world.node.takes = True
        world.dynamo.throttle = None
        world.node.give_gas(str(world.signer.address()), WEI)
        world.effects.plan = dict(world.effects.fired)
        world.effects.script.clear()
        self.run.buyer, self.run.header = self.run.buyers[0], self.headers[0]
        self.run.wait(900)
        self.run.check()


def one_in(every: int) -> Callable[[str], bool]:
    """Says of every so many-th request that it is too much."""
    seen = 0

    def throttle(_operation: str) -> bool:
        nonlocal seen
        seen += 1
        return seen % every == 0

    return throttle


class PurchasesUpfront(Purchases):
    """The same where settling comes first."""

    flow = "upfront"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("machine", [Purchases, PurchasesUpfront], ids=["authorization", "upfront"])
def test_whatever_happens_everything_ends_and_the_promises_hold(machine: Any) -> None:
    """In `make test` a few dozen stories, the same every time; in `make interleavings` hundreds."""
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=250 if FULL else 60,
            stateful_step_count=30 if FULL else 16,
            derandomize=True,
            deadline=None,
            database=None,
            # A breach prints the world's whole history; a shorter story is looked for in the full run only.
            phases=tuple(Phase) if FULL else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    if FULL:
        keep(f"state machine, {machine.flow}", _STEPS[machine.flow])
