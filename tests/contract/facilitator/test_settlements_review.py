"""Settle against what an endpoint, a table or another user of the key may do to it: found in review."""

import time
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.chain.doubles import Fault, replay, rpc_node
from tests.support.settling import PRICE, Dying, NewWorld, SettleWorld, dies
from tollgate.chain.evm import BroadcastRefused, BroadcastRefusedKind, EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.chain.transactions import DynamicFeeTransaction
from tollgate.facilitator.signing import Market
from tollgate.payment.settlement import Confirmed, Failed, Pending
from tollgate.payment.states import SettlementState
from tollgate.wire.reasons import Reason

LEASE_RUN_OUT = 60


def refusing(kind: BroadcastRefusedKind) -> Any:
    """A broadcast that no node takes."""

    def broadcast(raw: bytes, timeout: float) -> object:
        raise BroadcastRefused(kind, -32000)

    return broadcast


def misreporting(world: SettleWorld, **changes: Any) -> Any:
    """A ``prepare`` whose answer is wrong in some fields."""
    prepare = world.new_chain().prepare
    return lambda *args: replace(prepare(*args), **changes)


def other_use_of_the_key(world: SettleWorld) -> None:
    """Something else sends a transaction of the relayer's."""
    spent = DynamicFeeTransaction(
        chain_id=world.node.info.network.chain_id,
        nonce=world.mined_nonces(),
        max_priority_fee_per_gas=10**9,
        max_fee_per_gas=50 * 10**9,
        gas_limit=21_000,
        to=world.relayer,
        value=0,
        data=b"",
    )
    raw = spent.encode(world.signer.sign(spent.signing_digest()))
    world.node.rpc("eth_sendRawTransaction", "0x" + raw.hex())


def test_signed_bytes_that_no_node_takes_end_when_the_authorization_has_expired(new_world: NewWorld) -> None:
    """An empty or stuck relayer must not keep a payment open that can never be paid any more."""
    world = new_world()
    request = world.request(world.payer(), valid_for=100)
    broadcast = world.chain.broadcast
    world.chain.broadcast = refusing(BroadcastRefusedKind.INSUFFICIENT_GAS_FUNDS)  # type: ignore[method-assign]
    assert isinstance(world.service().settle(request, world.deadline(3)), Pending)
    world.advance(200)
    world.node.mine(world.node.info.confirmations)
    assert world.service().settle(request, world.deadline(3)) == Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED)
    world.chain.broadcast = broadcast  # type: ignore[method-assign]
    later = world.request(world.payer())
    assert isinstance(world.service().settle(later, world.deadline()), Confirmed)
    assert world.mined_nonces() == world.next_nonce() == 2
    assert world.earned() == PRICE


@pytest.mark.parametrize("lie", [100_000, 2**62, 2**64, 2**130])
def test_one_wrong_transaction_count_does_not_block_the_relayer_for_ever(new_world: NewWorld, lie: int) -> None:
    """A count far above the counter is asked for again before it moves the counter."""
    world = new_world()
    assert isinstance(world.service().settle(world.request(world.payer()), world.deadline()), Confirmed)
    world.chain.prepare = misreporting(world, chain_nonce=lie)  # type: ignore[method-assign]
    request = world.request(world.payer())
    world.service().settle(request, world.deadline(4))
    world.chain = world.new_chain()
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)
    assert world.mined_nonces() == world.next_nonce() == 2


def test_a_relayer_with_a_long_history_starts_where_the_chain_is(new_world: NewWorld) -> None:
    """The second question confirms a count that is true."""
    world = new_world()
    world.node.rpc("anvil_setNonce", str(world.relayer), hex(5_000))
    assert isinstance(world.service().settle(world.request(world.payer()), world.deadline()), Confirmed)
    assert world.mined_nonces() == world.next_nonce() == 5_001


def test_a_pool_that_wants_a_tip_gets_one(new_world: NewWorld) -> None:
    """geth's pool takes nothing with a tip of 0: such bytes would block the queue for ever."""
    world = new_world()
    request = world.request(world.payer())
    preparation = world.chain.prepare(world.asset, request.authorization, request.signature, world.relayer, 5.0)
    for base_fee, tip, cap in ((10**9, 0, 10**11), (10**9, 5, 10**9), (10**9, 5, 10**9 + 1)):
        fees = Market.of(replace(preparation, base_fee=base_fee, tip=tip), cap).fees
        assert fees is None or fees.tip > 0
        assert fees is None or fees.max_fee <= cap


def test_filling_many_holes_ends_at_the_deadline(new_world: NewWorld) -> None:
    """Each hole costs a signature; the rest is left to the next payment."""
    world = new_world()
    world.chain.prepare = misreporting(world, chain_nonce=99)  # type: ignore[method-assign]
    sign = world.signer.sign

    def slowly(digest: bytes) -> bytes:
        time.sleep(0.2)
        return sign(digest)

    world.signer.sign = slowly  # type: ignore[method-assign]
    service = world.service()
    request = world.request(world.payer())
    # prepare says 99 once, transaction_count the truth: the second call sees the holes.
    service.settle(request, world.deadline(3))
    world.chain = world.new_chain()
    deadline = world.deadline(4)
    world.service().settle(request, deadline)
    assert world.clock() <= deadline


def test_a_counter_behind_its_own_nonces_steps_over_them(new_world: NewWorld) -> None:
    """A backup need not hold both halves of a write: the nonce may be there and the counter behind it."""
    world = new_world()
    first = world.request(world.payer())
    dies(lambda: world.service(ledger=Dying(world.ledger(), "reserve", after=True)).settle(first, world.deadline()))
    counter = f"RLY#{world.node.info.network}#{world.relayer.lower}"
    world.dynamo.delete_item(TableName=world.table._name, Key={"pk": {"S": counter}})
    world.forget(LEASE_RUN_OUT)
    later = world.request(world.payer())
    assert isinstance(world.service().settle(later, world.deadline(5)), Confirmed)
    assert isinstance(world.service().settle(first, world.deadline(5)), Confirmed)
    assert world.mined_nonces() == world.next_nonce() == 2


def test_a_nonce_whose_settlement_is_missing_is_filled(new_world: NewWorld) -> None:
    """The other half: the nonce names a payment that the table does not hold."""
    world = new_world()
    first = world.request(world.payer())
    dies(lambda: world.service(ledger=Dying(world.ledger(), "reserve", after=True)).settle(first, world.deadline()))
    world.dynamo.delete_item(TableName=world.table._name, Key={"pk": {"S": f"STL#{first.payment_id}"}})
    later = world.request(world.payer())
    assert isinstance(world.service().settle(later, world.deadline()), Confirmed)
    assert isinstance(world.service().settle(first, world.deadline()), Confirmed)
    assert world.mined_nonces() == world.next_nonce() == 3
    assert world.signer.signatures == 3


def test_a_nonce_that_another_use_of_the_key_took_leaves_its_payment_open_until_it_expires(
    new_world: NewWorld,
) -> None:
    """No second transaction is signed for it, the queue goes on, and the end is the proven one."""
    world = new_world()
    request = world.request(world.payer(), valid_for=100)
    dying = Dying(world.chain, "broadcast", after=False)
    dies(lambda: world.service(chain=dying).settle(request, world.deadline()))
    other_use_of_the_key(world)
    assert isinstance(world.service().settle(request, world.deadline(3)), Pending)
    assert isinstance(world.service().settle(world.request(world.payer()), world.deadline()), Confirmed)
    world.advance(200)
    world.node.mine(world.node.info.confirmations)
    assert world.service().settle(request, world.deadline()) == Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED)
    stored = world.ledger().get(request.payment_id)
    assert stored is not None
    assert stored.state is SettlementState.FAILED
    assert world.earned() == PRICE


@pytest.mark.parametrize("busy", [Fault(429, "compute units"), Fault(-32005, "daily request count exceeded")])
def test_an_endpoint_over_its_quota_hands_over_to_the_next(new_world: NewWorld, busy: Fault) -> None:
    """Providers refuse single calls of a batch with HTTP 200: the second endpoint is there for that."""
    world = new_world()
    request = world.request(world.payer())
    over_quota = dict.fromkeys(
        ("eth_call", "eth_getBlockByNumber", "eth_getTransactionCount", "eth_sendRawTransactionSync"), busy
    )
    with rpc_node(replay({**over_quota, "eth_chainId": hex(84532)})) as node:
        chain = EvmChain(RpcClient([node.url, world.node.url]), world.node.info)
        assert isinstance(world.service(chain=chain).settle(request, world.deadline()), Confirmed)
    assert world.earned() == PRICE


def test_a_transaction_count_that_no_account_can_have_is_no_answer(new_world: NewWorld) -> None:
    """EIP-2681: a node that says so twice is not believed either, and nothing is reserved."""
    world = new_world()
    request = world.request(world.payer())
    answer = replay({"eth_chainId": hex(84532), "eth_getTransactionCount": hex(2**64)})
    with rpc_node(answer) as node:
        odd = EvmChain(RpcClient([node.url]), world.node.info)
        world.chain.transaction_count = odd.transaction_count  # type: ignore[method-assign]
        world.chain.prepare = misreporting(world, chain_nonce=2**64)  # type: ignore[method-assign]
        assert world.service().settle(request, world.deadline(3)) == Pending()
    assert world.next_nonce() == 0
