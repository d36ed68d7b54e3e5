"""The settlements ledger against a real DynamoDB server: what each condition lets through."""

from typing import Any, NoReturn

import pytest

from tests.support.payments import some_address, some_claim, some_proof, some_word
from tests.support.settling import ROOM, NewWorld
from tollgate.errors import LostRace
from tollgate.ledger.dynamo import Table, TransactionCancelled
from tollgate.ledger.settlement_items import DailyCap, Settlement, SignedBytes, Slot
from tollgate.ledger.settlements import CapReached, KnownSettlement, NonceTaken, SettlementsLedger
from tollgate.payment.record import Payment
from tollgate.payment.settlement import Confirmed, Failed, SettleRequest
from tollgate.payment.states import SettlementState, State
from tollgate.wire.reasons import Reason

RELAYER = some_address()


def some_request() -> SettleRequest:
    """A payment that no chain has seen."""
    return Payment(some_claim(), State.SETTLING, 1).settle_request()


@pytest.fixture
def table(new_world: NewWorld) -> Table:
    """An empty settlements table."""
    return new_world().table


def reserve(ledger: SettlementsLedger, request: SettleRequest | None = None, owner: str = "me") -> Settlement:
    """Reserve for a payment at a chain where the relayer has sent nothing."""
    return ledger.reserve(request or some_request(), RELAYER, 0, owner, 100, room=ROOM)


def nonce(settlement: Settlement) -> int:
    """The reserved nonce."""
    assert settlement.slot is not None
    return settlement.slot.nonce


def test_nonces_are_reserved_one_after_the_other(table: Table) -> None:
    """A ledger that remembers and one that does not count on from each other."""
    ledger = SettlementsLedger(table)
    assert [nonce(reserve(ledger)) for _ in range(3)] == [0, 1, 2]
    assert nonce(reserve(SettlementsLedger(table))) == 3


def test_a_stale_memory_of_the_counter_costs_one_more_attempt_and_no_nonce(table: Table) -> None:
    """The failed condition shows what stands there; the next attempt goes by that."""
    stale, other = SettlementsLedger(table), SettlementsLedger(table)
    reserve(stale)
    reserve(other)
    request = some_request()
    with pytest.raises(NonceTaken):
        reserve(stale, request)
    assert nonce(reserve(stale, request)) == 2


def test_the_nonce_is_the_larger_of_stored_and_chain(table: Table) -> None:
    """A chain that is ahead moves the counter up; one that lags does not move it down."""
    ledger = SettlementsLedger(table)
    assert nonce(ledger.reserve(some_request(), RELAYER, 7, "me", 100, room=ROOM)) == 7
    assert nonce(ledger.reserve(some_request(), RELAYER, 3, "me", 100, room=ROOM)) == 8


def test_at_a_days_cap_a_payment_that_is_known_is_known(table: Table) -> None:
    """A cancelled transaction that names the cap alone: what was begun is answered, not refused (rule 1)."""
    ledger = SettlementsLedger(table)
    request, cap = some_request(), DailyCap("tea-shop", 20_000, 1)
    first = ledger.reserve(request, RELAYER, 0, "me", 100, room=ROOM, cap=cap)

    def only_the_cap(_: object) -> NoReturn:
        raise TransactionCancelled({4: None})

    table.transact = only_the_cap  # type: ignore[method-assign, assignment]
    assert ledger.reserve(request, RELAYER, 0, "me", 100, room=ROOM, cap=cap) == first
    with pytest.raises(KnownSettlement) as known:
        ledger.reserve(request, RELAYER, 0, "another", 100, room=ROOM, cap=cap)
    assert known.value.settlement == first
    with pytest.raises(CapReached):
        ledger.reserve(some_request(), RELAYER, 0, "me", 100, room=ROOM, cap=cap)


def test_a_payment_is_reserved_once_and_the_loser_sees_what_stands(table: Table) -> None:
    """The second reservation of a payment fails with the first one, and takes no nonce."""
    ledger = SettlementsLedger(table)
    request = some_request()
    first = reserve(ledger, request)
    with pytest.raises(KnownSettlement) as known:
        reserve(SettlementsLedger(table), request, owner="another")
    assert known.value.settlement == first
    assert nonce(reserve(ledger)) == 1


def test_a41_a_reservation_whose_answer_was_lost_is_recognised_as_ours(table: Table) -> None:
    """The same owner's second attempt is told its own reservation, not that of a stranger."""
    ledger = SettlementsLedger(table)
    request = some_request()
    first = reserve(ledger, request)
    assert reserve(SettlementsLedger(table), request) == first
    assert nonce(reserve(ledger)) == 1


def test_the_first_stored_bytes_win(table: Table) -> None:
    """Whoever comes second gets the first one's bytes back, and nothing is overwritten."""
    ledger = SettlementsLedger(table)
    reserved = reserve(ledger)
    first = ledger.store_bytes(reserved, SignedBytes(b"first", some_word()), filler=False)
    second = ledger.store_bytes(reserved, SignedBytes(b"second", some_word()), filler=True)
    assert second == first == ledger.get(reserved.id)
    assert (second.raw, second.filler, second.state) == (b"first", False, SettlementState.SIGNED)


def test_bytes_for_another_nonce_are_not_stored(table: Table) -> None:
    """Relayer and nonce of the bytes must be those of the reservation."""
    ledger = SettlementsLedger(table)
    reserved = reserve(ledger)
    assert reserved.slot is not None
    for slot in (
        Slot(reserved.slot.network, RELAYER, 5),
        Slot(reserved.slot.network, some_address(), reserved.slot.nonce),
    ):
        wrong = Settlement(reserved.request, reserved.state, slot, reserved.owner, reserved.lease_until)
        assert ledger.store_bytes(wrong, SignedBytes(b"raw", some_word()), filler=False).raw is None


@pytest.mark.parametrize("outcome", [Confirmed(some_proof(), True), Failed(Reason.AUTHORIZATION_CANCELLED)])
def test_only_a_signed_settlement_is_concluded_and_only_once(table: Table, outcome: Any) -> None:
    """RESERVED cannot jump to the end, and the first verdict stands."""
    ledger = SettlementsLedger(table)
    reserved = reserve(ledger)
    assert ledger.conclude(reserved, outcome, 1).state is SettlementState.RESERVED
    signed = ledger.store_bytes(reserved, SignedBytes(b"raw", some_word()), filler=False)
    assert ledger.conclude(signed, outcome, 1).outcome == outcome
    for later in (Confirmed(some_proof(), False), Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED)):
        assert ledger.conclude(signed, later, 2).outcome == outcome
    assert ledger.store_bytes(reserved, SignedBytes(b"late", some_word()), filler=False).outcome == outcome


def test_only_the_proof_that_was_seen_gone_is_reopened(table: Table) -> None:
    """CONFIRMED goes back to SIGNED with its bytes, if its proof is still the one that vanished."""
    ledger = SettlementsLedger(table)
    signed = ledger.store_bytes(reserve(ledger), SignedBytes(b"raw", some_word()), filler=False)
    confirmed = ledger.conclude(signed, Confirmed(some_proof(), True), 1)
    assert ledger.reopen(confirmed, 1) == signed
    again = ledger.conclude(signed, Confirmed(some_proof(), True), 2)
    with pytest.raises(LostRace, match="condition"):
        ledger.reopen(confirmed, 1)
    assert ledger.get(signed.id) == again


def test_an_ended_settlement_expires_and_an_open_one_never_does(table: Table) -> None:
    """TTL is housekeeping: it may only ever remove what has ended (rule 10)."""
    ledger = SettlementsLedger(table)
    reserved = reserve(ledger)
    signed = ledger.store_bytes(reserved, SignedBytes(b"raw", some_word()), filler=False)
    open_item = table.get(f"STL#{reserved.id}")
    assert open_item is not None
    assert "expires_at" not in open_item
    ledger.conclude(signed, Failed(Reason.AUTHORIZATION_CANCELLED), 1_000)
    ended = table.get(f"STL#{reserved.id}")
    assert ended is not None
    assert ended["expires_at"] > 1_000 + 365 * 86_400


def test_slots_tell_settlements_filled_holes_and_nothing_apart(table: Table) -> None:
    """What the queue needs to know of each nonce, in order."""
    ledger = SettlementsLedger(table)
    reserved = reserve(ledger)
    assert reserved.slot is not None
    network = reserved.slot.network
    hole = SignedBytes(b"hole", some_word())
    assert ledger.fill_hole(Slot(network, RELAYER, 1), hole) == hole
    assert ledger.fill_hole(Slot(network, RELAYER, 1), SignedBytes(b"second", some_word())) == hole
    found = ledger.slots(network, RELAYER, range(3))
    assert [(s.slot.nonce, s.settlement, s.signed) for s in found] == [
        (0, reserved, None),
        (1, None, hole),
        (2, None, None),
    ]


def test_a59_of_two_versions_for_one_the_first_that_is_stored_wins(table: Table) -> None:
    """Whoever comes second is told the winner's, and every hash is kept, ended or not."""
    ledger = SettlementsLedger(table)
    first = SignedBytes(b"first", some_word(), height=5)
    signed = ledger.store_bytes(reserve(ledger), first, filler=False)
    key = f"STL#{signed.id}"
    second = SignedBytes(b"second", some_word(), (first.transaction,), 9)
    loser = SignedBytes(b"loser", some_word(), (first.transaction,), 9)
    assert ledger.replace_bytes(key, first, second) == second
    assert ledger.replace_bytes(key, first, loser) == second
    ledger.conclude(signed, Failed(Reason.AUTHORIZATION_CANCELLED), 1)
    third = SignedBytes(b"third", some_word(), second.transactions[::-1], 20)
    assert ledger.replace_bytes(key, second, third) == third
    stored = ledger.get(signed.id)
    assert stored is not None
    assert stored.signed is not None
    assert stored.signed.transactions == (third.transaction, second.transaction, first.transaction)
    assert stored.state is SettlementState.FAILED


def test_a59_there_is_no_version_of_what_was_never_signed(table: Table) -> None:
    """A reservation without bytes, or nothing at all, is not signed by way of a replacement."""
    ledger = SettlementsLedger(table)
    reserved = reserve(ledger)
    some = SignedBytes(b"some", some_word())
    for key in (f"STL#{reserved.id}", "STL#nobody"):
        with pytest.raises(LostRace):
            ledger.replace_bytes(key, some, SignedBytes(b"newer", some_word(), (some.transaction,)))
    assert ledger.get(reserved.id) == reserved
    assert table.get("STL#nobody") is None
