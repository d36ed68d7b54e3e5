"""A remote facilitator that lies, breaks or falls silent: whatever it says, the chain decides (threats 73-77)."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account

from local.chain import Chain
from tests.support.facilitator import Facilitator, OneChain, TimeThatIsSlept, hang_up, reply
from tests.support.odd_answers import ODD, OLD, Answer, drip, late
from tests.support.settling import PRICE, NewWorld, SettleWorld
from tests.support.upstream import CountingUpstream, Handler
from tollgate.facilitator.remote import RemoteSettler
from tollgate.facilitator.remote_turns import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from tollgate.payment.events import Event
from tollgate.payment.settlement import Confirmed, Failed, Pending, SettleOutcome, SettleRequest
from tollgate.wire.primitives import Bytes32
from tollgate.wire.reasons import Reason

SECONDS = 6.0


@dataclass
class Scene:
    """A payment, a facilitator and the settler that asks it."""

    world: SettleWorld
    facilitator: Facilitator
    settler: RemoteSettler
    slept: TimeThatIsSlept
    request: SettleRequest

    def settle(self, timeout: float = SECONDS) -> SettleOutcome:
        """Ask once."""
        return self.settler.settle(self.request, timeout)

    def cold(self, **kwargs: Any) -> RemoteSettler:
        """Another process that settles through the same facilitator."""
        chains = OneChain(self.world.node)
        return self.facilitator.settler(chains, self.world.journal, self.slept.clock, self.slept.sleep, **kwargs)

    def pays_then(self, answer: Callable[[Handler, Answer], None]) -> Callable[[Answer, Handler], None]:
        """What a facilitator does that sends the payment and then answers oddly."""

        def pay(message: Answer, handler: Handler) -> None:
            answer(handler, self.facilitator.success(message, self.facilitator.pay(message)))

        return pay

    def reasons(self) -> list[str]:
        """Why answers were not believed."""
        return [fields["why"] for event, fields in self.world.journal.lines if event is Event.SETTLEMENT_PENDING]


@pytest.fixture
def scene(new_world: NewWorld, chain: Chain) -> Iterator[Scene]:
    """Everything ready, nothing asked yet."""
    world = new_world()
    facilitator = Facilitator(chain)
    slept = TimeThatIsSlept(time.monotonic)
    settler = facilitator.settler(OneChain(chain), world.journal, slept.clock, slept.sleep)
    yield Scene(world, facilitator, settler, slept, world.request(world.payer()))
    facilitator.stop()


@pytest.mark.parametrize("kind", ODD)
def test_a73_a74_a76_an_odd_answer_without_a_payment_is_pending(scene: Scene, kind: str) -> None:
    """Nothing was paid: no answer makes it look paid, and none makes it look impossible."""
    answer, why = ODD[kind]
    scene.facilitator.on_settle = lambda message, handler: answer(handler, scene.facilitator.success(message, OLD))
    assert scene.settle() == Pending()
    assert scene.reasons() == [why]
    assert len(scene.facilitator.posts) == 1
    assert scene.world.earned() == 0


@pytest.mark.parametrize("kind", ODD)
def test_a73_a74_a76_an_odd_answer_after_a_payment_is_confirmed_by_the_chain(scene: Scene, kind: str) -> None:
    """It was paid: the chain shows it, and that the facilitator's own account sent it."""
    scene.facilitator.on_settle = scene.pays_then(ODD[kind][0])
    outcome = scene.settle()
    assert isinstance(outcome, Confirmed)
    assert outcome.ours
    assert [str(outcome.proof.transaction)] == scene.facilitator.sent
    assert len(scene.facilitator.posts) == 1
    assert scene.world.earned() == PRICE


@pytest.mark.parametrize("kind", ODD)
def test_a73_a74_a76_an_odd_answer_before_a_payment_ends_with_that_payment(scene: Scene, kind: str) -> None:
    """It was sent and mines later: pending until then, in another process too, and paid once."""
    scene.facilitator.on_settle = scene.pays_then(ODD[kind][0])
    scene.world.node.stop_mining()
    try:
        first = scene.settle()
        assert isinstance(first, Pending)
        assert scene.world.earned() == 0
    finally:
        scene.world.node.mine_at_once()
    scene.world.node.mine()
    outcome = scene.cold().settle(scene.request, SECONDS)
    assert isinstance(outcome, Confirmed)
    assert outcome.ours
    assert len(scene.facilitator.posts) == len(scene.facilitator.sent) == 1
    assert scene.world.earned() == PRICE


@pytest.mark.parametrize("slow", [late, drip], ids=["late", "drip"])
@pytest.mark.parametrize("paid", [False, True])
def test_a73_a77_an_answer_that_comes_too_slowly_costs_no_more_than_its_time(
    scene: Scene, slow: Callable[[Handler, Answer], None], paid: bool
) -> None:
    """A byte now and then gains no time; the chain says whether it paid."""
    scene.facilitator.on_settle = (
        scene.pays_then(slow)
        if paid
        else lambda message, handler: slow(handler, scene.facilitator.success(message, OLD))
    )
    started = time.monotonic()
    outcome = scene.settle(3.6)
    assert time.monotonic() - started < 3
    assert scene.reasons() == ["timeout"]
    assert isinstance(outcome, Confirmed) is paid
    assert len(scene.facilitator.posts) == 1


def test_a74_success_with_an_old_hash_is_pending(scene: Scene) -> None:
    """A transaction that paid for something else proves nothing here."""
    first, scene.request = scene.request, scene.world.request(scene.world.payer())
    paid = scene.settler.settle(first, SECONDS)
    assert isinstance(paid, Confirmed)
    hash_of_first = paid.proof.transaction
    scene.facilitator.on_settle = lambda message, handler: reply(
        handler, scene.facilitator.success(message, str(hash_of_first))
    )
    assert scene.settle() == Pending(hash_of_first)
    scene.world.advance(3700)
    scene.world.node.mine(scene.world.node.info.confirmations)
    assert scene.settle() == Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED)
    assert scene.world.earned() == PRICE


def test_a73_success_that_the_chain_never_shows_ends_as_the_chain_says(scene: Scene) -> None:
    """Believed by nobody; past its deadline it has failed, and the facilitator is not asked again."""
    scene.facilitator.on_settle = lambda message, handler: reply(handler, scene.facilitator.success(message, OLD))
    assert scene.settle() == Pending(Bytes32.parse(OLD))
    posts = len(scene.facilitator.posts)
    scene.world.advance(3700)
    scene.world.node.mine(scene.world.node.info.confirmations)
    assert scene.settle() == Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED)
    assert len(scene.facilitator.posts) == posts


def test_a75_a_redirect_is_not_followed(scene: Scene) -> None:
    """The host that it names hears nothing; the payment's outcome is unknown."""
    recorder = CountingUpstream()
    try:
        for status in (301, 302, 303, 307, 308):
            scene.facilitator.on_settle = lambda message, handler, status=status: reply(  # type: ignore[misc]
                handler, scene.facilitator.success(message, OLD), status, {"Location": recorder.url + "/settle"}
            )
            assert scene.settle() == Pending()
            scene.slept.sleep(LONGEST_PAUSE_SECONDS)
        assert recorder.runs == 0
        assert len(scene.facilitator.posts) == 5
    finally:
        recorder.stop()


def test_a76_a_pending_settlement_is_asked_for_again_after_a_look_at_the_chain(scene: Scene) -> None:
    """The official retry: the hash is named while it is pending, the chain confirms it, nothing is sent twice."""

    def pending(message: Answer, handler: Handler) -> None:
        sent = scene.facilitator.sent[0] if scene.facilitator.sent else scene.facilitator.pay(message)
        refused = {**scene.facilitator.success(message, sent), "success": False, "errorReason": "settlement_pending"}
        reply(handler, refused)

    scene.facilitator.on_settle = pending
    scene.world.node.stop_mining()
    try:
        first = scene.settle()
        assert first == Pending(Bytes32.parse(scene.facilitator.sent[0]))
        assert scene.settle() == first
        assert len(scene.facilitator.posts) == 1, "not at once"
        scene.slept.sleep(FIRST_PAUSE_SECONDS)
        assert scene.settle() == first
        assert len(scene.facilitator.posts) == 2
    finally:
        scene.world.node.mine_at_once()
    scene.world.node.mine()
    outcome = scene.settle()
    assert isinstance(outcome, Confirmed)
    assert outcome.ours
    assert len(scene.facilitator.posts) == 2
    assert len(scene.facilitator.sent) == 1


def test_no_post_without_a_look_at_the_chain(scene: Scene) -> None:
    """While no RPC endpoint answers nothing leaves: what could not be proven is not paid for either."""

    class NoChain:
        def get(self, network: object) -> None:
            """As if the stack had no endpoint."""

    settler = scene.facilitator.settler(NoChain(), scene.world.journal, scene.slept.clock, scene.slept.sleep)
    assert settler.settle(scene.request, SECONDS) == Pending()
    assert scene.facilitator.posts == []
    assert Event.CHAIN_UNAVAILABLE in scene.world.journal.events()


def test_a77_the_post_ends_in_time_for_a_look_at_the_chain(scene: Scene) -> None:
    """A facilitator that thinks for a minute gets what is left, less what the chain needs."""

    def pay_and_think(message: Answer, handler: Handler) -> None:
        scene.facilitator.pay(message)
        late(handler, {})

    scene.facilitator.on_settle = pay_and_think
    started = time.monotonic()
    outcome = scene.settle(3.6)
    assert isinstance(outcome, Confirmed)
    assert time.monotonic() - started < 3
    assert scene.reasons() == ["timeout"]


def test_a77_too_little_time_for_an_answer_is_not_spent_on_a_question(scene: Scene) -> None:
    """Its answer would be lost: the chain is looked at, the facilitator is left alone."""
    assert scene.settle(2.5) == Pending()
    assert scene.facilitator.posts == []


def test_a51_a_facilitator_that_calls_a_strangers_transaction_its_own_is_taken_at_its_word(scene: Scene) -> None:
    """Whose transaction it was is the one thing that it is trusted with; that it paid is proven."""
    transactions: list[str] = []

    def claim(message: Answer, handler: Handler) -> None:
        transactions.append(scene.world.submit_as_stranger(scene.request))
        reply(handler, scene.facilitator.success(message, transactions[0]))

    scene.facilitator.on_settle = claim
    outcome = scene.settle()
    assert isinstance(outcome, Confirmed)
    assert outcome.ours
    assert str(outcome.proof.transaction) == transactions[0]


def test_a115_a_transaction_that_it_does_not_name_is_not_ours(scene: Scene) -> None:
    """Somebody was faster, and the facilitator says no: paid, but not for whoever asked here."""

    def preempted(message: Answer, handler: Handler) -> None:
        scene.world.submit_as_stranger(scene.request)
        answer = scene.facilitator.success(message, "")
        reply(handler, {**answer, "success": False, "errorReason": "invalid_transaction_state"})

    scene.facilitator.on_settle = preempted
    outcome = scene.settle()
    assert isinstance(outcome, Confirmed)
    assert not outcome.ours


def test_whose_transaction_it_was_is_not_guessed_while_the_facilitator_is_silent(scene: Scene) -> None:
    """Booking it as a stranger's would keep the body from its buyer for good: it stays pending until it is known."""
    scene.facilitator.on_supported = hang_up

    def pay_and_hang_up(message: Answer, handler: Handler) -> None:
        scene.facilitator.pay(message)
        hang_up(handler)

    scene.facilitator.on_settle = pay_and_hang_up
    outcome = scene.settle()
    assert outcome == Pending(Bytes32.parse(scene.facilitator.sent[0]))
    scene.facilitator.on_supported = scene.facilitator.says_what_it_supports
    confirmed = scene.settle()
    assert isinstance(confirmed, Confirmed)
    assert confirmed.ours
    assert len(scene.facilitator.posts) == 1


def test_the_signers_are_asked_for_only_when_needed_and_kept_for_five_minutes(scene: Scene) -> None:
    """A named transaction needs none of them; an outage later does not forget them."""
    assert isinstance(scene.settle(), Confirmed)
    assert scene.facilitator.asked == 0
    assert isinstance(scene.settle(), Confirmed)
    assert isinstance(scene.settle(), Confirmed)
    assert scene.facilitator.asked == 1
    scene.slept.sleep(301)
    scene.facilitator.on_supported = hang_up
    again = scene.settle()
    assert isinstance(again, Confirmed)
    assert again.ours
    assert scene.facilitator.asked == 2


@pytest.mark.parametrize("silent", [False, True])
def test_a_signer_that_is_new_is_not_taken_for_a_stranger(scene: Scene, silent: bool) -> None:
    """It worked once: a list of minutes ago kept the body of a buyer back for good when another key had paid."""
    assert isinstance(scene.settle(), Confirmed)
    assert isinstance(scene.settle(), Confirmed)
    assert scene.facilitator.asked == 1
    scene.facilitator.account = Account.create()
    scene.world.node.give_gas(scene.facilitator.account.address)
    if silent:
        scene.slept.sleep(301)
        scene.facilitator.on_supported = hang_up

    def pay_and_hang_up(message: Answer, handler: Handler) -> None:
        scene.facilitator.pay(message)
        hang_up(handler)

    scene.facilitator.on_settle = pay_and_hang_up
    scene.request = scene.world.request(scene.world.payer())
    outcome = scene.settle()
    if silent:
        assert outcome == Pending(Bytes32.parse(scene.facilitator.sent[-1]))
    else:
        assert isinstance(outcome, Confirmed)
        assert outcome.ours


def test_the_headers_of_the_secret_are_sent_and_never_logged(scene: Scene) -> None:
    """A bearer key reaches the facilitator and nobody else."""
    settler = scene.cold(secret='{"Authorization": "Bearer tg_secret", "X-Api-Key": "k"}')
    assert isinstance(settler.settle(scene.request, SECONDS), Confirmed)
    sent = scene.facilitator.headers[0]
    assert (sent["authorization"], sent["x-api-key"], sent["content-type"]) == (
        "Bearer tg_secret", "k", "application/json",
    )  # fmt: skip
    scene.facilitator.on_settle = lambda _, handler: reply(handler, {"error": "Bearer tg_secret"}, 401)
    other = scene.world.request(scene.world.payer())
    assert settler.settle(other, SECONDS) == Pending()
    assert "tg_secret" not in repr(scene.world.journal.lines)
    assert scene.request.signature.hex() not in repr(scene.world.journal.lines)
