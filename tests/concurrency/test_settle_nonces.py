"""Many settles at once over one relayer: distinct, gapless nonces, and one signature for each payment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.support.settling import PRICE, Dying, NewWorld, dies
from tollgate.payment.settlement import Confirmed, Pending, SettleOutcome

AT_ONCE = 16


def all_at_once(calls: list[Callable[[], SettleOutcome]]) -> list[SettleOutcome]:
    """Run the calls from threads that start together."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], SettleOutcome]) -> SettleOutcome:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.parametrize("block_seconds", [0, 1], ids=["instant-blocks", "one-second-blocks"])
def test_a66_sixteen_payments_at_once_take_sixteen_nonces_and_sixteen_signatures(
    new_world: NewWorld, block_seconds: int
) -> None:
    """Every payment is confirmed by a transaction of its own; no nonce is skipped or signed for twice."""
    world = new_world()
    requests = [world.request(world.payer()) for _ in range(AT_ONCE)]
    if block_seconds:
        world.node.mine_every(block_seconds)
    services = [world.service(chain=world.new_chain()) for _ in requests]
    deadline = world.deadline(30)
    try:
        outcomes = all_at_once([partial(s.settle, r, deadline) for s, r in zip(services, requests, strict=True)])
    finally:
        world.node.mine_at_once()
    confirmed = [o for o in outcomes if isinstance(o, Confirmed)]
    assert len(confirmed) == AT_ONCE
    assert len({o.proof.transaction for o in confirmed}) == AT_ONCE
    settlements = [world.ledger().get(r.payment_id) for r in requests]
    assert sorted(s.slot.nonce for s in settlements if s and s.slot) == list(range(AT_ONCE))
    assert world.signer.signatures == AT_ONCE
    assert world.mined_nonces() == world.next_nonce() == AT_ONCE
    assert world.earned() == AT_ONCE * PRICE


def test_a39_eight_calls_for_one_payment_at_once_send_one_transaction(new_world: NewWorld) -> None:
    """One reserves; the others say Pending or the same outcome, and nothing is paid twice."""
    world = new_world()
    request = world.request(world.payer())
    services = [world.service(chain=world.new_chain()) for _ in range(8)]
    deadline = world.deadline()
    outcomes = all_at_once([partial(s.settle, request, deadline) for s in services])
    final = world.service().settle(request, world.deadline())
    assert isinstance(final, Confirmed)
    assert all(o == final or isinstance(o, Pending) for o in outcomes)
    assert world.signer.signatures == world.mined_nonces() == world.next_nonce() == 1
    assert world.earned() == PRICE


def test_a67_eight_takers_of_one_dead_reservation_broadcast_the_same_bytes(new_world: NewWorld) -> None:
    """Several may sign for the dead; only the bytes that were stored first are ever sent."""
    # KMS signs with a random k: two signatures of one transaction are two different transactions
    world = new_world(kms=True)
    request = world.request(world.payer())
    dying = world.service(ledger=Dying(world.ledger(), "reserve", after=True))
    dies(lambda: dying.settle(request, world.deadline()))
    world.forget(60)
    sent: set[bytes] = set()
    services = []
    for _ in range(8):
        chain = world.new_chain()
        broadcast = chain.broadcast

        def recording(raw: bytes, timeout: float, broadcast: Callable[..., object] = broadcast) -> object:
            sent.add(raw)
            return broadcast(raw, timeout)

        chain.broadcast = recording  # type: ignore[method-assign, assignment]
        services.append(world.service(chain=chain))
    deadline = world.deadline()
    outcomes = all_at_once([partial(s.settle, request, deadline) for s in services])
    assert all(isinstance(o, Confirmed) for o in outcomes)
    assert len(sent) == 1
    assert world.mined_nonces() == world.next_nonce() == 1
    assert world.earned() == PRICE
