"""Settle dies at every step; whoever calls next, in a fresh process, ends it with one transfer and no gap."""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.support.settling import PRICE, CountingSigner, Crash, Dying, NewWorld, SettleWorld, dies
from tollgate.chain.signer import LocalSigner
from tollgate.errors import ChainUnavailable
from tollgate.facilitator.settle import SettleService
from tollgate.payment.settlement import Confirmed, Failed, Pending
from tollgate.payment.states import SettlementState
from tollgate.wire.reasons import Reason

LEASE_RUN_OUT = 60

# Where the process dies: the port, its method, and whether the effect happened.
STEPS = [
    ("ledger", "reserve", False),
    ("ledger", "reserve", True),
    ("signer", "sign", False),
    ("signer", "sign", True),
    ("ledger", "store_bytes", False),
    ("ledger", "store_bytes", True),
    ("chain", "broadcast", False),
    ("chain", "broadcast", True),
    ("ledger", "conclude", False),
    ("ledger", "conclude", True),
]
STEP_IDS = [f"{'after' if after else 'before'}-{method}" for _, method, after in STEPS]


def dying_service(world: SettleWorld, port: str, method: str, after: bool) -> SettleService:
    """A process that dies at one step."""
    ports: dict[str, Any] = {"ledger": world.ledger(), "chain": world.chain, "signer": world.signer}
    ports[port] = Dying(ports[port], method, after=after)
    return world.service(ledger=ports["ledger"], chain=ports["chain"], signers=[ports["signer"]])


@pytest.mark.parametrize(("port", "method", "after"), STEPS, ids=STEP_IDS)
def test_a105_a_crash_at_any_step_ends_with_one_transfer_and_no_gap(
    new_world: NewWorld, port: str, method: str, after: bool
) -> None:
    """The resend after the lease finishes it; the next payment mines right behind."""
    world = new_world()
    request = world.request(world.payer())
    service = dying_service(world, port, method, after)
    dies(lambda: service.settle(request, world.deadline()))
    world.forget(LEASE_RUN_OUT)
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)
    assert world.earned() == PRICE
    assert isinstance(world.service().settle(world.request(world.payer()), world.deadline()), Confirmed)
    assert world.mined_nonces() == world.next_nonce() == 2


@pytest.mark.parametrize(("port", "method", "after"), STEPS, ids=STEP_IDS)
def test_a105_a_crash_and_one_more_during_recovery_still_end_with_one_transfer(
    new_world: NewWorld, port: str, method: str, after: bool
) -> None:
    """The process that takes over dies at each step in turn, too."""
    for next_port, next_method, next_after in STEPS[2:]:
        world = new_world()
        request = world.request(world.payer())
        first = dying_service(world, port, method, after)
        dies(partial(first.settle, request, world.deadline()))
        world.forget(LEASE_RUN_OUT)
        second = dying_service(world, next_port, next_method, next_after)
        with suppress(Crash):
            second.settle(request, world.deadline())
        world.forget(LEASE_RUN_OUT)
        assert isinstance(world.service().settle(request, world.deadline()), Confirmed)
        assert world.earned() == PRICE
        assert world.mined_nonces() == world.next_nonce() == 1


@pytest.mark.parametrize(("port", "method", "after"), STEPS[:6], ids=STEP_IDS[:6])
def test_a67_a_dead_reservation_does_not_block_a_later_payment(
    new_world: NewWorld, port: str, method: str, after: bool
) -> None:
    """Whoever comes next finishes what blocks him, once its lease has run out, and is settled himself."""
    world = new_world()
    dead = world.request(world.payer())
    service = dying_service(world, port, method, after)
    dies(lambda: service.settle(dead, world.deadline()))
    world.forget(LEASE_RUN_OUT)
    later = world.request(world.payer())
    assert isinstance(world.service().settle(later, world.deadline()), Confirmed)
    assert isinstance(world.service().settle(dead, world.deadline()), Confirmed)
    assert world.earned() == 2 * PRICE
    assert world.mined_nonces() == world.next_nonce() == 2


def test_a67_an_expired_dead_reservation_is_filled_and_its_payment_fails_by_expiry(
    new_world: NewWorld,
) -> None:
    """A transfer of nothing uses up the nonce; the payment itself ends when it has expired at depth."""
    world = new_world()
    dead = world.request(world.payer(), valid_for=100)
    service = dying_service(world, "ledger", "reserve", True)
    dies(lambda: service.settle(dead, world.deadline()))
    world.advance(200)
    later = world.request(world.payer())
    assert isinstance(world.service().settle(later, world.deadline()), Confirmed)
    stored = world.ledger().get(dead.payment_id)
    assert stored is not None
    assert stored.filler
    assert world.mined_nonces() == 2
    assert world.service().settle(dead, world.deadline()) == Pending()
    world.node.mine(world.node.info.confirmations)
    assert world.service().settle(dead, world.deadline()) == Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED)
    assert world.earned() == PRICE


def test_a67_a_dead_reservation_whose_payment_was_used_by_another_fills_its_own_nonce(
    new_world: NewWorld,
) -> None:
    """No transfer is signed that could only revert, and the proof of the other one is stored."""
    world = new_world()
    request = world.request(world.payer())
    service = dying_service(world, "ledger", "reserve", True)
    dies(lambda: service.settle(request, world.deadline()))
    world.submit_as_stranger(request)
    world.forget(LEASE_RUN_OUT)
    outcome = world.service().settle(request, world.deadline())
    assert isinstance(outcome, Confirmed)
    assert not outcome.ours
    assert world.mined_nonces() == world.next_nonce() == 1
    stored = world.ledger().get(request.payment_id)
    assert stored is not None
    assert (stored.state, stored.filler) == (SettlementState.CONFIRMED, True)


def test_a_live_reservation_is_left_to_its_owner(new_world: NewWorld) -> None:
    """Before the lease has run out nobody else signs: Pending, and the later payment is Pending behind it."""
    world = new_world()
    request = world.request(world.payer())
    service = dying_service(world, "ledger", "reserve", True)
    dies(lambda: service.settle(request, world.deadline()))
    assert world.service().settle(request, world.deadline()) == Pending()
    assert world.signer.signatures == 0
    later = world.request(world.payer())
    outcome = world.service().settle(later, world.deadline(patience=5))
    assert isinstance(outcome, Pending)
    assert outcome.transaction is not None
    assert world.signer.signatures == 1
    world.forget(LEASE_RUN_OUT)
    assert isinstance(world.service().settle(later, world.deadline()), Confirmed)
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)


def test_signed_bytes_of_a_dead_owner_are_sent_by_the_next_payment_without_another_signature(
    new_world: NewWorld,
) -> None:
    """What is SIGNED needs no lease to run out: the same bytes go out ahead of the later payment's."""
    world = new_world()
    first = world.request(world.payer())
    service = dying_service(world, "chain", "broadcast", False)
    dies(lambda: service.settle(first, world.deadline()))
    later = world.request(world.payer())
    assert isinstance(world.service().settle(later, world.deadline()), Confirmed)
    assert world.signer.signatures == 2
    assert isinstance(world.service().settle(first, world.deadline()), Confirmed)
    assert world.signer.signatures == 2


def test_a_hole_that_no_settlement_has_is_filled(new_world: NewWorld) -> None:
    """A counter that ran ahead of the chain (a wrong RPC answer, a hand) does not block the relayer."""
    world = new_world()
    prepare = world.chain.prepare

    def three_too_high(*args: Any) -> Any:
        found = prepare(*args)
        return replace(found, chain_nonce=found.chain_nonce + 3)

    world.chain.prepare = three_too_high  # type: ignore[method-assign, assignment]
    request = world.request(world.payer())
    world.service().settle(request, world.deadline(patience=5))
    world.chain.prepare = prepare  # type: ignore[method-assign]
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)
    assert world.mined_nonces() == world.next_nonce() == 4
    assert world.earned() == PRICE


def test_the_first_nonce_is_the_chains_when_the_relayer_was_used_before(new_world: NewWorld) -> None:
    """max(stored, chain): a key with history, or a table that was lost, starts where the chain is."""
    world = new_world()
    assert isinstance(world.service().settle(world.request(world.payer()), world.deadline()), Confirmed)
    fresh = new_world()
    fresh.signer, fresh.relayer = world.signer, world.relayer
    assert isinstance(fresh.service().settle(fresh.request(fresh.payer()), fresh.deadline()), Confirmed)
    assert fresh.mined_nonces() == fresh.next_nonce() == 2


class _Silent:
    """A chain that answers nothing from now on."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise ChainUnavailable("no endpoint answered")

        return refuse


def test_without_an_rpc_a_known_payment_keeps_its_outcome_and_an_unknown_one_is_pending(
    new_world: NewWorld,
) -> None:
    """Nothing is reserved blindly, and what is proven stays proven."""
    world = new_world()
    settled = world.request(world.payer())
    outcome = world.service().settle(settled, world.deadline())
    blind = world.service(chain=_Silent())
    assert blind.settle(settled, world.deadline()) == outcome
    assert blind.settle(world.request(world.payer()), world.deadline()) == Pending()
    assert world.next_nonce() == 1


def test_with_several_relayers_a_payment_stays_with_its_own(new_world: NewWorld) -> None:
    """While all can take it the payment's digest picks the relayer, so a resend meets the same queue."""
    world = new_world()
    signers = [world.signer, *(CountingSigner(LocalSigner(bytes(31) + bytes([n]))) for n in (7, 8))]
    before = {}
    for signer in signers:
        world.node.give_gas(str(signer.address()))
        before[signer] = world.node.transaction_count(str(signer.address()))
    for _ in range(6):
        request = world.request(world.payer())
        outcome = world.service(signers=list(signers)).settle(request, world.deadline())
        assert isinstance(outcome, Confirmed)
        expected = signers[int(request.payment_id.digest, 16) % 3]
        assert outcome.proof.sender == expected.address()
        before[expected] += 1
    for signer in signers:
        assert world.node.transaction_count(str(signer.address())) == before[signer]
