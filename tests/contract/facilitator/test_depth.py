"""Threat 57: how deep a payment must be before it counts as settled is the operator's choice, on a real chain."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.settling import PRICE, NewWorld, SettleWorld
from tollgate.chain.evm import EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.payment.settlement import Confirmed, Pending, SettleRequest
from tollgate.payment.states import SettlementState

DEPTH = 3


@pytest.fixture
def world(new_world: NewWorld) -> Iterator[SettleWorld]:
    """A world that settles at a depth of three blocks."""
    made = new_world()
    made.chain = EvmChain(RpcClient([made.node.url]), replace(made.node.info, settle_depth=DEPTH))
    yield made
    made.node.mine_at_once()


def settle(world: SettleWorld, request: SettleRequest, patience: float = 3.2) -> Any:
    """A call of a fresh process that waits for about a second."""
    return world.service().settle(request, world.deadline(patience))


def state(world: SettleWorld, request: SettleRequest) -> SettlementState:
    """How it stands in the ledger."""
    found = world.ledger().get(request.payment_id)
    assert found is not None
    return found.state


def test_a57_a_payment_that_is_mined_but_not_deep_enough_is_pending_with_its_hash(world: SettleWorld) -> None:
    """Its own block is the first of the depth; nothing is sent again meanwhile, and the last block settles it."""
    request = world.request(world.payer())
    outcome = settle(world, request)
    assert isinstance(outcome, Pending)
    assert outcome.transaction is not None
    assert world.earned() == PRICE
    for _ in range(DEPTH - 1):
        assert settle(world, request) == outcome
        assert state(world, request) is SettlementState.SIGNED
        world.node.mine()
    confirmed = settle(world, request)
    assert isinstance(confirmed, Confirmed)
    assert confirmed.proof.transaction == outcome.transaction
    assert world.signer.signatures == world.mined_nonces() == 1


def test_a57_whoever_waits_is_told_when_it_is_deep_enough(world: SettleWorld) -> None:
    """In the same call, while blocks come."""
    request = world.request(world.payer())
    world.node.mine_every(1)
    confirmed = settle(world, request, 12)
    assert isinstance(confirmed, Confirmed)
    head = int(world.node.rpc("eth_blockNumber"), 16)
    assert head >= confirmed.proof.block_number + DEPTH - 1


@pytest.mark.own_chain
def test_a57_a_reorganisation_below_the_depth_never_was_a_success(world: SettleWorld) -> None:
    """The block is gone before it was deep: it stays open, the bytes are sent again, and it ends once."""
    request = world.request(world.payer())
    snapshot = world.node.rpc("evm_snapshot")
    first = settle(world, request)
    world.node.mine(DEPTH - 2)
    assert settle(world, request) == first
    world.node.rpc("evm_revert", snapshot)
    world.node.mine(DEPTH + 2)
    assert world.earned() == 0
    again = settle(world, request)
    assert isinstance(again, Pending)
    assert state(world, request) is SettlementState.SIGNED
    world.node.mine(DEPTH)
    assert isinstance(settle(world, request), Confirmed)
    assert world.earned() == PRICE
    assert world.mined_nonces() == 1


def test_a57_a_strangers_transaction_has_to_be_as_deep(world: SettleWorld) -> None:
    """Somebody else submitted it: that may be reorganised away too."""
    request = world.request(world.payer())
    world.submit_as_stranger(request)
    assert settle(world, request) == Pending()
    assert world.ledger().get(request.payment_id) is None
    world.node.mine(DEPTH - 1)
    outcome = settle(world, request)
    assert isinstance(outcome, Confirmed)
    assert not outcome.ours


def test_a57_the_default_is_what_is_mined(new_world: NewWorld) -> None:
    """One block, its own."""
    world = new_world()
    assert world.node.info.settle_depth == 1
    assert isinstance(settle(world, world.request(world.payer()), 8), Confirmed)
