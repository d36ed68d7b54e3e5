"""The move to GRANTED: made once, by the owner or in a dead owner's place; against a DynamoDB server."""

import pytest

from tests.support.payments import NOW, some_claim, some_proof
from tollgate.errors import LostRace
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.events import NullJournal
from tollgate.payment.record import Payment
from tollgate.payment.states import Flow, State
from tollgate.reconcile.upfront import UpfrontVisits

RECHECK = NOW + 500
LATER = NOW + 100


@pytest.fixture
def upfront(payments_table: Table) -> UpfrontLedger:
    """The moves of the upfront flow."""
    return UpfrontLedger(payments_table)


@pytest.fixture
def settled(payments_table: Table, upfront: UpfrontLedger) -> Payment:
    """A payment at an authorizer's route, settled by its owner."""
    claim = some_claim(flow=Flow.UPFRONT, grants=True)
    begun = upfront.begin(PaymentsLedger(payments_table).claim(claim), NOW)
    return Books(payments_table).book(begun, some_proof(), True, NOW, RECHECK)


def kept(table: Table, payment: Payment) -> Payment:
    """The payment as it stands."""
    found = PaymentsLedger(table).get(payment.id)
    assert found is not None
    return found


def test_the_owner_grants_once_and_nobody_after_it(
    payments_table: Table, upfront: UpfrontLedger, settled: Payment
) -> None:
    """The same read serves nobody a second time, however long the lease is over."""
    granted = upfront.grant(settled, "me", NOW, RECHECK)
    assert (granted.state, granted.granted_now, granted.served_at) == (State.GRANTED, True, NOW)
    with pytest.raises(LostRace):
        upfront.take_grant(settled, "taker", LATER, RECHECK)
    with pytest.raises(LostRace):
        upfront.grant(settled, "somebody", NOW, RECHECK)
    current = kept(payments_table, settled)
    assert (current.state, current.granted_now, current.claim.grants) == (State.GRANTED, False, True)
    assert [move.what for move in current.moves].count("GRANTED") == 1


def test_a42_a_dead_owners_grant_is_one_takers_and_the_owner_that_wakes_gets_none(
    upfront: UpfrontLedger, settled: Payment
) -> None:
    """Not while its lease runs; then one taker, by state and fence."""
    with pytest.raises(LostRace):
        upfront.take_grant(settled, "taker", NOW, RECHECK)
    assert upfront.take_grant(settled, "taker", LATER, RECHECK).granted_now
    with pytest.raises(LostRace):
        upfront.take_grant(settled, "second", LATER, RECHECK)
    with pytest.raises(LostRace):
        upfront.grant(settled, "me", LATER, RECHECK)


def test_a41_a_grant_whose_answer_was_lost_is_the_owners(
    payments_table: Table, upfront: UpfrontLedger, settled: Payment
) -> None:
    """The same write again finds its own success, and lets its own caller through."""
    upfront.grant(settled, "me", NOW, RECHECK)
    assert upfront.grant(settled, "me", NOW, RECHECK).granted_now
    assert [move.what for move in kept(payments_table, settled).moves].count("GRANTED") == 1


def test_a57_granted_before_a_reorganisation_it_ends_granted_and_lets_nobody_through_again(
    payments_table: Table, upfront: UpfrontLedger, settled: Payment
) -> None:
    """Its block is gone, it is settled again: straight to its end, without a second grant."""
    ledger, books = PaymentsLedger(payments_table), Books(payments_table)
    granted = upfront.grant(settled, "me", NOW, RECHECK)
    reopened = ledger.reopen(books.reverse(kept(payments_table, granted), NOW + 10), NOW + 10)
    books.book(reopened, some_proof(), True, NOW + 20, RECHECK)
    again = kept(payments_table, settled)
    assert (again.state, again.unserved) == (State.SETTLED, False)
    ended = upfront.fulfilled_again(again, NOW + 30, RECHECK)
    assert (ended.state, ended.granted_now) == (State.GRANTED, False)
    assert kept(payments_table, settled).state is State.GRANTED


def test_a57_what_the_operator_owes_is_owed_again_after_a_reorganisation(
    payments_table: Table, upfront: UpfrontLedger, settled: Payment
) -> None:
    """Granted, called undelivered, its block gone and settled again: it is owed as before, not granted as before."""
    ledger, books = PaymentsLedger(payments_table), Books(payments_table)
    upfront.refund_due(upfront.grant(settled, "me", NOW, RECHECK), "api_failed", NOW + 5, dead=False)
    reopened = ledger.reopen(books.reverse(kept(payments_table, settled), NOW + 10), NOW + 10)
    books.book(reopened, some_proof(), True, NOW + 20, RECHECK)
    visits = UpfrontVisits(ledger, upfront, lambda: NOW + 30, NullJournal())
    visits.settled(kept(payments_table, settled))
    again = kept(payments_table, settled)
    assert (again.state, again.refund_why) == (State.REFUND_DUE, "api_failed")
    row = payments_table.get(f"RFD#{settled.id.digest}")
    assert row is not None
    assert "reversed_at" not in row


def test_nobody_is_let_through_what_is_owed_back(upfront: UpfrontLedger, settled: Payment) -> None:
    """Once it is written down as owed, no taker gets a grant, and the other way round."""
    upfront.refund_due(settled, "not_fetched", LATER, dead=True)
    with pytest.raises(LostRace):
        upfront.take_grant(settled, "taker", LATER, RECHECK)
