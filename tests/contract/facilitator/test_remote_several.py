"""Several facilitators on a real chain: when the next one is asked, and that it is one payment whoever sends it."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.chain import Chain, calldata
from tests.support.facilitator import Facilitator, OneChain, TimeThatIsSlept, hang_up, reply, settler_of
from tests.support.odd_answers import OLD, Answer, late
from tests.support.settling import PRICE, NewWorld, SettleWorld
from tests.support.upstream import Handler
from tollgate.facilitator.remote import RemoteSettler
from tollgate.facilitator.remote_http import RemoteHttp
from tollgate.facilitator.remote_one import RemoteFacilitator
from tollgate.facilitator.remote_turns import HOLD_SECONDS, STRIKES
from tollgate.payment.events import Event
from tollgate.payment.settlement import Confirmed, Pending, SettleOutcome, SettleRequest

SECONDS = 8.0


@dataclass
class Pair:
    """A payment, two facilitators, and the settler that asks them."""

    world: SettleWorld
    first: Facilitator
    second: Facilitator
    settler: RemoteSettler
    slept: TimeThatIsSlept
    request: SettleRequest

    def settle(self, timeout: float = SECONDS) -> SettleOutcome:
        """Ask once."""
        return self.settler.settle(self.request, timeout)

    def cold(self) -> RemoteSettler:
        """Another process."""
        chains = OneChain(self.world.node)
        return settler_of([self.first, self.second], chains, self.world.journal, self.slept.clock, self.slept.sleep)

    @property
    def posts(self) -> tuple[int, int]:
        """How often each was asked."""
        return len(self.first.posts), len(self.second.posts)


@pytest.fixture
def pair(new_world: NewWorld, chain: Chain) -> Iterator[Pair]:
    """Everything ready, nothing asked yet."""
    world = new_world()
    first, second = Facilitator(chain), Facilitator(chain)
    slept = TimeThatIsSlept(time.monotonic)
    settler = settler_of([first, second], OneChain(chain), world.journal, slept.clock, slept.sleep)
    # As an offer of 60 seconds makes it: no more than that is left.
    yield Pair(world, first, second, settler, slept, world.request(world.payer(), valid_for=60))
    first.stop()
    second.stop()


def refuses(message: Answer, handler: Handler) -> None:
    """A definite no."""
    reply(handler, {"success": False, "errorReason": "unexpected_settle_error", "transaction": "", "network": ""})


def unavailable(message: Answer, handler: Handler) -> None:
    """No, says whatever stands in front of it."""
    handler.answer(503, b"<html>Later</html>")


def paid_by(pair: Pair, facilitator: Facilitator, outcome: SettleOutcome) -> None:
    """Once, and by that one."""
    assert isinstance(outcome, Confirmed), outcome
    assert outcome.ours
    assert outcome.proof.sender == facilitator.address
    assert pair.world.earned() == PRICE
    assert len(pair.first.sent) + len(pair.second.sent) == 1


def test_the_first_is_asked_and_the_second_is_left_alone(pair: Pair) -> None:
    """While the first settles."""
    paid_by(pair, pair.first, pair.settle())
    assert pair.posts == (1, 0)


@pytest.mark.parametrize("no", [refuses, unavailable])
def test_a_refusal_of_a_good_payment_is_taken_to_the_second(pair: Pair, no: Any) -> None:
    """In the same call, after a look at the chain that shows it unused."""
    pair.first.on_settle = no
    paid_by(pair, pair.second, pair.settle())
    assert pair.posts == (1, 1)


def test_a_first_that_cannot_be_reached_costs_nothing(pair: Pair) -> None:
    """No byte of the payment left, so nobody else can have it."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        line = RemoteHttp(url, "", secrets=str, allow_private=True, clock=pair.slept.clock)
        gone = RemoteFacilitator("gone", line, pair.world.journal, pair.slept.clock)
        there = pair.second.seen_from(pair.world.journal, pair.slept.clock, "", alone=False)
        chains = OneChain(pair.world.node)
        network = pair.world.node.info.network
        settler = RemoteSettler(
            [gone, there], chains, [network], pair.world.journal, clock=pair.slept.clock, sleep=pair.slept.sleep
        )
        paid_by(pair, pair.second, settler.settle(pair.request, SECONDS))


def test_a_refusal_that_is_the_payers_own_fault_is_taken_to_nobody(pair: Pair) -> None:
    """The chain would not take it either: the second would only be made to refuse, too."""
    payer, node = pair.world.payer(), pair.world.node
    pair.request = pair.world.request(payer, valid_for=60)
    node.rpc("anvil_impersonateAccount", payer.address)
    node.give_gas(payer.address)
    data = calldata("transfer(address,uint256)", pair.first.account.address, node.balance(payer.address))
    node.rpc("eth_sendTransaction", {"from": payer.address, "to": node.token, "data": data})
    assert pair.settle() == Pending()
    assert pair.posts == (1, 0)


def unsure(pair: Pair) -> dict[str, Any]:
    """Answers after which the first may still be at work."""
    return {
        "silence": lambda _, handler: hang_up(handler),
        "redirect": lambda message, handler: reply(handler, {}, 307, {"Location": "/settle"}),
        "gateway timeout": lambda message, handler: handler.answer(504, b"<html>"),
        "pending": lambda message, handler: reply(
            handler, {**pair.first.success(message, OLD), "success": False, "errorReason": "settlement_pending"}
        ),
        "a lie": lambda message, handler: reply(handler, pair.first.success(message, OLD)),
        "slow": lambda _, handler: late(handler, {}),
    }


@pytest.mark.parametrize("kind", ["silence", "redirect", "gateway timeout", "pending", "a lie", "slow"])
def test_one_that_may_be_at_work_is_left_alone_with_it(pair: Pair, kind: str) -> None:
    """For half a minute the second is not asked; then it is, and there is one payment."""
    pair.first.on_settle = unsure(pair)[kind]
    seconds = 3.6 if kind == "slow" else SECONDS
    assert isinstance(pair.settle(seconds), Pending)
    pair.slept.sleep(6)
    assert isinstance(pair.settle(seconds), Pending)
    assert pair.posts == (2, 0)
    pair.slept.sleep(HOLD_SECONDS)
    paid_by(pair, pair.second, pair.settle())
    assert pair.posts == (2, 1)


def test_the_second_is_known_by_its_signers_too(pair: Pair) -> None:
    """Its answer is lost: the transaction is ours all the same, and the buyer gets the body."""
    pair.first.on_settle = refuses

    def pay_and_hang_up(message: Answer, handler: Handler) -> None:
        pair.second.pay(message)
        hang_up(handler)

    pair.second.on_settle = pay_and_hang_up
    paid_by(pair, pair.second, pair.settle())


def test_both_at_work_make_one_payment(pair: Pair) -> None:
    """The first falls silent, and sends after the second was asked: whichever mines first, the other reverts."""
    pair.first.on_settle = lambda _, handler: hang_up(handler)
    assert isinstance(pair.settle(), Pending)
    pair.slept.sleep(HOLD_SECONDS)

    def both(message: Answer, handler: Handler) -> None:
        pair.first.pay(message)
        sent = pair.second.pay(message)
        reply(handler, pair.second.success(message, sent))

    pair.second.on_settle = both
    outcome = pair.settle()
    assert isinstance(outcome, Confirmed)
    assert outcome.ours, "whichever of the two it was"
    assert outcome.proof.sender == pair.first.address
    assert pair.world.earned() == PRICE


def test_another_process_begins_with_the_second_when_the_payment_is_old(pair: Pair) -> None:
    """Reconcile has not seen what the first answered to the proxy, but that it was not paid in half a minute."""
    pair.first.on_settle = lambda _, handler: hang_up(handler)
    assert isinstance(pair.settle(), Pending)
    pair.world.advance(int(HOLD_SECONDS) + 2)
    paid_by(pair, pair.second, pair.cold().settle(pair.request, SECONDS))
    assert pair.posts == (1, 1)


def test_a_first_that_keeps_refusing_is_asked_last_and_offers_stay(pair: Pair) -> None:
    """Five payments of several payers later buyers no longer wait for its refusal."""
    pair.first.on_settle = refuses
    for _ in range(STRIKES):
        pair.request = pair.world.request(pair.world.payer(), valid_for=60)
        assert isinstance(pair.settle(), Confirmed)
    assert pair.posts == (STRIKES, STRIKES)
    pair.request = pair.world.request(pair.world.payer(), valid_for=60)
    assert isinstance(pair.settle(), Confirmed)
    assert pair.posts == (STRIKES, STRIKES + 1)
    assert pair.world.journal.events().count(Event.FACILITATOR_SKIPPED) == 1
    (network,) = (pair.settler.relayers(5) or {})["networks"]
    assert network["hasGas"] is True
    assert {r["address"] for r in network["relayers"]} == {str(pair.first.address), str(pair.second.address)}


def test_when_all_keep_refusing_the_network_leaves_the_offers_and_comes_back(pair: Pair) -> None:
    """What is open is still asked for; nobody new is let in to run the upstream for nothing."""
    pair.first.on_settle = pair.second.on_settle = refuses
    for _ in range(STRIKES):
        pair.request = pair.world.request(pair.world.payer(), valid_for=60)
        assert pair.settle() == Pending()
    (network,) = (pair.settler.relayers(5) or {})["networks"]
    assert network["hasGas"] is False
    pair.second.on_settle = pair.second.honest
    pair.slept.sleep(10)
    assert isinstance(pair.settle(), Confirmed)
    (network,) = (pair.settler.relayers(5) or {})["networks"]
    assert network["hasGas"] is True


def test_one_that_is_asked_again_and_again_is_given_a_rest(pair: Pair) -> None:
    """A call of half a minute asks three times, not eight: README's weakness of the first version."""
    alone = settler_of([pair.first], OneChain(pair.world.node), pair.world.journal, pair.slept.clock, pair.slept.sleep)
    pair.first.on_settle = refuses
    ends = pair.slept.clock() + 24
    while (left := ends - pair.slept.clock()) > 1:
        assert alone.settle(pair.request, left) == Pending()
        pair.slept.sleep(1)
    assert pair.posts == (3, 0)
