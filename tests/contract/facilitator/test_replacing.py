"""Threat 59 on a real chain: bytes that do not mine get a dearer version, and either may land."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.settling import FEE_CAP, PRICE, Dying, NewWorld, SettleWorld, dies
from tollgate.chain.transactions import DynamicFeeTransaction
from tollgate.facilitator.replacing import MOST_VERSIONS
from tollgate.ledger.settlement_items import SignedBytes
from tollgate.payment.events import Event
from tollgate.payment.settlement import Confirmed, Pending, SettleRequest
from tollgate.wire.primitives import Bytes32

GWEI = 10**9
# Above the bytes that were signed before it, below the cap.
DEAR = 20 * GWEI
PATIENCE_BLOCKS = 6
LEASE_RUN_OUT = 60


@pytest.fixture
def world(new_world: NewWorld) -> Iterator[SettleWorld]:
    """A world whose chain stands still at a base fee of 1 gwei."""
    made = new_world()
    made.node.stop_mining()
    base_fee(made, GWEI)
    yield made
    base_fee(made, GWEI)
    made.node.mine_at_once()


def base_fee(world: SettleWorld, wei: int) -> None:
    """Mine one block in which gas costs ``wei``; what offers less stays in the pool."""
    world.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))
    world.node.mine()


def settle(world: SettleWorld, request: SettleRequest, patience: float = 3.2, **parts: Any) -> Any:
    """A call of a fresh process that waits for about a second."""
    return world.service(**parts).settle(request, world.deadline(patience))


def stuck(world: SettleWorld) -> SettleRequest:
    """A payment whose bytes are in the pool when gas gets dearer than they offer."""
    request = world.request(world.payer())
    assert isinstance(settle(world, request), Pending)
    base_fee(world, DEAR)
    assert world.mined_nonces() == 0
    return request


def versions(world: SettleWorld, request: SettleRequest) -> SignedBytes:
    """What the ledger holds."""
    found = world.ledger().get(request.payment_id)
    assert found is not None
    assert found.signed is not None
    return found.signed


def in_pool(world: SettleWorld, transaction: Bytes32) -> bool:
    """Whether the node would still mine it."""
    found = world.node.transaction(str(transaction))
    return found is not None and found["blockHash"] is None


def let_the_old_one_land(world: SettleWorld, old: bytes, newest: Bytes32) -> None:
    """The other way round: the pool forgets the newer version and mines the older one."""
    world.node.rpc("anvil_dropTransaction", str(newest))
    base_fee(world, GWEI)
    world.node.rpc("eth_sendRawTransaction", "0x" + old.hex())
    base_fee(world, GWEI)


def test_a59_bytes_below_the_base_fee_are_replaced_and_the_new_ones_land(world: SettleWorld) -> None:
    """The same nonce, at least an eighth more, the proof names the version that mined."""
    request = stuck(world)
    first = versions(world, request)
    outcome = settle(world, request)
    second = versions(world, request)
    assert outcome == Pending(second.transaction)
    assert second.replaced == (first.transaction,)
    old, new = (DynamicFeeTransaction.decode(one.raw) for one in (first, second))
    assert (new.nonce, new.to, new.data, new.gas_limit) == (old.nonce, old.to, old.data, old.gas_limit)
    assert DEAR < new.max_fee_per_gas <= FEE_CAP
    assert new.max_priority_fee_per_gas * 8 >= old.max_priority_fee_per_gas * 9
    base_fee(world, DEAR)
    confirmed = settle(world, request)
    assert isinstance(confirmed, Confirmed)
    assert (confirmed.ours, confirmed.proof.transaction) == (True, second.transaction)
    assert world.earned() == PRICE
    assert world.mined_nonces() == world.next_nonce() == 1
    assert Event.SETTLEMENT_REPLACED in world.journal.events()


def test_a59_the_replaced_bytes_may_land_all_the_same(world: SettleWorld) -> None:
    """The fee came back before the new version was mined: it is paid once, and it is ours."""
    request = stuck(world)
    first = versions(world, request)
    settle(world, request)
    let_the_old_one_land(world, first.raw, versions(world, request).transaction)
    confirmed = settle(world, request)
    assert isinstance(confirmed, Confirmed)
    assert (confirmed.ours, confirmed.proof.transaction) == (True, first.transaction)
    assert world.earned() == PRICE


def test_a59_whoever_waits_watches_the_hashes_of_all_versions(world: SettleWorld) -> None:
    """The old bytes land while the call that replaced them waits for the new ones."""
    request = stuck(world)
    first = versions(world, request)

    def sends_the_new_mines_the_old(raw: bytes, timeout: float) -> None:
        world.node.rpc("eth_sendRawTransaction", "0x" + raw.hex())
        let_the_old_one_land(world, first.raw, versions(world, request).transaction)

    world.chain.broadcast = sends_the_new_mines_the_old  # type: ignore[method-assign]
    world.chain.find_use = None  # type: ignore[method-assign, assignment]
    confirmed = settle(world, request)
    assert isinstance(confirmed, Confirmed)
    assert confirmed.proof.transaction == first.transaction


def test_a59_a_call_that_waits_finds_the_version_that_another_stored(world: SettleWorld) -> None:
    """It watches hashes that will never mine; the ledger tells it what somebody else has sent meanwhile."""
    request = stuck(world)
    waiting = world.new_chain()
    look = waiting.wait_receipt

    def meanwhile(*args: Any) -> object:
        if world.mined_nonces() == 0:
            settle(world, request)
            base_fee(world, DEAR)
        return look(*args)

    waiting.wait_receipt = meanwhile  # type: ignore[method-assign, assignment]
    # Fees are above this one's cap, so it replaces nothing itself.
    confirmed = settle(world, request, 12, chain=waiting, fee_cap=5 * GWEI)
    assert isinstance(confirmed, Confirmed)
    assert confirmed.proof.transaction == versions(world, request).transaction


@pytest.mark.parametrize(
    ("part", "method", "after"),
    [
        ("signer", "sign", True),
        ("ledger", "replace_bytes", False),
        ("ledger", "replace_bytes", True),
        ("chain", "broadcast", False),
        ("chain", "broadcast", True),
    ],
)
def test_a59_a_crash_while_replacing_broadcasts_nothing_that_is_not_stored(
    world: SettleWorld, part: str, method: str, *, after: bool
) -> None:
    """Die at each step; the next process sends the newest stored version, and the payment is made once."""
    request = stuck(world)
    parts: dict[str, Any] = {"ledger": world.ledger(), "chain": world.new_chain(), "signer": world.signer}
    parts[part] = Dying(parts[part], method, after=after)
    service = world.service(ledger=parts["ledger"], chain=parts["chain"], signers=[parts["signer"]])
    dies(lambda: service.settle(request, world.deadline()))
    sent: list[bytes] = []
    chain = world.new_chain()
    broadcast = chain.broadcast

    def recorded(raw: bytes, timeout: float) -> object:
        sent.append(raw)
        assert versions(world, request).raw == raw
        return broadcast(raw, timeout)

    chain.broadcast = recorded  # type: ignore[method-assign, assignment]
    settle(world, request, chain=chain)
    base_fee(world, DEAR)
    assert isinstance(settle(world, request), Confirmed)
    assert sent
    assert len(versions(world, request).transactions) == 2
    assert world.earned() == PRICE
    assert world.mined_nonces() == 1


def test_a59_bytes_that_stay_unmined_at_the_head_of_the_queue_are_replaced_in_time(world: SettleWorld) -> None:
    """A node that forgot them, or a tip too low: blocks go by without them. Not before, and not one more at once."""
    request = world.request(world.payer())
    hidden = world.new_chain()
    hidden.broadcast = lambda *_: None  # type: ignore[method-assign]
    settle(world, request, chain=hidden)
    first = versions(world, request)
    world.node.mine(PATIENCE_BLOCKS - 1)
    settle(world, request, chain=hidden)
    assert versions(world, request) == first
    world.node.mine()
    settle(world, request, chain=hidden)
    second = versions(world, request)
    assert second.replaced == (first.transaction,)
    settle(world, request, chain=hidden)
    assert versions(world, request) == second
    world.node.mine_at_once()
    assert isinstance(settle(world, request, 8), Confirmed)


@pytest.mark.parametrize("kind", ["settlement", "filler", "hole"])
def test_a59_a_stuck_nonce_below_does_not_block_the_queue(world: SettleWorld, kind: str) -> None:
    """What stands before a later payment is replaced by it, whether it pays or only uses up its nonce."""
    # Paying somebody tokens mines a block, and what is in the pool with it.
    request, later = world.request(world.payer()), world.request(world.payer())
    if kind == "hole":
        counter = f"RLY#{world.node.info.network}#{world.relayer.lower}"
        world.dynamo.put_item(TableName=world.table._name, Item={"pk": {"S": counter}, "next": {"N": "1"}})
    elif kind == "filler":
        dies(lambda: settle(world, request, ledger=Dying(world.ledger(), "reserve", after=True)))
        world.submit_as_stranger(request)
        world.node.mine()
        world.forget(LEASE_RUN_OUT)
        settle(world, request)
        stored = world.ledger().get(request.payment_id)
        assert stored is not None
        assert stored.filler
    else:
        settle(world, request)
    settle(world, later)
    base_fee(world, DEAR)
    assert world.mined_nonces() == 0
    settle(world, later, 5)
    base_fee(world, DEAR)
    confirmed = settle(world, later, 5)
    assert isinstance(confirmed, Confirmed)
    assert world.mined_nonces() == world.next_nonce() == 2
    if kind == "settlement":
        assert isinstance(settle(world, request), Confirmed)
        assert world.earned() == 2 * PRICE


def test_a59_no_version_is_above_the_fee_cap_and_there_is_an_end_to_them(world: SettleWorld) -> None:
    """What the operator will not pay is waited for, not paid; and the last version is the last."""
    request = stuck(world)
    first = versions(world, request)
    settle(world, request, fee_cap=DEAR)
    assert versions(world, request) == first
    hidden = world.new_chain()
    hidden.broadcast = lambda *_: None  # type: ignore[method-assign]
    fees: list[int] = []
    for _ in range(MOST_VERSIONS + 2):
        settle(world, request, 2.3, chain=hidden)
        fees.append(DynamicFeeTransaction.decode(versions(world, request).raw).max_fee_per_gas)
        world.node.mine(PATIENCE_BLOCKS)
    assert max(fees) <= FEE_CAP
    assert len(versions(world, request).transactions) == MOST_VERSIONS
    assert fees[-1] == fees[-2]


def test_a59_a_settlement_of_the_first_version_is_read_and_replaced(world: SettleWorld) -> None:
    """Its item says neither the height at which it was signed nor that there were others."""
    request = stuck(world)
    first = versions(world, request)
    world.dynamo.update_item(
        TableName=world.table._name,
        Key={"pk": {"S": f"STL#{request.payment_id}"}},
        UpdateExpression="REMOVE height",
    )
    assert versions(world, request) == SignedBytes(first.raw, first.transaction)
    settle(world, request)
    assert versions(world, request).replaced == (first.transaction,)
    base_fee(world, DEAR)
    assert isinstance(settle(world, request), Confirmed)
