"""The same four mishaps on Tollgate and on the official Python SDK, on one chain with a block a second.

Tollgate's figures are asserted; those of the official stack are measured and written to .build/prove/side_by_side.json.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from eth_account.signers.local import LocalAccount

from local.paths import BUILD
from local.rpc_gate import SEND, Act
from local.stack import LocalStack
from tests.e2e.conftest import routes
from tests.e2e.http import Reply
from tests.prove.sides import Found, Official, Side, Tollgate, Watch, publish, until_final
from tests.support.buyer import sign

PRICE = 10_000
REPLAYS = 6
SECONDS_PER_BLOCK = 1

Story = Callable[[Side, str, LocalAccount], Found]
_figures: dict[str, dict[str, object]] = {}


@pytest.fixture(scope="module")
def official(deployed_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    """The SDK's seller and facilitator on the stack's chain."""
    side = Official(deployed_stack.chain, tmp_path_factory.mktemp("official"))
    try:
        side.start()
        yield side
    finally:
        side.stop()


@pytest.fixture(scope="module", autouse=True)
def priced_routes(deployed_stack: LocalStack) -> None:
    """As the end-to-end tests have them."""
    deployed_stack.apply_routes(routes(deployed_stack))


@pytest.fixture(scope="module", autouse=True)
def page() -> Iterator[None]:
    """Everything that was measured, told at the end."""
    yield
    publish(BUILD / "prove" / "side_by_side.json", _figures)
    for story, sides in _figures.items():
        for name, found in sides.items():
            sys.stderr.write(f"{story:32} {name:9} {found}\n")


def both(stack: LocalStack, official: Official, name: str, story: Story) -> tuple[Found, Found]:
    """Live through a story on either side, each with a buyer of its own."""
    found = []
    for side in (Tollgate(stack), official):
        stack.reconcile()
        side.gate.clear()
        stack.chain.mine_every(SECONDS_PER_BLOCK)
        found.append(story(side, name.replace(" ", "-"), stack.funded_account()))
        stack.chain.mine_at_once()
    _figures[name] = {"tollgate": asdict(found[0]), "official": asdict(found[1])}
    return found[0], found[1]


def signed(side: Side, city: str, buyer: LocalAccount) -> dict[str, object]:
    """A payment for what a city costs, resent later from the same address."""
    return sign(buyer, side.get(city).offer)


def six_in_turn(side: Side, city: str, buyer: LocalAccount) -> Found:
    """One after the other."""
    payment, watch = signed(side, city, buyer), Watch(side, city, buyer)
    for _ in range(REPLAYS):
        watch.answered(side.get(city, payment))
    return watch.finish()


def six_at_once(side: Side, city: str, buyer: LocalAccount) -> Found:
    """Together, before any of them is settled."""
    payment, watch = signed(side, city, buyer), Watch(side, city, buyer)
    barrier = threading.Barrier(REPLAYS)

    def go(_: int) -> Reply:
        barrier.wait()
        return side.get(city, payment)

    with ThreadPoolExecutor(REPLAYS) as pool:
        for reply in list(pool.map(go, range(REPLAYS))):
            watch.answered(reply)
    _some_blocks(side)
    return watch.finish()


def receipt_wait_lost(side: Side, city: str, buyer: LocalAccount) -> Found:
    """No block comes while the seller waits; afterwards the buyer follows the rules."""
    payment, watch = signed(side, city, buyer), Watch(side, city, buyer)
    side.chain.stop_mining()
    watch.answered(side.get(city, payment))
    side.chain.mine_every(SECONDS_PER_BLOCK)
    _some_blocks(side)
    return _resend(side, city, buyer, payment, watch)


def killed_after_broadcast(side: Side, city: str, buyer: LocalAccount) -> Found:
    """Whoever settles dies when the transaction is in the pool and before anybody was told."""
    payment, watch = signed(side, city, buyer), Watch(side, city, buyer)
    rule = side.gate.rule(Act.HOLD_ANSWER, SEND, times=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(side.get, city, payment)
        rule.wait_met()
        side.kill()
        rule.release()
        watch.answered(first.result())
    _some_blocks(side)
    return _resend(side, city, buyer, payment, watch)


def _resend(side: Side, city: str, buyer: LocalAccount, payment: dict[str, object], watch: Watch) -> Found:
    """The same payment again while nobody knows, and a new one where a 402 offers it, once."""
    if watch.found.served:
        return watch.finish()
    reply = until_final(lambda: watch.answered(side.get(city, payment)), 30, lambda: time.sleep(1))
    if reply.status == 402:
        watch.answered(side.get(city, sign(buyer, reply.offer)))
    return watch.finish()


def _some_blocks(side: Side) -> None:
    """Whatever is in the pool is mined."""
    start = int(side.chain.rpc("eth_blockNumber"), 16)
    while int(side.chain.rpc("eth_blockNumber"), 16) < start + 2:
        time.sleep(0.1)


def measured(found: Found) -> bool:
    """Whether anything was answered at all: what it was is the official stack's business."""
    return len(found.answers) > 0 and found.handler_runs > 0


def once(found: Found) -> bool:
    """One run, one transaction, one price; and nobody who had paid was asked to pay."""
    counts = (found.handler_runs, found.transactions_broadcast, found.transactions_mined, found.offers_after_payment)
    return counts == (1, 1, 1, 0) and found.charged_atomic == PRICE


def test_a35_six_replays_in_turn(stack: LocalStack, official: Official) -> None:
    """Ours: one run, one transaction; the resends that an address may have get the same answer, the others 409."""
    ours, theirs = both(stack, official, "six replays in turn", six_in_turn)
    assert once(ours), ours
    assert ours.answers == [200, 200, 200, 200, 409, 409]
    assert measured(theirs), theirs


def test_a36_six_replays_at_once(stack: LocalStack, official: Official) -> None:
    """Ours: one run, one transaction; the owner and three who wait are served, the others told to come back."""
    ours, theirs = both(stack, official, "six replays at once", six_at_once)
    assert once(ours), ours
    assert set(ours.answers) <= {200, 503, 409}
    assert ours.served >= 1
    assert measured(theirs), theirs


def test_a54_the_receipt_wait_is_lost(stack: LocalStack, official: Official) -> None:
    """Ours: 503 without an offer, then the answer that was kept, for the one payment."""
    ours, theirs = both(stack, official, "receipt wait lost", receipt_wait_lost)
    assert once(ours), ours
    assert (ours.answers[0], ours.answers[-1], ours.served) == (503, 200, 1)
    assert measured(theirs), theirs


def test_a105_killed_between_broadcast_and_answer(stack: LocalStack, official: Official) -> None:
    """Ours: served once, by the transaction that the dead process had sent."""
    ours, theirs = both(stack, official, "killed after broadcast", killed_after_broadcast)
    assert once(ours), ours
    assert (ours.answers[-1], ours.served) == (200, 1)
    assert measured(theirs), theirs
