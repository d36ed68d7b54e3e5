"""What reconcile does about REFUND_DUE: marked before settle is asked, refunded once, and left alone by hands."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.chain import calldata
from tests.support.settling import Dying, dies
from tests.support.upstream import answers
from tests.support.world import PRICE, World
from tollgate.errors import LostRace
from tollgate.ledger.refund_marks import RefundMarks
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.events import Event
from tollgate.payment.record import Payment
from tollgate.payment.refund import refund_nonce
from tollgate.payment.settlement import Failed
from tollgate.payment.states import State
from tollgate.reconcile.refunds import WITHDRAW_AFTER_SECONDS
from tollgate.wire.primitives import Address, Bytes32
from tollgate.wire.reasons import Reason

PATH = "/report/paris"
PURSE = 100_000_000
BY_HAND = Bytes32(b"\x0b" * 32)


@pytest.fixture
def owing(world: World) -> World:
    """A world with a route that settles first and whose upstream fails, and a treasury that refunds by itself."""
    settles_first = dataclasses.replace(
        world.requirements, extra={**world.requirements.extra, "paymentFlow": "upfront"}
    )
    world.routes.append(world.route("report", "GET", "/report/{city}", accepts=(settles_first,)))
    world.upstream.behave(answers(500))
    world.refunds_begin = True
    fund(world)
    return world


def fund(world: World, atomic: int = 10 * PRICE) -> None:
    """Give the treasury tokens."""
    world.chain.mint(str(world.signer.address()), atomic)


def owed(world: World, *, deep: bool = True) -> dict[str, Any]:
    """A payment that was charged and not served; ``confirmations`` deep unless told otherwise."""
    payment = world.sign(world.buyer(), world.offer(PATH))
    assert world.request(PATH, payment=payment).status == 502
    assert known(world, payment).state is State.REFUND_DUE
    if deep:
        world.chain.mine(world.info.confirmations, 0)
    return payment


def known(world: World, payment: dict[str, Any]) -> Payment:
    """How the ledger holds it."""
    found = world.payment(payment)
    assert found is not None
    return found


def passes(world: World, count: int = 1) -> None:
    """So many minutes, with a pass in each; each buries the chain deep enough for whatever is waited for."""
    for _ in range(count):
        world.skew += 1_000
        world.chain.mine(21, 0)
        world.reconcile()


def purse(world: World, payment: dict[str, Any]) -> int:
    """What the payer holds."""
    return world.chain.balance(str(known(world, payment).id.payer))


def spent(world: World, payment: dict[str, Any]) -> bool:
    """Whether the refund's authorization is used on chain."""
    return world.chain.nonce_used(str(world.signer.address()), refund_nonce(known(world, payment).id).raw)


def refunded_once(world: World, payment: dict[str, Any]) -> None:
    """On chain, and in the books."""
    current = known(world, payment)
    assert current.state is State.REFUNDED
    assert purse(world, payment) == PURSE
    assert world.chain.balance(str(world.signer.address())) == 9 * PRICE
    row = world.row("RFD", payment)
    assert row is not None
    assert row["refund_transaction"] == current.moves[-1].detail
    assert world.diary.count(Event.PAYMENT_REFUNDED) == 1


def test_a_charge_without_service_is_sent_back_and_written_down_when_final(owing: World) -> None:
    """First marked, then under way, then REFUNDED with its transaction and the row of what is owed closed."""
    payment = owed(owing)
    owing.skew += 60
    owing.reconcile()
    under_way = known(owing, payment)
    assert under_way.state is State.REFUND_DUE
    assert under_way.refund_begun_at is not None
    assert purse(owing, payment) == PURSE
    passes(owing)
    refunded_once(owing, payment)
    assert [m.what for m in known(owing, payment).moves[-3:]] == ["REFUND_DUE", "REFUND_BEGUN", "REFUNDED"]
    assert owing.request(PATH, payment=payment).status == 409


def test_by_default_nothing_is_sent_and_it_stays_the_operators(owing: World) -> None:
    """Refunds is manual: settle is not even asked, and a hand closes it."""
    owing.refunds_begin = False
    payment = owed(owing)
    passes(owing, 3)
    assert owing.refunder.calls == []
    UpfrontLedger(owing.table).refunded(known(owing, payment), BY_HAND, 1)
    assert known(owing, payment).state is State.REFUNDED


@pytest.mark.parametrize("how", ["refunded", "credited"])
def test_once_it_is_begun_no_hand_can_close_it(owing: World, how: str) -> None:
    """Else the payer would be made good twice."""
    payment = owed(owing)
    RefundMarks(owing.table).begin(known(owing, payment), int(owing.clock()))
    ledger = UpfrontLedger(owing.table)
    with pytest.raises(LostRace):
        if how == "refunded":
            ledger.refunded(known(owing, payment), BY_HAND, 1)
        else:
            ledger.credited(known(owing, payment), "TICKET-1", 1)
    passes(owing, 2)
    refunded_once(owing, payment)


@pytest.mark.parametrize("how", ["refunded", "credited"])
def test_what_a_hand_closed_is_not_sent_by_the_stack(owing: World, how: str) -> None:
    """Whoever read it before loses the race for the mark, and settle is not asked to sign."""
    payment = owed(owing)
    read_before = known(owing, payment)
    ledger = UpfrontLedger(owing.table)
    if how == "refunded":
        ledger.refunded(read_before, BY_HAND, 1)
    else:
        ledger.credited(read_before, "TICKET-1", 1)
    with pytest.raises(LostRace):
        RefundMarks(owing.table).begin(read_before, int(owing.clock()))
    passes(owing, 2)
    assert "refund" not in owing.refunder.calls
    assert not spent(owing, payment)


def test_an_empty_treasury_leaves_the_choice_to_the_operator(owing: World) -> None:
    """Not marked while it cannot be paid: the money may be sent by hand, or the treasury filled."""
    owing.chain.rpc("anvil_impersonateAccount", str(owing.signer.address()))
    empty, filled = owed(owing), owed(owing)
    drain(owing)
    passes(owing)
    assert known(owing, empty).refund_begun_at is None
    assert owing.diary.count(Event.REFUND_WAITS) >= 2
    UpfrontLedger(owing.table).credited(known(owing, empty), "TICKET-1", 1)
    fund(owing)
    passes(owing, 3)
    refunded_once(owing, filled)
    assert not spent(owing, empty)


def drain(world: World) -> None:
    """Take all its tokens from the treasury."""
    treasury = str(world.signer.address())
    data = calldata("transfer(address,uint256)", "0x" + "77" * 20, world.chain.balance(treasury))
    world.chain.rpc("eth_sendTransaction", {"from": treasury, "to": world.chain.token, "data": data})


WRITES = [(method, after) for method in ("begin", "done") for after in (False, True)]


@pytest.mark.parametrize(("method", "after"), WRITES, ids=str)
def test_a105_a_pass_that_dies_at_any_write_is_finished_by_the_next(
    owing: World, monkeypatch: pytest.MonkeyPatch, method: str, after: bool
) -> None:
    """Begun and not asked, sent and not written down: one refund, and the books say so."""
    payment = owed(owing)
    dying = Dying(RefundMarks(owing.table), method, after=after)
    with monkeypatch.context() as patched:
        patched.setattr("tests.support.world.RefundMarks", lambda _: dying)
        owing.skew += 60
        if method == "done":
            owing.reconcile()
            owing.chain.mine(21, 0)
            owing.skew += 1_000
        dies(owing.reconcile)
    passes(owing, 3)
    current = known(owing, payment)
    assert current.state is State.REFUNDED
    assert purse(owing, payment) == PURSE
    assert owing.chain.balance(str(owing.signer.address())) == 9 * PRICE


def test_an_answer_of_settle_that_is_lost_is_asked_for_again(owing: World) -> None:
    """Both of them: the mark stays, the authorization is the same."""
    payment = owed(owing)
    owing.refunder.lose_answers = 1
    passes(owing)
    assert known(owing, payment).refund_begun_at is None
    RefundMarks(owing.table).begin(known(owing, payment), int(owing.clock()))
    owing.refunder.lose_answers = 1
    passes(owing)
    assert spent(owing, payment)
    passes(owing)
    refunded_once(owing, payment)


def test_a99_two_passes_at_once_refund_once(owing: World) -> None:
    """They share the work list; whoever is later finds it done."""
    payments = [owed(owing) for _ in range(3)]
    owing.skew += 60
    for _ in range(3):
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: owing.reconcile(), range(3)))
        owing.skew += 1_000
        owing.chain.mine(21, 0)
    assert [known(owing, p).state for p in payments] == [State.REFUNDED] * 3
    assert [purse(owing, p) for p in payments] == [PURSE] * 3
    assert owing.chain.balance(str(owing.signer.address())) == 7 * PRICE


def test_money_of_another_recipient_is_refused_and_left_to_the_operator(owing: World) -> None:
    """The treasury does not answer for a route's own payTo."""
    elsewhere = dataclasses.replace(owing.routes[-1].accepts[0], pay_to=Address.parse("0x" + "5f" * 20))
    owing.routes[-1] = dataclasses.replace(owing.routes[-1], accepts=(elsewhere,))
    payment = owed(owing)
    passes(owing, 2)
    assert known(owing, payment).refund_begun_at is None
    assert owing.diary.count(Event.REFUND_REFUSED) >= 1
    UpfrontLedger(owing.table).refunded(known(owing, payment), BY_HAND, 1)


def test_a_begun_refund_that_settle_will_never_sign_goes_back_to_the_operator(owing: World) -> None:
    """Refunds was set to manual between the mark and the signature: after an hour nothing can be on its way."""
    payment = owed(owing)
    RefundMarks(owing.table).begin(known(owing, payment), int(owing.clock()))
    owing.refunds_begin = False
    owing.skew += 60
    owing.reconcile()
    assert known(owing, payment).refund_begun_at is not None
    owing.skew += WITHDRAW_AFTER_SECONDS
    owing.reconcile()
    assert known(owing, payment).refund_begun_at is None
    UpfrontLedger(owing.table).refunded(known(owing, payment), BY_HAND, 1)
    assert not spent(owing, payment)


def test_a_refund_that_can_never_move_is_the_operators(owing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proven on chain, as for any authorization; it is not begun again."""
    payment = owed(owing)
    monkeypatch.setattr(owing.refunder, "refund", lambda *_: Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED))
    passes(owing)
    current = known(owing, payment)
    assert (current.refund_begun_at, current.refund_failed) == (None, "authorization_expired_unused")
    asked = len(owing.refunder.calls)
    passes(owing, 2)
    assert len(owing.refunder.calls) == asked
    UpfrontLedger(owing.table).credited(known(owing, payment), "TICKET-1", 1)


@pytest.mark.own_chain
def test_a57_the_payments_block_disappears_before_the_refund(owing: World) -> None:
    """It is settled again first, and owed back again; one payment, one refund."""
    payment = owing.sign(owing.buyer(), owing.offer(PATH))
    snapshot = owing.chain.rpc("evm_snapshot")
    assert owing.request(PATH, payment=payment).status == 502
    assert owing.chain.rpc("evm_revert", snapshot)
    owing.chain.mine(owing.info.confirmations + 3, 0)
    owing.skew += 5
    owing.reconcile()
    passes(owing, 4)
    refunded_once(owing, payment)
    assert owing.revenue() == (PRICE, 1)
