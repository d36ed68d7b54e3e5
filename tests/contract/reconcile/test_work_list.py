"""The work list on a DynamoDB server over HTTP: pages, the look that is counted, parking."""

import pytest

from tests.support.payments import ANSWER, NOW, some_claim, some_proof, some_word
from tollgate.errors import LostRace
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Item, Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.work import OWED, Entry, WorkList
from tollgate.payment.record import Payment


@pytest.fixture
def ledger(payments_table: Table) -> PaymentsLedger:
    """The ledger over an empty table."""
    return PaymentsLedger(payments_table)


@pytest.fixture
def work(payments_table: Table) -> WorkList:
    """The work list of the same table."""
    return WorkList(payments_table)


def claimed(ledger: PaymentsLedger, lease_until: int = NOW) -> tuple[Payment, str]:
    """A payment that is due one second after its lease, and its key."""
    payment = ledger.claim(some_claim(lease_until=lease_until))
    return payment, f"PAY#{payment.id.digest}"


def listed(work: WorkList, now: int) -> set[str]:
    """Everything that is due, over all shards."""
    return {entry.pk for shard in work.shards for entry in work.page(shard, now, 100).entries}


def item(work: WorkList, pk: str) -> Item:
    """One item, read consistently."""
    return work.read([pk])[pk]


def test_a_payment_is_listed_from_its_due_time_until_it_is_done_with(ledger: PaymentsLedger, work: WorkList) -> None:
    """Due when its lease is over, and not any more once it is taken off."""
    payment, pk = claimed(ledger)
    assert listed(work, NOW) == set()
    assert listed(work, NOW + 1) == {pk}
    ledger.reschedule(payment, None)
    assert listed(work, NOW + 1) == set()


def test_pages_go_on_where_the_last_one_ended(ledger: PaymentsLedger, work: WorkList) -> None:
    """Every entry once, the oldest first, whatever is pushed back meanwhile."""
    due = {claimed(ledger, NOW + n)[1]: NOW + n + 1 for n in range(24)}
    found: list[Entry] = []
    for shard in work.shards:
        after: Entry | None = None
        mine: list[Entry] = []
        while True:
            page = work.page(shard, NOW + 100, 3, after)
            assert len(page.entries) <= 3
            mine += page.entries
            for entry in page.entries:
                work.begin(item(work, entry.pk), NOW + 200)
            after = page.more
            if after is None:
                break
        assert [entry.due for entry in mine] == sorted(entry.due for entry in mine)
        found += mine
    assert {entry.pk: entry.due for entry in found} == due
    assert len(found) == 24


def test_a99_of_two_passes_that_meet_over_an_item_one_goes_on(ledger: PaymentsLedger, work: WorkList) -> None:
    """Both read it; the second finds it begun."""
    _, pk = claimed(ledger)
    seen = item(work, pk)
    begun = work.begin(seen, NOW + 30)
    assert (begun["due"], begun["attempts"], begun["strikes"]) == (NOW + 30, 1, 1)
    with pytest.raises(LostRace):
        work.begin(seen, NOW + 31)
    assert item(work, pk)["attempts"] == 1


def test_a_look_that_came_back_is_no_strike_and_still_an_attempt(ledger: PaymentsLedger, work: WorkList) -> None:
    """Attempts drive the back-off, strikes the parking."""
    _, pk = claimed(ledger)
    for looks in range(1, 4):
        work.begin(item(work, pk), NOW + looks)
        work.end(pk)
        work.end(pk)
        assert item(work, pk)["attempts"] == looks
        assert "strikes" not in item(work, pk)


def test_a_move_begins_anew(ledger: PaymentsLedger, work: WorkList) -> None:
    """A success resets the back-off, in the very update that moves the payment."""
    payment, pk = claimed(ledger)
    work.begin(item(work, pk), NOW + 30)
    ledger.hold(payment, ANSWER, NOW)
    assert not {"attempts", "strikes"} & set(item(work, pk))


def test_what_is_parked_is_off_the_list_and_listed_apart(ledger: PaymentsLedger, work: WorkList) -> None:
    """Until somebody puts it back; the history tells of both."""
    _, pk = claimed(ledger)
    begun = work.begin(item(work, pk), NOW + 30)
    work.park(begun, "KeyError", NOW + 5)
    assert listed(work, NOW + 10_000) == set()
    assert work.parked(NOW + 5, 10).entries == (Entry(pk, NOW + 5),)
    standing = item(work, pk)
    assert (standing["parked"], standing["parked_at"]) == ("KeyError", NOW + 5)
    with pytest.raises(LostRace):
        work.park(begun, "KeyError", NOW + 6)
    work.unpark(pk, NOW + 60)
    assert listed(work, NOW + 60) == {pk}
    assert work.parked(NOW + 100, 10).entries == ()
    standing = item(work, pk)
    assert not {"parked", "parked_at", "attempts", "strikes"} & set(standing)
    assert standing["moves"][-2:] == (f"PARKED {NOW + 5} KeyError", f"UNPARKED {NOW + 60}")
    with pytest.raises(LostRace):
        work.unpark(pk, NOW + 61)


def test_a_payment_that_somebody_moves_is_not_parked_any_more(ledger: PaymentsLedger, work: WorkList) -> None:
    """A buyer's resend may settle what reconcile gave up: its block is watched as any other's."""
    payment, pk = claimed(ledger)
    held = ledger.hold(payment, ANSWER, NOW)
    work.park(item(work, pk), "KeyError", NOW + 5)
    Books(work._table).book(held, some_proof(), True, NOW + 10, NOW + 500)
    assert listed(work, NOW + 500) == {pk}
    assert "parked" not in item(work, pk)
    assert work.parked(NOW + 500, 10).entries == ()


def test_what_is_owed_back_is_listed_apart_until_it_is_made_good(ledger: PaymentsLedger, work: WorkList) -> None:
    """Reconcile looks at it once; then it waits for a refund, off the list and not forgotten."""
    payment, pk = claimed(ledger)
    books = Books(work._table)
    ledger.release(payment, NOW, debt=None)
    proof = some_proof()
    books.paid_unserved(read(ledger, payment), proof, True, NOW + 5)
    assert listed(work, NOW + 5) == {pk}
    ledger.reschedule(read(ledger, payment), None)
    assert listed(work, NOW + 10_000) == set()
    assert [entry.pk for entry in work.page(OWED, NOW + 10_000, 10).entries] == [pk]
    books.refunded(read(ledger, payment), some_word(), NOW + 60)
    assert work.page(OWED, NOW + 10_000, 10).entries == ()
    assert not {"attempts", "strikes", "due", "work"} & set(item(work, pk))


def read(ledger: PaymentsLedger, payment: Payment) -> Payment:
    """How it stands."""
    found = ledger.get(payment.id)
    assert found is not None
    return found
