"""One Protocol, two settlers: our own settle and a remote facilitator keep the same promises (rules 1, 2, 5, 12)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.chain import Chain
from tests.support.facilitator import Facilitator, OneChain, TimeThatIsSlept
from tests.support.settling import PRICE, NewWorld, SettleWorld
from tollgate.facilitator.settle import SettleService
from tollgate.gateway.ports import Settler
from tollgate.payment.settlement import Confirmed, Failed, Pending, SettleOutcome, SettleRequest
from tollgate.wire.reasons import Reason


@dataclass(frozen=True)
class Own:
    """Our settle, asked as the function is: with a timeout."""

    world: SettleWorld
    service: SettleService

    def settle(self, request: SettleRequest, timeout: float) -> SettleOutcome:
        """Settle in this process."""
        return self.service.settle(request, self.world.clock() + timeout)


@dataclass
class Side:
    """A world and who settles in it. ``sent`` counts the mined transactions of whoever pays gas."""

    world: SettleWorld
    settler: Settler
    relayer: str

    def settle(self, request: SettleRequest, timeout: float = 8.0) -> SettleOutcome:
        """Ask once."""
        return self.settler.settle(request, timeout)

    @property
    def sent(self) -> int:
        """How many transactions it has mined."""
        return self.world.node.transaction_count(self.relayer)


@pytest.fixture(params=["own", "remote"])
def side(request: pytest.FixtureRequest, new_world: NewWorld, chain: Chain) -> Iterator[Side]:
    """Both, one after the other."""
    world = new_world()
    if request.param == "own":
        yield Side(world, Own(world, world.service()), str(world.relayer))
        return
    facilitator = Facilitator(chain)
    slept = TimeThatIsSlept(time.monotonic)
    settler: Any = facilitator.settler(OneChain(chain), world.journal, slept.clock, slept.sleep)
    yield Side(world, settler, facilitator.account.address)
    facilitator.stop()


def test_a_payment_is_settled_once_however_often_it_is_asked_for(side: Side) -> None:
    """The seller is paid by one transaction, and every answer names it."""
    request = side.world.request(side.world.payer())
    first = side.settle(request)
    assert isinstance(first, Confirmed)
    assert first.ours
    assert str(first.proof.sender) == side.relayer
    assert side.settle(request) == first
    assert side.sent == 1
    assert side.world.earned() == PRICE


def test_a51_somebody_elses_transaction_is_confirmed_but_not_ours(side: Side) -> None:
    """The money reached the seller: nothing more is sent."""
    request = side.world.request(side.world.payer())
    transaction = side.world.submit_as_stranger(request)
    outcome = side.settle(request)
    assert isinstance(outcome, Confirmed)
    assert not outcome.ours
    assert str(outcome.proof.transaction) == transaction
    assert side.sent == 0


def test_a52_a_cancelled_authorization_has_failed_once_that_is_deep(side: Side) -> None:
    """Used without our Transfer is proof that it can never be paid; before its depth it is unknown."""
    payer = side.world.payer()
    request = side.world.request(payer)
    side.world.cancel(payer, request)
    assert isinstance(side.settle(request, 4.0), Pending)
    side.world.node.mine(side.world.node.info.confirmations)
    assert side.settle(request) == Failed(Reason.AUTHORIZATION_CANCELLED)
    assert side.sent == 0


def test_a47_a_drained_balance_is_pending_until_the_authorization_expired_at_depth(side: Side) -> None:
    """After a refill anyone could submit it again, whatever a facilitator says about it now."""
    payer = side.world.payer()
    request = side.world.request(payer, valid_for=100)
    side.world.node.send("drain(address)", payer.address)
    assert side.settle(request, 4.0) == Pending()
    side.world.advance(200)
    assert side.settle(request, 4.0) == Pending()
    side.world.node.mine(side.world.node.info.confirmations)
    assert side.settle(request) == Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED)
    assert side.world.earned() == 0


def test_a54_a_transaction_that_does_not_mine_is_pending_with_its_hash_then_confirmed(side: Side) -> None:
    """And it stays the only one."""
    request = side.world.request(side.world.payer())
    side.world.node.stop_mining()
    try:
        outcome = side.settle(request, 4.0)
    finally:
        side.world.node.mine_at_once()
    assert isinstance(outcome, Pending)
    assert outcome.transaction is not None
    side.world.node.mine()
    again = side.settle(request)
    assert isinstance(again, Confirmed)
    assert again.ours
    assert again.proof.transaction == outcome.transaction
    assert side.sent == 1
