"""Payments that somebody else brings on chain: never a success here (threats 51, 113, 115)."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.sellers import make_key
from tests.support.settling import PRICE, ROOM, NewWorld, SettleWorld
from tollgate.facilitator.http_settle import GuestSettleService
from tollgate.facilitator.signing import Market
from tollgate.ledger.settlement_items import DailyCap
from tollgate.payment.sellers import Allowance, Seller, key_hash
from tollgate.payment.settlement import SettleRequest
from tollgate.payment.states import SettlementState
from tollgate.wire.facilitator_messages import Envelope


def seller_of(world: SettleWorld, name: str = "tea-shop") -> Seller:
    """May be paid what this world's payments pay."""
    allowance = Allowance(world.node.info.network, world.asset.address, PRICE)
    return Seller(name, (world.seller,), (allowance,), 10, (key_hash(make_key(name)),))


def guests(world: SettleWorld, **parts: Any) -> GuestSettleService:
    """A fresh process."""
    assets = {world.node.info.network: world.asset}
    ledger = parts.get("ledger") or world.ledger()
    return GuestSettleService(assets, world.service(**parts), ledger, world.journal, world.clock, lambda _: None)


def envelope_of(world: SettleWorld, request: SettleRequest) -> Envelope:
    """What a seller's server posts for this payment."""
    a = request.authorization
    requirements = {
        "scheme": "exact",
        "network": str(request.network),
        "amount": str(a.value),
        "asset": str(request.asset),
        "payTo": str(a.to),
        "maxTimeoutSeconds": 3600,
        "extra": {"name": world.asset.name, "version": world.asset.version},
    }
    authorization = {
        "from": str(a.from_),
        "to": str(a.to),
        "value": str(a.value),
        "validAfter": str(a.valid_after),
        "validBefore": str(a.valid_before),
        "nonce": str(a.nonce),
    }
    payload = {
        "x402Version": 2,
        "accepted": requirements,
        "payload": {"signature": "0x" + request.signature.hex(), "authorization": authorization},
    }
    return Envelope(2, str(request.network), payload, requirements)


def test_a113_a_strangers_settled_payment_is_no_success_and_leaves_no_trace(new_world: NewWorld) -> None:
    """Copied from the chain and presented as one's own: the money came, but not for this."""
    world = new_world()
    request = world.request(world.payer(), valid_for=3000)
    world.submit_as_stranger(request)
    answer = guests(world).settle(seller_of(world), envelope_of(world, request), world.deadline()).to_json()
    assert (answer["success"], answer["errorReason"]) == (False, "invalid_exact_evm_nonce_already_used")
    assert answer["transaction"] == ""
    assert world.ledger().get(request.payment_id) is None
    assert world.table.get(DailyCap.at("tea-shop", 10, int(world.clock())).key) is None
    assert world.signer.signatures == 0


def test_a115_somebody_elses_transaction_after_our_reservation_is_no_success(new_world: NewWorld) -> None:
    """It is named, so that the seller can look; the same again, and after a restart."""
    world = new_world()
    request = world.request(world.payer(), valid_for=3000)
    broadcast = world.chain.broadcast
    theirs: list[str] = []

    def preempted(raw: bytes, timeout: float) -> object:
        if not theirs:
            theirs.append(world.submit_as_stranger(request))
        return broadcast(raw, timeout)

    world.chain.broadcast = preempted  # type: ignore[method-assign, assignment]
    envelope = envelope_of(world, request)
    for _ in range(2):
        answer = guests(world).settle(seller_of(world), envelope, world.deadline()).to_json()
        assert (answer["success"], answer["errorReason"]) == (False, "invalid_transaction_state")
        assert answer["transaction"] == theirs[0]
    assert world.earned() == PRICE


def test_a52_a_cancelled_payment_is_a_failure_for_good(new_world: NewWorld) -> None:
    """Cancelled between our reservation and our transaction; unknown until the cancellation is deep enough."""
    world = new_world()
    payer = world.payer()
    request = world.request(payer, valid_for=3000)
    broadcast = world.chain.broadcast
    cancelled: list[str] = []

    def preempted(raw: bytes, timeout: float) -> object:
        if not cancelled:
            cancelled.append(world.cancel(payer, request))
        return broadcast(raw, timeout)

    world.chain.broadcast = preempted  # type: ignore[method-assign, assignment]
    envelope = envelope_of(world, request)
    unknown = guests(world).settle(seller_of(world), envelope, world.deadline(3)).to_json()
    assert unknown["errorReason"] == "settlement_pending"
    world.node.mine(world.node.info.confirmations)
    answer = guests(world).settle(seller_of(world), envelope, world.deadline()).to_json()
    assert (answer["success"], answer["errorReason"]) == (False, "authorization_cancelled")
    assert answer["transaction"] == ""


def test_the_first_sight_of_a_payment_bounds_the_search_for_its_use(new_world: NewWorld) -> None:
    """Nobody told us a height: it is what the batch that found the nonce unused says, less the margin."""
    world = new_world()
    world.node.mine(50)
    request = world.request(world.payer(), valid_for=3000)
    answer = guests(world).settle(seller_of(world), envelope_of(world, request), world.deadline()).to_json()
    assert answer["success"] is True
    known = world.ledger().get(request.payment_id)
    assert known is not None
    assert known.request.seen_block == request.seen_block - 30
    assert known.request.seller == "tea-shop"


def test_a_reservation_of_somebody_alive_is_waited_for(new_world: NewWorld) -> None:
    """The same seller's other call is about to sign: its outcome is ours."""
    world = new_world()
    request = replace(world.request(world.payer(), valid_for=3000), seller="tea-shop", max_timeout_seconds=3600)
    ledger = world.ledger()
    reserved = ledger.reserve(request, world.relayer, 0, "somebody", int(world.clock()) + 60, room=ROOM)
    looks = 0

    class Signing:
        """The other call signs at the second look."""

        def __getattr__(self, name: str) -> Any:
            return getattr(ledger, name)

        def get(self, payment: Any) -> Any:
            nonlocal looks
            looks += 1
            if looks == 2:
                world.service(ledger=ledger)._signing.sign(reserved, market(world, request), filler=False)
            return ledger.get(payment)

    answer = guests(world, ledger=Signing()).settle(seller_of(world), envelope_of(world, request), world.deadline())
    assert answer.to_json()["success"] is True
    assert world.signer.signatures == 1
    assert world.mined_nonces() == 1


def test_a_reservation_that_nobody_signs_is_pending_without_a_hash(new_world: NewWorld) -> None:
    """Its owner may be dead, but its lease runs: unknown, and in time."""
    world = new_world()
    request = replace(world.request(world.payer(), valid_for=3000), seller="tea-shop", max_timeout_seconds=3600)
    world.ledger().reserve(request, world.relayer, 0, "somebody", int(world.clock()) + 60, room=ROOM)
    service = guests(world)
    service._sleep = lambda seconds: world.forget(1)  # type: ignore[assignment, return-value]
    answer = service.settle(seller_of(world), envelope_of(world, request), world.deadline()).to_json()
    assert (answer["success"], answer["errorReason"], answer["transaction"]) == (False, "settlement_pending", "")
    known = world.ledger().get(request.payment_id)
    assert known is not None
    assert known.state is SettlementState.RESERVED


def test_a_cap_of_another_day_is_another_count(new_world: NewWorld) -> None:
    """UTC days, each with an item of its own; a cap of nothing lets nothing through."""
    world = new_world()
    ledger = world.ledger()
    day = 86_400
    used = [DailyCap.at("tea-shop", 1, now) for now in (10 * day, 11 * day - 1, 11 * day)]
    assert used[0].key == used[1].key != used[2].key
    for cap, works in ((used[0], True), (used[1], False), (used[2], True), (DailyCap("x", 1, 0), False)):
        request = world.request(world.payer())
        try:
            ledger.reserve(request, world.relayer, 0, "me", int(world.clock()) + 60, room=ROOM, cap=cap)
        except Exception as error:
            assert type(error).__name__ == "CapReached", error
            assert not works
            assert ledger.get(request.payment_id) is None
        else:
            assert works


def market(world: SettleWorld, request: SettleRequest) -> Any:
    """What a transaction should pay now."""
    prepared = world.chain.prepare(world.asset, request.authorization, request.signature, world.relayer, 5)
    return Market.of(prepared, 100 * 10**9)


@pytest.mark.parametrize("name", ["tea-shop", "a", "a-b-1"])
def test_a_seller_reads_as_itself_only(new_world: NewWorld, name: str) -> None:
    """What a key covers is what its own seller may have: another's payTo is refused before the chain."""
    world = new_world()
    request = world.request(world.payer(), valid_for=3000)
    stranger = replace(seller_of(world, name), pay_to=())
    answer = guests(world).settle(stranger, envelope_of(world, request), world.deadline()).to_json()
    assert answer["errorReason"] == "invalid_payment_requirements"
    assert world.requests == {"GetItem": 1}
