"""Settle on a real chain and a real DynamoDB and KMS server: what happens when nobody dies."""

from dataclasses import replace

import pytest

from tests.support.settling import PRICE, ListJournal, NewWorld
from tollgate.errors import Refusal
from tollgate.facilitator.call import Guest
from tollgate.payment.events import Event
from tollgate.payment.settlement import Confirmed, Failed, Pending
from tollgate.payment.states import SettlementState
from tollgate.schemes.exact import eip3009
from tollgate.wire.reasons import Reason


def test_a_payment_is_settled_once_with_a_key_in_kms(new_world: NewWorld) -> None:
    """The seller is paid by one transaction of the relayer, and the proof names it."""
    world = new_world(kms=True)
    request = world.request(world.payer())
    outcome = world.service().settle(request, world.deadline())
    assert isinstance(outcome, Confirmed)
    assert outcome.ours
    assert outcome.proof.sender == world.relayer
    assert world.earned() == PRICE
    assert world.mined_nonces() == world.next_nonce() == 1
    stored = world.ledger().get(request.payment_id)
    assert stored is not None
    assert stored.state is SettlementState.CONFIRMED
    assert stored.outcome == outcome


def test_a_second_call_gets_the_stored_outcome_and_sends_nothing(new_world: NewWorld) -> None:
    """The same request again is answered from the ledger, by the same process or another."""
    world = new_world()
    request = world.request(world.payer())
    service = world.service()
    first = service.settle(request, world.deadline())
    assert isinstance(first, Confirmed)
    assert service.settle(request, world.deadline()) == first
    assert world.service().settle(request, world.deadline()) == first
    assert world.signer.signatures == world.mined_nonces() == 1
    assert world.earned() == PRICE


def test_a_warm_uncontended_settle_makes_two_requests_before_the_broadcast_and_one_after(
    new_world: NewWorld,
) -> None:
    """Reserve, store the bytes, conclude: no read, since the relayer's counter is remembered."""
    world = new_world()
    seen_at_broadcast: list[int] = []
    broadcast = world.chain.broadcast

    def counting(raw: bytes, timeout: float) -> object:
        seen_at_broadcast.append(world.requests.total())
        return broadcast(raw, timeout)

    world.chain.broadcast = counting  # type: ignore[method-assign, assignment]
    service = world.service()
    service.settle(world.request(world.payer()), world.deadline())
    world.requests.clear()
    seen_at_broadcast.clear()
    assert isinstance(service.settle(world.request(world.payer()), world.deadline()), Confirmed)
    assert seen_at_broadcast == [2]
    assert world.requests == {"TransactWriteItems": 2, "UpdateItem": 1}


def test_a39_another_seller_gets_duplicate_settlement(new_world: NewWorld) -> None:
    """One authorization never succeeds for two sellers, whether it is open or settled."""
    world = new_world()
    request = world.request(world.payer())
    service = world.service()
    assert isinstance(service.settle(request, world.deadline()), Confirmed)
    with pytest.raises(Refusal) as refused:
        service.settle(replace(request, seller="other"), world.deadline())
    assert refused.value.reason is Reason.DUPLICATE_SETTLEMENT
    assert world.mined_nonces() == 1


def test_a39_other_terms_under_the_same_nonce_are_a_duplicate(new_world: NewWorld) -> None:
    """A payer who signs one nonce twice, with another validity, is refused; the first stands."""
    world = new_world()
    payer = world.payer()
    request = world.request(payer)
    service = world.service()
    first = service.settle(request, world.deadline())
    again = world.request(payer, valid_for=999, nonce=request.authorization.nonce.raw)
    with pytest.raises(Refusal) as refused:
        service.settle(again, world.deadline())
    assert refused.value.reason is Reason.DUPLICATE_SETTLEMENT
    assert service.settle(request, world.deadline()) == first


def test_a39_a_preempted_payment_counts_for_the_first_seller_only(new_world: NewWorld) -> None:
    """Even when we never sent anything, only one seller is told of success."""
    world = new_world()
    request = world.request(world.payer())
    world.submit_as_stranger(request)
    service = world.service()
    assert isinstance(service.settle(request, world.deadline()), Confirmed)
    with pytest.raises(Refusal) as refused:
        service.settle(replace(request, seller="other"), world.deadline())
    assert refused.value.reason is Reason.DUPLICATE_SETTLEMENT


def test_a51_a_payment_submitted_by_somebody_else_is_confirmed_but_not_ours(new_world: NewWorld) -> None:
    """The money reached the seller: it is paid, nothing is sent, and the answer says who sent it."""
    world = new_world()
    request = world.request(world.payer())
    transaction = world.submit_as_stranger(request)
    service = world.service()
    outcome = service.settle(request, world.deadline())
    assert isinstance(outcome, Confirmed)
    assert not outcome.ours
    assert str(outcome.proof.transaction) == transaction
    assert world.signer.signatures == world.mined_nonces() == 0
    assert service.settle(request, world.deadline()) == outcome


def test_a51_a_preemption_between_our_look_and_our_transaction_is_confirmed_but_not_ours(
    new_world: NewWorld,
) -> None:
    """Our transaction reverts, the other one is found, and its proof is stored."""
    world = new_world()
    request = world.request(world.payer())
    broadcast = world.chain.broadcast

    def preempted(raw: bytes, timeout: float) -> object:
        if not world.node.nonce_used(str(request.authorization.from_), request.authorization.nonce.raw):
            world.submit_as_stranger(request)
        return broadcast(raw, timeout)

    world.chain.broadcast = preempted  # type: ignore[method-assign, assignment]
    outcome = world.service().settle(request, world.deadline())
    assert isinstance(outcome, Confirmed)
    assert not outcome.ours
    assert world.earned() == PRICE
    assert world.mined_nonces() == 1
    stored = world.ledger().get(request.payment_id)
    assert stored is not None
    assert stored.outcome == outcome


def test_a52_a_cancelled_authorization_has_failed(new_world: NewWorld) -> None:
    """Used without our Transfer is proof that it can never be paid; the flag alone is not looked at."""
    world = new_world()
    payer = world.payer()
    request = world.request(payer)
    world.cancel(payer, request)
    world.node.mine(world.node.info.confirmations)
    service = world.service()
    failed = Failed(Reason.AUTHORIZATION_CANCELLED)
    assert service.settle(request, world.deadline()) == failed
    assert service.settle(request, world.deadline()) == failed
    assert world.signer.signatures == 0


def test_a52_a_cancellation_after_our_look_has_failed(new_world: NewWorld) -> None:
    """Our transaction reverts on a cancelled nonce: FAILED, proven, stored."""
    world = new_world()
    payer = world.payer()
    request = world.request(payer)
    broadcast = world.chain.broadcast

    def cancelled(raw: bytes, timeout: float) -> object:
        world.cancel(payer, request)
        receipt = broadcast(raw, timeout)
        world.node.mine(world.node.info.confirmations)
        return receipt

    world.chain.broadcast = cancelled  # type: ignore[method-assign, assignment]
    assert world.service().settle(request, world.deadline()) == Failed(Reason.AUTHORIZATION_CANCELLED)
    stored = world.ledger().get(request.payment_id)
    assert stored is not None
    assert stored.state is SettlementState.FAILED


def test_a47_a_drained_balance_is_pending_until_the_authorization_expired_at_depth(
    new_world: NewWorld,
) -> None:
    """After a refill anyone could submit it again: only expiry, at confirmation depth, is a failure."""
    world = new_world()
    payer = world.payer()
    request = world.request(payer, valid_for=100)
    world.node.send("drain(address)", payer.address)
    service = world.service()
    assert service.settle(request, world.deadline()) == Pending()
    assert world.next_nonce() == 0
    world.advance(200)
    assert service.settle(request, world.deadline()) == Pending()
    world.node.mine(world.node.info.confirmations)
    assert service.settle(request, world.deadline()) == Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED)


def test_a47_a_payment_drained_under_our_transaction_is_pending_then_expires(new_world: NewWorld) -> None:
    """A revert proves nothing: Pending with our hash, no second transaction, then FAILED at depth."""
    world = new_world()
    payer = world.payer()
    request = world.request(payer, valid_for=100)
    broadcast = world.chain.broadcast

    def drained(raw: bytes, timeout: float) -> object:
        world.node.send("drain(address)", payer.address)
        return broadcast(raw, timeout)

    world.chain.broadcast = drained  # type: ignore[method-assign, assignment]
    service = world.service()
    outcome = service.settle(request, world.deadline())
    assert isinstance(outcome, Pending)
    assert outcome.transaction is not None
    world.chain.broadcast = broadcast  # type: ignore[method-assign]
    assert service.settle(request, world.deadline()) == outcome
    world.advance(200)
    assert service.settle(request, world.deadline()) == outcome
    world.node.mine(world.node.info.confirmations)
    assert service.settle(request, world.deadline()) == Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED)
    assert world.signer.signatures == world.mined_nonces() == 1


def test_a56_a_payment_refilled_and_submitted_by_another_after_our_revert_is_confirmed(
    new_world: NewWorld,
) -> None:
    """Our revert did not end it: somebody's later use still counts, and is not ours."""
    world = new_world()
    payer = world.payer()
    request = world.request(payer)
    broadcast = world.chain.broadcast

    def drained(raw: bytes, timeout: float) -> object:
        world.node.send("drain(address)", payer.address)
        return broadcast(raw, timeout)

    world.chain.broadcast = drained  # type: ignore[method-assign, assignment]
    service = world.service()
    assert isinstance(service.settle(request, world.deadline()), Pending)
    world.node.mint(payer.address, PRICE)
    world.submit_as_stranger(request)
    outcome = service.settle(request, world.deadline())
    assert isinstance(outcome, Confirmed)
    assert not outcome.ours


def test_a54_a_receipt_that_does_not_come_is_pending_with_its_hash_then_confirmed(
    new_world: NewWorld,
) -> None:
    """While no block comes the answer is Pending with the hash; the resend finds the same transaction."""
    world = new_world()
    request = world.request(world.payer())
    service = world.service()
    world.node.stop_mining()
    outcome = service.settle(request, world.deadline(patience=4))
    assert isinstance(outcome, Pending)
    assert outcome.transaction is not None
    world.node.mine_at_once()
    world.node.mine()
    again = service.settle(request, world.deadline())
    assert isinstance(again, Confirmed)
    assert again.proof.transaction == outcome.transaction
    assert world.signer.signatures == world.mined_nonces() == 1


@pytest.mark.own_chain
def test_a57_a_confirmed_payment_whose_block_is_gone_is_sent_again_with_the_same_bytes(
    new_world: NewWorld,
) -> None:
    """After a reorganisation the stored proof is worth nothing: the bytes go out again, with a new proof."""
    world = new_world()
    request = world.request(world.payer())
    snapshot = world.node.rpc("evm_snapshot")
    service = world.service()
    before = service.settle(request, world.deadline())
    assert isinstance(before, Confirmed)
    world.node.rpc("evm_revert", snapshot)
    world.node.mine(3)
    assert world.earned() == 0
    after = service.settle(request, world.deadline())
    assert isinstance(after, Confirmed)
    assert after.proof.transaction == before.proof.transaction
    assert after.proof.block_hash != before.proof.block_hash
    assert world.service().settle(request, world.deadline()) == after
    assert world.signer.signatures == 1
    assert world.earned() == PRICE


@pytest.mark.own_chain
def test_a57_a_strangers_transaction_whose_block_is_gone_is_forgotten_and_settled_by_us(
    new_world: NewWorld,
) -> None:
    """There are no bytes of ours to send again, so it is settled like a new payment."""
    world = new_world()
    request = world.request(world.payer())
    snapshot = world.node.rpc("evm_snapshot")
    world.submit_as_stranger(request)
    service = world.service()
    assert isinstance(service.settle(request, world.deadline()), Confirmed)
    world.node.rpc("evm_revert", snapshot)
    world.node.mine(3)
    assert service.settle(request, world.deadline()) == Pending()
    outcome = service.settle(request, world.deadline())
    assert isinstance(outcome, Confirmed)
    assert outcome.ours
    assert world.earned() == PRICE


def test_a_fee_cap_below_the_base_fee_reserves_nothing(new_world: NewWorld) -> None:
    """What could not mine is not signed; once fees are payable again the payment is settled."""
    world = new_world()
    request = world.request(world.payer())
    assert world.service(fee_cap=1).settle(request, world.deadline()) == Pending()
    assert world.next_nonce() == 0
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)


def test_the_journal_names_what_happened_and_holds_no_signature(new_world: NewWorld) -> None:
    """Ids, hashes and numbers only: neither the payer's signature nor the signed bytes."""
    world = new_world()
    world.journal = ListJournal()
    request = world.request(world.payer())
    world.service().settle(request, world.deadline())
    assert world.journal.events() == [
        Event.SETTLEMENT_RESERVED,
        Event.SETTLEMENT_SIGNED,
        Event.SETTLEMENT_BROADCAST,
        Event.SETTLEMENT_CONFIRMED,
    ]
    text = repr(world.journal.lines)
    stored = world.ledger().get(request.payment_id)
    assert stored is not None
    assert stored.raw is not None
    assert request.signature.hex() not in text
    assert stored.raw.hex() not in text
    assert request.signature.hex() not in repr(stored)


def test_a63_a_token_that_needs_more_gas_than_we_send_is_refused_before_anything_is_reserved(
    new_world: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulation has the transaction's own limit: no nonce, no signature, no gas spent on finding out."""
    world = new_world()
    request = world.request(world.payer())
    monkeypatch.setattr(eip3009, "TRANSFER_GAS", 40_000)
    assert world.service().settle(request, world.deadline()) == Pending()
    with pytest.raises(Refusal) as refused:
        world.service().settle(request, world.deadline(), Guest(10))
    assert refused.value.reason is Reason.SIMULATION_FAILED
    assert world.signer.signatures == world.next_nonce() == 0
    monkeypatch.undo()
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)
