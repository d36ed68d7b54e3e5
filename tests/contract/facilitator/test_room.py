"""What one payer may have open and may let revert, on a real chain and a real table (threats 62, 72)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.support.settling import PRICE, Dying, NewWorld, SettleWorld, dies
from tollgate.chain.evm import Preparation
from tollgate.errors import Refusal
from tollgate.facilitator.call import Guest
from tollgate.ledger.room import BLOCK_SECONDS, MOST_REVERTS, REVERT_WINDOW_SECONDS
from tollgate.payment.events import Event
from tollgate.payment.settlement import Confirmed, Failed, Pending, SettleRequest
from tollgate.wire.reasons import Reason

GUEST = Guest(1000)


@pytest.fixture
def world(new_world: NewWorld) -> Iterator[SettleWorld]:
    """A world on a chain that mines at once, before and after."""
    made = new_world()
    yield made
    made.node.mine_at_once()


def open_now(world: SettleWorld, payer: LocalAccount) -> tuple[int, int]:
    """How many of the payer's settlements count as open, and their value; what is listed agrees."""
    row = world.room_row(payer)
    assert len([name for name in row if name.startswith("0x")]) == row.get("open", 0)
    return row.get("open", 0), row.get("open_value", 0)


def reverting(world: SettleWorld, payer: LocalAccount) -> Callable[..., object]:
    """A broadcast before which the payer takes its money away."""
    broadcast = world.new_chain().broadcast

    def drained(raw: bytes, timeout: float) -> object:
        world.node.send("drain(address)", payer.address)
        return broadcast(raw, timeout)

    return drained


def let_revert(world: SettleWorld, payer: LocalAccount) -> SettleRequest:
    """One payment of which the transaction reverts; afterwards the payer is rich again."""
    chain = world.new_chain()
    chain.broadcast = reverting(world, payer)  # type: ignore[method-assign, assignment]
    request = world.request(payer)
    assert isinstance(world.service(chain=chain).settle(request, world.deadline()), Pending)
    world.node.mint(payer.address, 100 * PRICE)
    return request


@pytest.mark.parametrize("block_seconds", [0, 1], ids=["instant-blocks", "one-second-blocks"])
def test_a62_eight_payments_over_one_balance_make_one_transaction(world: SettleWorld, block_seconds: int) -> None:
    """All pass the check, one is sent; the others are neither signed nor refused: they may be paid after a refill."""
    payer = world.node.funded_account(PRICE)
    requests = [world.request(payer) for _ in range(8)]
    if block_seconds:
        world.node.mine_every(block_seconds)
    services = [world.service(chain=world.new_chain()) for _ in requests]
    deadline = world.deadline(12)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda s, r: s.settle(r, deadline), services, requests))
    world.node.mine_at_once()
    assert sum(isinstance(o, Confirmed) for o in outcomes) == 1
    assert outcomes.count(Pending()) == 7
    assert world.signer.signatures == world.mined_nonces() == world.next_nonce() == 1
    assert open_now(world, payer) == (0, 0)
    assert not world.room_row(payer).get("reverts")
    world.node.mint(payer.address, PRICE)
    late = requests[outcomes.index(Pending())]
    assert isinstance(world.service().settle(late, world.deadline()), Confirmed)


def test_a62_a_balance_seen_before_a_transfer_that_ended_since_is_looked_at_again(world: SettleWorld) -> None:
    """Between the look and the reservation another payment took its room, mined and gave it back."""
    payer = world.node.funded_account(PRICE)
    first, second = world.request(payer), world.request(payer)
    chain = world.new_chain()
    prepare = chain.prepare

    def slow(*args: Any) -> Preparation:
        seen = prepare(*args)
        if not world.signer.signatures:
            assert isinstance(world.service().settle(first, world.deadline()), Confirmed)
        return seen

    chain.prepare = slow  # type: ignore[method-assign]
    assert world.service(chain=chain).settle(second, world.deadline()) == Pending()
    assert world.signer.signatures == world.mined_nonces() == 1
    assert not world.room_row(payer).get("reverts")
    world.node.mint(payer.address, PRICE)
    assert isinstance(world.service().settle(second, world.deadline()), Confirmed)


def test_a58_an_endpoint_that_lags_behind_a_payers_transfer_is_not_stormed(world: SettleWorld) -> None:
    """It never shows the block of the first payment: nothing is sent, and it is asked about once a block."""
    payer = world.node.funded_account(PRICE)
    first, second = world.request(payer), world.request(payer)
    chain = world.new_chain()
    behind = chain.prepare(world.asset, second.authorization, second.signature, world.relayer, 5.0)
    assert isinstance(world.service().settle(first, world.deadline()), Confirmed)
    asked: list[float] = []

    def lagging(*_: Any) -> Preparation:
        asked.append(world.clock())
        return behind

    chain.prepare = lagging  # type: ignore[method-assign]
    assert world.service(chain=chain).settle(second, world.deadline(8)) == Pending()
    assert 2 <= len(asked) <= 6
    assert world.signer.signatures == world.mined_nonces() == 1


def test_a72_a_payer_at_its_cap_does_not_keep_another_from_settling(world: SettleWorld) -> None:
    """Its next payments take no nonce and no signature; when one has ended there is room for one."""
    flood, other = world.payer(), world.payer()
    requests = [world.request(flood) for _ in range(3)]
    honest = world.request(other)
    world.node.stop_mining()
    outcomes = [world.service(most_open=2).settle(r, world.deadline(3)) for r in requests]
    assert [isinstance(o, Pending) and o.transaction is not None for o in outcomes] == [True, True, False]
    assert open_now(world, flood) == (2, 2 * PRICE)
    pending = world.service().settle(honest, world.deadline(3))
    assert isinstance(pending, Pending)
    assert pending.transaction is not None
    world.node.mine()
    world.node.mine_at_once()
    assert isinstance(world.service().settle(honest, world.deadline()), Confirmed)
    assert isinstance(world.service().settle(requests[2], world.deadline()), Confirmed)
    assert world.mined_nonces() == world.next_nonce() == 4


def test_a72_a_seller_elsewhere_is_refused_with_a_reason(world: SettleWorld) -> None:
    """Nothing of it was reserved, so nothing of it can move through us; what is known is not refused."""
    payer = world.payer()
    first, second = world.request(payer, seller="tea-shop"), world.request(payer, seller="tea-shop")
    world.node.stop_mining()
    assert isinstance(world.service().settle(first, world.deadline(3), GUEST), Pending)
    with pytest.raises(Refusal) as refused:
        world.service(most_open=1).settle(second, world.deadline(3), GUEST)
    assert refused.value.reason is Reason.PAYER_FULL
    assert world.ledger().get(second.payment_id) is None
    assert isinstance(world.service().settle(first, world.deadline(3), GUEST), Pending)


def test_what_nobody_asks_for_again_does_not_fill_the_payers_room(world: SettleWorld) -> None:
    """A seller elsewhere got "pending" and went away; the payer's next payment ends it and takes its place."""
    payer = world.node.funded_account(2 * PRICE)
    left, following = world.request(payer, seller="tea-shop"), world.request(payer)
    world.node.stop_mining()
    world.service().settle(left, world.deadline(3), GUEST)
    world.node.mine()
    world.node.mine_at_once()
    assert open_now(world, payer) == (1, PRICE)
    assert isinstance(world.service().settle(following, world.deadline()), Confirmed)
    stored = world.ledger().get(left.payment_id)
    assert stored is not None
    assert isinstance(stored.outcome, Confirmed)
    assert open_now(world, payer) == (0, 0)


@pytest.mark.parametrize("end", ["confirmed", "cancelled", "expired"])
def test_the_room_is_given_back_once_however_it_ends(world: SettleWorld, end: str) -> None:
    """In the write that ends it, so a second call, or a process that died in between, gives nothing back."""
    payer = world.payer()
    request = world.request(payer, valid_for=100)
    hidden = world.new_chain()
    hidden.broadcast = lambda *_: None  # type: ignore[method-assign]
    world.service(chain=hidden).settle(request, world.deadline(3))
    assert open_now(world, payer) == (1, PRICE)
    if end == "cancelled":
        world.cancel(payer, request)
    if end == "expired":
        world.advance(200)
    if end != "confirmed":
        world.node.mine(world.node.info.confirmations)
    dies(lambda: world.service(ledger=Dying(world.ledger(), "conclude", after=True)).settle(request, world.deadline()))
    assert open_now(world, payer) == (0, 0)
    for _ in range(2):
        outcome = world.service().settle(request, world.deadline())
        assert isinstance(outcome, Confirmed if end == "confirmed" else Failed)
    assert open_now(world, payer) == (0, 0)


def test_a_second_verdict_gives_no_room_back(world: SettleWorld) -> None:
    """Of two that end one settlement, one frees its room: the row must not say less than what is open."""
    payer = world.payer()
    request, other = world.request(payer), world.request(payer)
    hidden = world.new_chain()
    hidden.broadcast = lambda *_: None  # type: ignore[method-assign]
    for one in (request, other):
        world.service(chain=hidden).settle(one, world.deadline(3))
    signed = world.ledger().get(request.payment_id)
    assert signed is not None
    for reason in (Reason.AUTHORIZATION_CANCELLED, Reason.AUTHORIZATION_EXPIRED_UNUSED):
        ended = world.ledger().conclude(signed, Failed(reason), int(world.clock()))
        assert ended.outcome == Failed(Reason.AUTHORIZATION_CANCELLED)
    assert open_now(world, payer) == (1, PRICE)


@pytest.mark.own_chain
def test_a_settlement_that_is_reopened_takes_its_room_again(world: SettleWorld) -> None:
    """After a reorganisation it is open once more; and its second end frees the room once more."""
    payer = world.payer()
    request = world.request(payer)
    snapshot = world.node.rpc("evm_snapshot")
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)
    world.node.rpc("evm_revert", snapshot)
    world.node.mine(3)
    seen: list[tuple[int, int]] = []
    chain = world.new_chain()
    broadcast = chain.broadcast

    def counted(raw: bytes, timeout: float) -> object:
        seen.append(open_now(world, payer))
        return broadcast(raw, timeout)

    chain.broadcast = counted  # type: ignore[method-assign, assignment]
    assert isinstance(world.service(chain=chain).settle(request, world.deadline()), Confirmed)
    assert seen == [(1, PRICE)]
    assert open_now(world, payer) == (0, 0)


def test_a_settlement_of_the_first_version_gives_no_room_back(world: SettleWorld) -> None:
    """It never took any: its item does not say so."""
    payer = world.payer()
    request = world.request(payer)
    dies(lambda: world.service(ledger=Dying(world.ledger(), "reserve", after=True)).settle(request, world.deadline()))
    world.dynamo.delete_item(
        TableName=world.table._name,
        Key={"pk": {"S": f"PYR#{request.network}#{request.asset.lower}#{payer.address.lower()}"}},
    )
    world.dynamo.update_item(
        TableName=world.table._name,
        Key={"pk": {"S": f"STL#{request.payment_id}"}},
        UpdateExpression="REMOVE holds_room",
    )
    world.forget(60)
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)
    assert open_now(world, payer) == (0, 0)


def test_a62_after_five_reverts_the_payer_is_blocked_for_a_while(world: SettleWorld) -> None:
    """Each cost us gas. Nothing more is signed for it, whatever its balance; others are served; later it is again."""
    payer, other = world.payer(), world.payer()
    for _ in range(MOST_REVERTS):
        let_revert(world, payer)
    request = world.request(payer)
    signed = world.signer.signatures
    assert world.service().settle(request, world.deadline()) == Pending()
    with pytest.raises(Refusal) as refused:
        world.service().settle(world.request(payer, seller="tea-shop"), world.deadline(), GUEST)
    assert refused.value.reason is Reason.PAYER_BLOCKED
    assert world.signer.signatures == signed
    assert isinstance(world.service().settle(world.request(other), world.deadline()), Confirmed)
    row = world.table.get(f"PTO#{request.network}#{request.authorization.to.lower}")
    assert row is not None
    assert row["reverts"] == MOST_REVERTS
    world.forget(BLOCK_SECONDS + 1)
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)


def test_a62_reverts_that_are_far_apart_block_nobody(world: SettleWorld) -> None:
    """Five in an hour, not five in a life."""
    payer = world.payer()
    for _ in range(MOST_REVERTS):
        let_revert(world, payer)
        world.forget(REVERT_WINDOW_SECONDS // (MOST_REVERTS - 1) + 60)
    assert isinstance(world.service().settle(world.request(payer), world.deadline()), Confirmed)


def test_a62_a_revert_is_counted_once_though_many_see_it(world: SettleWorld) -> None:
    """Who waited died before it could count; of those who come later at once one does."""
    payer = world.payer()
    request = world.request(payer)
    dying: Any = Dying(world.ledger(), "count_revert", after=False)
    chain = world.new_chain()
    chain.broadcast = reverting(world, payer)  # type: ignore[method-assign, assignment]
    dies(lambda: world.service(ledger=dying, chain=chain).settle(request, world.deadline()))
    assert not world.room_row(payer).get("reverts")
    with ThreadPoolExecutor(4) as pool:
        services = [world.service(chain=world.new_chain()) for _ in range(4)]
        list(pool.map(lambda service: service.settle(request, world.deadline(4)), services))
    world.service().settle(request, world.deadline(4))
    assert len(world.room_row(payer)["reverts"].split()) == 1
    assert Event.SETTLEMENT_REVERTED in world.journal.events()
    assert open_now(world, payer) == (1, PRICE)


def test_a72_what_a_dead_process_reserved_for_a_seller_elsewhere_does_not_lock_its_payer_out(
    world: SettleWorld,
) -> None:
    """Killed before it signed, and nobody asks for that payment again: it ends with its deadline all the same."""
    payer = world.node.funded_account(PRICE)
    abandoned = world.request(payer, valid_for=60, seller="elsewhere")
    dying = Dying(world.ledger(), "store_bytes", after=False)
    dies(lambda: world.service(ledger=dying).settle(abandoned, world.deadline(), GUEST))
    assert open_now(world, payer) == (1, PRICE)
    world.advance(120)
    world.node.mine(10)
    later = world.request(payer, seller="elsewhere")
    assert isinstance(world.service().settle(later, world.deadline(), GUEST), Confirmed)
    assert open_now(world, payer) == (0, 0)
