"""Several relayers at once: distinct nonces for each, more payments in the same time, and none lost to a bad one."""

import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.settling import PRICE, CountingSigner, NewWorld, SettleWorld
from tollgate.chain.signer import LocalSigner
from tollgate.facilitator.choosing import STUCK_SECONDS
from tollgate.payment.settlement import Confirmed, Pending, SettleRequest

AT_ONCE = 60
RELAYERS = 3


@pytest.fixture
def world(new_world: NewWorld) -> Iterator[SettleWorld]:
    """A world on a chain that mines at once, before and after."""
    made = new_world()
    yield made
    made.node.mine_at_once()


def pool(world: SettleWorld, count: int = RELAYERS) -> list[CountingSigner]:
    """New keys with gas."""
    signers = [CountingSigner(LocalSigner(secrets.token_bytes(32))) for _ in range(count)]
    for signer in signers:
        world.node.give_gas(str(signer.address()))
    return signers


def begins_with(world: SettleWorld, signers: list[CountingSigner], wanted: CountingSigner) -> SettleRequest:
    """A payment whose own relayer is ``wanted``."""
    payer = world.payer()
    while True:
        request = world.request(payer)
        if signers[int(request.payment_id.digest, 16) % len(signers)] is wanted:
            return request


@pytest.mark.parametrize("count", [1, RELAYERS])
def test_a66_sixty_payments_over_a_pool_take_gapless_nonces_of_each(
    world: SettleWorld, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """All are mined, each relayer's nonces are 0, 1, 2, ...; how long it took is printed, not judged."""
    signers: list[Any] = pool(world, count)
    payers = [world.payer() for _ in range(AT_ONCE // 4)]
    requests = [world.request(payers[n % len(payers)]) for n in range(AT_ONCE)]
    services = [world.service(chain=world.new_chain(), signers=signers) for _ in requests]
    world.node.mine_every(1)
    began, deadline = time.monotonic(), world.deadline(90)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        outcomes = list(threads.map(lambda s, r: s.settle(r, deadline), services, requests))
    took = time.monotonic() - began
    world.node.mine_at_once()
    with capsys.disabled():
        rate = AT_ONCE / took
        sys.stdout.write(f"\n{count} relayer(s): {AT_ONCE} settlements in {took:.1f} s, {rate:.1f} a second\n")
    assert all(isinstance(outcome, Confirmed) for outcome in outcomes)
    nonces: dict[str, list[int]] = {}
    for request in requests:
        settlement = world.ledger().get(request.payment_id)
        assert settlement is not None
        assert settlement.slot is not None
        nonces.setdefault(str(settlement.slot.relayer), []).append(settlement.slot.nonce)
    assert set(nonces) == {str(signer.address()) for signer in signers}
    for relayer, taken in nonces.items():
        assert sorted(taken) == list(range(len(taken)))
        assert world.node.transaction_count(relayer) == len(taken)
    assert sum(signer.signatures for signer in signers) == AT_ONCE
    assert world.earned() == AT_ONCE * PRICE


def test_a69_a_relayer_without_gas_strands_no_new_payment(world: SettleWorld) -> None:
    """Those that would begin with it go to the next; with gas again it takes its share again."""
    signers = pool(world)
    empty = signers[1]
    world.node.give_gas(str(empty.address()), 0)
    requests = [begins_with(world, signers, signer) for signer in signers]
    senders = Counter[Any]()
    for request in requests:
        outcome = world.service(signers=list(signers)).settle(request, world.deadline())
        assert isinstance(outcome, Confirmed)
        senders[outcome.proof.sender] += 1
        # Asked again it is still known, though another relayer has it than its digest names.
        assert world.service(signers=list(signers)).settle(request, world.deadline()) == outcome
    assert senders == {signers[0].address(): 1, signers[2].address(): 2}
    world.node.give_gas(str(empty.address()))
    again = world.service(signers=list(signers)).settle(begins_with(world, signers, empty), world.deadline())
    assert isinstance(again, Confirmed)
    assert again.proof.sender == empty.address()


def test_a59_a_relayer_whose_queue_is_stuck_gets_no_new_payment(world: SettleWorld) -> None:
    """What it has begun stays with it and ends there; what is new goes to another until it moves again."""
    signers = pool(world, 2)
    stuck = signers[0]
    first, second, third, fourth = (begins_with(world, signers, stuck) for _ in range(4))
    hidden = world.new_chain()
    hidden.broadcast = lambda *_: None  # type: ignore[method-assign]
    world.service(chain=hidden, signers=list(signers)).settle(first, world.deadline(3))
    # So young a queue may still move: the next one stands behind it.
    world.service(chain=hidden, signers=list(signers)).settle(second, world.deadline(3))
    world.forget(int(STUCK_SECONDS) + 5)
    outcome = world.service(signers=list(signers)).settle(third, world.deadline())
    assert isinstance(outcome, Confirmed)
    assert outcome.proof.sender == signers[1].address()
    for request in (second, first):
        ended = world.service(signers=list(signers)).settle(request, world.deadline())
        assert isinstance(ended, Confirmed)
        assert ended.proof.sender == stuck.address()
    last = world.service(signers=list(signers)).settle(fourth, world.deadline())
    assert isinstance(last, Confirmed)
    assert last.proof.sender == stuck.address()


def test_when_no_relayer_has_gas_a_payment_waits_with_its_own(world: SettleWorld) -> None:
    """Nothing better is there; refilled, it is sent."""
    signers = pool(world, 2)
    for signer in signers:
        world.node.give_gas(str(signer.address()), 0)
    request = begins_with(world, signers, signers[0])
    assert isinstance(world.service(signers=list(signers)).settle(request, world.deadline(3)), Pending)
    world.node.give_gas(str(signers[0].address()))
    outcome = world.service(signers=list(signers)).settle(request, world.deadline())
    assert isinstance(outcome, Confirmed)
    assert outcome.proof.sender == signers[0].address()
