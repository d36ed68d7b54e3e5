"""Refunds on a real chain and table, signed by KMS: to the payer, of exactly the amount, once, whatever happens."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from local.chain import calldata
from tests.support.refunding import Till, kms_signer
from tests.support.settling import PRICE, CountingSigner, Crash, Dying, NewWorld, dies
from tollgate.errors import Refusal
from tollgate.payment.events import Event
from tollgate.payment.refund import Ready, Waits, refund_authorization, refund_request
from tollgate.payment.settlement import Confirmed, Pending
from tollgate.wire.primitives import Bytes32
from tollgate.wire.reasons import Reason

LEASE_RUN_OUT = 60
PURSE = 100_000_000


@pytest.fixture
def till(new_world: NewWorld, aws_endpoint: str) -> Till:
    """A treasury with tokens."""
    made = Till(new_world(), aws_endpoint)
    made.fund()
    return made


def test_a_refund_goes_to_the_payer_exactly_and_is_done_when_it_is_final(till: Till) -> None:
    """First it is under way, with its hash; a reorganisation later nobody was told that it is done."""
    world = till.world
    payer = world.payer()
    paid = till.paid(payer)
    assert world.node.balance(payer.address) == PURSE - PRICE
    under_way = till.refund(paid)
    assert isinstance(under_way, Pending)
    assert under_way.transaction is not None
    assert world.node.balance(payer.address) == PURSE
    till.finalise()
    done = till.refund(paid)
    assert isinstance(done, Confirmed)
    assert done.proof.transaction == under_way.transaction
    assert done.ours
    assert till.refund(paid) == done
    assert world.node.balance(till.address) == 9 * PRICE
    assert world.journal.events().count(Event.REFUND_SIGNED) == 1


def test_ready_signs_and_writes_nothing(till: Till) -> None:
    """It is how reconcile asks before it writes down that a refund has begun."""
    paid = till.paid(till.world.payer())
    before = till.world.requests.copy()
    assert till.service().ready(paid.payment_id, till.world.deadline()) == Ready()
    assert {name for name, n in (till.world.requests - before).items() if n} == {"GetItem"}
    assert not till.spent(paid)


def test_twenty_at_once_refund_once(till: Till) -> None:
    """Each signs, perhaps; one signature is stored, and one transfer mines."""
    world = till.world
    payer = world.payer()
    paid = till.paid(payer)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: till.refund(paid), range(20)))
    assert not [a for a in answers if not isinstance(a, Pending)]
    assert world.node.balance(payer.address) == PURSE
    assert world.node.balance(till.address) == 9 * PRICE
    assert world.mined_nonces() == world.next_nonce() == 2


# Where the process dies: whose method, and whether the effect happened.
STEPS = [
    (port, method, after)
    for port, method in (
        ("treasury", "sign"),
        ("refunds", "keep"),
        ("ledger", "reserve"),
        ("signer", "sign"),
        ("ledger", "store_bytes"),
        ("chain", "broadcast"),
        ("ledger", "conclude"),
    )
    for after in (False, True)
]
STEP_IDS = [f"{'after' if after else 'before'}-{port}-{method}" for port, method, after in STEPS]


def dying(till: Till, port: str, method: str, after: bool) -> Any:
    """A process that dies at one step."""
    ports: dict[str, Any] = {
        "treasury": till.treasury,
        "refunds": till.refunds,
        "ledger": till.world.ledger(),
        "chain": till.world.chain,
        "signer": till.world.signer,
    }
    ports[port] = Dying(ports[port], method, after=after)
    ports["signers"] = [ports.pop("signer")]
    return till.service(**ports)


@pytest.mark.parametrize(("port", "method", "after"), STEPS, ids=STEP_IDS)
def test_a105_a_refund_that_dies_anywhere_is_finished_once(till: Till, port: str, method: str, after: bool) -> None:
    """Whoever asks next, and dies in turn at any later step, and whoever asks after that."""
    world = till.world
    payer = world.payer()
    paid = till.paid(payer)
    dies(lambda: dying(till, port, method, after).refund(paid.payment_id, world.deadline()))
    world.forget(LEASE_RUN_OUT)
    for again in STEPS[STEPS.index((port, method, after)) + 1 :: 4]:
        with suppress(Crash):
            dying(till, *again).refund(paid.payment_id, world.deadline())
        world.forget(LEASE_RUN_OUT)
    end = till.refund(paid)
    assert isinstance(end, Pending)
    assert end.transaction is not None
    assert world.node.balance(payer.address) == PURSE
    assert world.node.balance(till.address) == 9 * PRICE
    assert world.mined_nonces() == world.next_nonce() == 2


def test_an_empty_treasury_waits_says_so_and_pays_when_it_is_filled(new_world: NewWorld, aws_endpoint: str) -> None:
    """Nothing is signed meanwhile, so that the operator may still choose."""
    till = Till(new_world(), aws_endpoint)
    till.fund(PRICE - 1)
    payer = till.world.payer()
    paid = till.paid(payer)
    service = till.service()
    for ask in (service.ready, service.refund):
        assert ask(paid.payment_id, till.world.deadline()) == Waits("treasury_short")
    assert till.world.journal.events().count(Event.REFUND_WAITS) == 2
    assert till.refunds.get(paid.payment_id) is None
    till.fund(1)
    till.complete(paid)
    assert till.world.node.balance(payer.address) == PURSE
    assert till.world.node.balance(till.address) == 0


def test_a_treasury_that_was_emptied_after_the_signature_is_asked_for_too(till: Till) -> None:
    """Nothing is reserved for a transfer that would only revert."""
    world = till.world
    payer = world.payer()
    paid = till.paid(payer)
    dies(lambda: dying(till, "ledger", "reserve", after=False).refund(paid.payment_id, world.deadline()))
    world.node.rpc("anvil_impersonateAccount", till.address)
    world.node.give_gas(till.address)
    data = calldata("transfer(address,uint256)", str(world.seller), 10 * PRICE)
    world.node.rpc("eth_sendTransaction", {"from": till.address, "to": world.node.token, "data": data})
    assert till.refund(paid) == Waits("treasury_short")
    till.fund()
    assert isinstance(till.refund(paid), Pending)
    assert world.node.balance(payer.address) == PURSE


def test_a_refund_that_was_mined_in_vain_is_told_of_and_moves_when_anybody_sends_it_again(till: Till) -> None:
    """The treasury was emptied in the same block: once filled, the same calldata from any account pays, once."""
    world = till.world
    payer = world.payer()
    paid = till.paid(payer)
    node = world.node
    node.rpc("anvil_impersonateAccount", till.address)
    node.give_gas(till.address)
    node.stop_mining()
    try:
        under_way = till.service().refund(paid.payment_id, world.deadline(5))
        data = calldata("transfer(address,uint256)", str(world.seller), 10 * PRICE)
        dear = {"gas": hex(100_000), "maxFeePerGas": hex(200 * 10**9), "maxPriorityFeePerGas": hex(50 * 10**9)}
        node.rpc("eth_sendTransaction", {"from": till.address, "to": node.token, "data": data, **dear})
        node.mine()
    finally:
        node.mine_at_once()
    assert isinstance(under_way, Pending)
    assert till.refund(paid) == under_way
    waits = [fields for event, fields in world.journal.lines if event is Event.REFUND_WAITS]
    assert [fields["why"] for fields in waits] == ["refund_reverted"]
    till.fund()
    refund = till.refunds.get(paid.payment_id)
    assert refund is not None
    world.submit_as_stranger(refund)
    till.finalise()
    assert isinstance(till.refund(paid), Confirmed)
    assert node.balance(payer.address) == PURSE


@pytest.mark.own_chain
def test_a57_a_refund_waits_until_the_payment_is_deep_and_does_not_outlive_it(till: Till) -> None:
    """The payment's block disappears: it is brought back first, and refunded only when it is deep again."""
    world = till.world
    payer = world.payer()
    request = world.request(payer)
    snapshot = world.node.rpc("evm_snapshot")
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)
    assert till.refund(request) == Waits("payment_not_deep")
    assert world.journal.events().count(Event.REFUND_WAITS) == 0
    assert world.node.rpc("evm_revert", snapshot)
    world.node.mine(world.node.info.confirmations + 3)
    # Twice: the node's pool may still hold the transaction, and then it mines as soon as it is sent again.
    assert till.refund(request) == Waits("payment_reversed")
    assert not till.spent(request)
    assert world.node.balance(till.address) == 10 * PRICE
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)
    assert till.refund(request) == Waits("payment_not_deep")
    till.deepen()
    till.complete(request)
    assert world.node.balance(payer.address) == PURSE


@pytest.mark.own_chain
def test_a57_a_refund_whose_own_block_disappears_is_sent_again(till: Till) -> None:
    """It was not told of as done, and the same authorization pays, once."""
    world = till.world
    payer = world.payer()
    paid = till.paid(payer)
    snapshot = world.node.rpc("evm_snapshot")
    assert isinstance(till.refund(paid), Pending)
    assert world.node.balance(payer.address) == PURSE
    assert world.node.rpc("evm_revert", snapshot)
    world.node.mine(3)
    assert world.node.balance(payer.address) == PURSE - PRICE
    till.complete(paid)
    assert world.node.balance(payer.address) == PURSE
    assert world.node.balance(till.address) == 9 * PRICE


def test_tables_from_a_backup_older_than_the_refund_do_not_refund_again(till: Till) -> None:
    """The nonce is a function of the payment, and the token takes it once: the old refund is found on chain."""
    world = till.world
    payer = world.payer()
    paid = till.paid(payer)
    done = till.complete(paid)
    refund = till.refunds.get(paid.payment_id)
    assert refund is not None
    for key in (f"RFA#{paid.payment_id}", f"STL#{refund.payment_id}"):
        world.dynamo.delete_item(TableName=world.table._name, Key={"pk": {"S": key}})
    again = till.refund(paid)
    assert isinstance(again, Confirmed)
    assert again.proof.transaction == done.proof.transaction
    assert world.node.balance(payer.address) == PURSE
    assert world.node.balance(till.address) == 9 * PRICE


def test_a_new_treasury_key_does_not_refund_what_the_old_one_signed(till: Till, aws_endpoint: str) -> None:
    """To the token two treasuries are two payers: the stored signature is the one that pays."""
    world = till.world
    payer = world.payer()
    paid = till.paid(payer)
    dies(lambda: dying(till, "ledger", "reserve", after=False).refund(paid.payment_id, world.deadline()))
    new = kms_signer(aws_endpoint)
    world.node.mint(str(new.address()), 10 * PRICE)
    assert isinstance(till.refund(paid, treasury=new), Pending)
    till.finalise()
    assert isinstance(till.refund(paid, treasury=new), Confirmed)
    assert world.node.balance(payer.address) == PURSE
    assert world.node.balance(str(new.address())) == 10 * PRICE
    assert world.node.balance(till.address) == 9 * PRICE


def test_the_first_stored_signature_is_the_only_one(till: Till, aws_endpoint: str) -> None:
    """Two processes, one of them with an older key, signed before either had stored."""
    paid = till.paid(till.world.payer())
    old, new = (
        refund_request(paid, refund_authorization(paid, signer.address()), signer.sign(bytes(32)))
        for signer in (till.treasury, kms_signer(aws_endpoint))
    )
    assert till.refunds.keep(paid.payment_id, old, 1) == old
    assert till.refunds.keep(paid.payment_id, new, 2) == old
    assert till.refunds.get(paid.payment_id) == old


def test_nothing_is_signed_for_what_was_not_paid_to_us(till: Till) -> None:
    """No settlement, a seller elsewhere's, one that is open, one that was paid to an address of somebody's."""
    world = till.world
    counting = CountingSigner(till.treasury)
    unpaid = world.request(world.payer())
    guests = till.paid(world.payer(), seller="shop")
    payer = world.payer()
    paid = till.paid(payer)
    refused = [
        (unpaid.payment_id, Reason.REFUND_UNKNOWN_PAYMENT),
        (guests.payment_id, Reason.REFUND_UNKNOWN_PAYMENT),
        (replace(paid.payment_id, nonce=Bytes32(bytes(32))), Reason.REFUND_UNKNOWN_PAYMENT),
    ]
    for id, reason in refused:
        with pytest.raises(Refusal) as refusal:
            till.refund(id, treasury=counting)
        assert refusal.value.reason is reason
    till.complete(paid)
    refund = till.refunds.get(paid.payment_id)
    assert refund is not None
    with pytest.raises(Refusal) as of_a_refund:
        till.refund(refund, treasury=counting)
    assert of_a_refund.value.reason is Reason.REFUND_UNKNOWN_PAYMENT
    assert counting.signatures == 0


def test_a61_money_that_went_elsewhere_is_not_made_good_by_the_treasury(till: Till) -> None:
    """Whoever may invoke settle could have it move his own money to himself as "self", and ask for it back."""
    world = till.world
    thief = world.payer()
    ours, world.seller = world.seller, till.world.signer.address()
    moved = till.paid(thief)
    world.seller = ours
    with pytest.raises(Refusal) as refusal:
        till.refund(moved)
    assert refusal.value.reason is Reason.REFUND_FOREIGN_RECIPIENT
    assert world.node.balance(till.address) == 10 * PRICE


def test_with_refunds_manual_none_is_begun_and_those_that_were_are_finished(till: Till) -> None:
    """The parameter may be changed at any time."""
    world = till.world
    payer = world.payer()
    paid = till.paid(payer)
    for ask in ("ready", "refund"):
        with pytest.raises(Refusal) as refusal:
            getattr(till.service(begins=False), ask)(paid.payment_id, world.deadline())
        assert refusal.value.reason is Reason.REFUNDS_MANUAL
    dies(lambda: dying(till, "ledger", "reserve", after=False).refund(paid.payment_id, world.deadline()))
    assert isinstance(till.refund(paid, begins=False), Pending)
    till.finalise()
    assert isinstance(till.refund(paid, begins=False), Confirmed)
    assert world.node.balance(payer.address) == PURSE


def test_a_payment_that_is_too_old_is_left_to_the_operator(till: Till) -> None:
    """Its refund's own deadline is a function of the payment's: one that could not be finished is not begun."""
    world = till.world
    paid = till.paid(world.payer())
    due = refund_authorization(paid, till.treasury.address()).valid_before
    world.forget(due - int(world.clock()) - 3_600)
    with pytest.raises(Refusal) as refusal:
        till.refund(paid)
    assert refusal.value.reason is Reason.REFUND_TOO_LATE
    assert till.refunds.get(paid.payment_id) is None
