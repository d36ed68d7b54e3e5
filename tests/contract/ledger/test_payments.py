"""The seller's ledger against a DynamoDB server over HTTP."""

from dataclasses import replace

import pytest

from tests.support.payments import ANSWER, NOW, some_address, some_claim, some_proof
from tollgate.errors import LostRace
from tollgate.ledger.books import Books, LogAlreadyPays
from tollgate.ledger.dynamo import Item, Table
from tollgate.ledger.payment_items import REVENUE_SHARDS
from tollgate.ledger.payments import Found, IdentifierBound, KnownPayment, PaymentsLedger
from tollgate.ledger.resends import Resends
from tollgate.payment.record import Payment
from tollgate.payment.states import State
from tollgate.wire.reasons import Reason


@pytest.fixture
def ledger(payments_table: Table) -> PaymentsLedger:
    """The ledger over an empty table."""
    return PaymentsLedger(payments_table)


@pytest.fixture
def books(payments_table: Table) -> Books:
    """The books over the same table."""
    return Books(payments_table)


def settling(ledger: PaymentsLedger, **kwargs: object) -> Payment:
    """A payment whose answer is held."""
    return ledger.hold(ledger.claim(some_claim(**kwargs)), ANSWER, NOW)  # type: ignore[arg-type]


def revenue(table: Table) -> tuple[int, int]:
    """Sum of all revenue shards: atomic units, payments."""
    items: list[Item] = []
    for shard in range(REVENUE_SHARDS):
        base = "REV#eip155:84532#0x036cbd53842c5426634e7929541ec2318f3dcf7e#0x" + "ab" * 20
        item = table.get(f"{base}#{shard}")
        if item is not None:
            items.append(item)
    return sum(i["amount"] for i in items), sum(i["payments"] for i in items)


def test_a35_a_second_claim_gets_the_first_payment(ledger: PaymentsLedger) -> None:
    """The claim that loses is told what stands there, without another read."""
    claim = some_claim()
    ledger.claim(claim)
    with pytest.raises(KnownPayment) as known:
        ledger.claim(some_claim(payer=claim.id.payer, nonce=claim.id.nonce, owner="other"))
    assert known.value.payment.claim == claim
    assert known.value.payment.state is State.EXECUTING


def test_a41_our_own_claim_written_twice_is_still_ours(ledger: PaymentsLedger) -> None:
    """A put that DynamoDB applied although its answer was lost is not mistaken for somebody else's."""
    claim = some_claim(identifier="a" * 64)
    ledger.claim(claim)
    assert ledger.claim(claim).claim.owner == "me"


def test_a41_our_own_hold_written_twice_is_still_ours(ledger: PaymentsLedger) -> None:
    """The same for the move to SETTLING."""
    payment = ledger.claim(some_claim())
    ledger.hold(payment, ANSWER, NOW)
    assert ledger.hold(payment, ANSWER, NOW).state is State.SETTLING


def test_a27_an_identifier_belongs_to_one_payment_of_a_payer_on_a_route(ledger: PaymentsLedger) -> None:
    """Another payment under the same identifier is refused; another payer's is not."""
    payer = some_address()
    first = some_claim(payer=payer, identifier="a" * 64)
    ledger.claim(first)
    second = some_claim(payer=payer, identifier="a" * 64)
    with pytest.raises(IdentifierBound):
        ledger.claim(second)
    assert ledger.get(second.id) is None
    assert ledger.find(second.id, "weather", "f" * 64, "a" * 64) == Found(None, True, None)
    ledger.claim(some_claim(identifier="a" * 64))


def test_releasing_a_payment_frees_its_identifier_and_drops_its_signature(ledger: PaymentsLedger) -> None:
    """RELEASED promises never to settle: there is nothing left to settle with."""
    payer = some_address()
    payment = ledger.claim(some_claim(payer=payer, identifier="a" * 64))
    ledger.release(payment, NOW, debt=None)
    ledger.claim(some_claim(payer=payer, identifier="a" * 64))
    released = ledger.get(payment.id)
    assert released is not None
    assert released.state is State.RELEASED
    assert released.claim.signature == b""


def test_a42_only_the_owner_may_hold_an_answer(ledger: PaymentsLedger) -> None:
    """Whoever does not own the claim cannot move it to SETTLING."""
    claim = some_claim()
    ledger.claim(claim)
    stranger = Payment(some_claim(payer=claim.id.payer, nonce=claim.id.nonce, owner="other"), State.EXECUTING, 1)
    with pytest.raises(LostRace):
        ledger.hold(stranger, ANSWER, NOW)
    assert ledger.answer(claim.id, NOW) is None


def test_a42_a_slow_owner_cannot_hold_after_its_claim_was_released(ledger: PaymentsLedger) -> None:
    """The lease ran out, somebody released the payment with a debt row, the first worker wakes up: too late."""
    payment = ledger.claim(some_claim(lease_until=NOW - 1))
    ledger.release(payment, NOW, debt="owner_died")
    with pytest.raises(LostRace):
        ledger.hold(payment, ANSWER, NOW)


def test_a_live_lease_is_never_released_by_others(ledger: PaymentsLedger) -> None:
    """Rule 11: only a dead owner's claim may be released with a debt."""
    payment = ledger.claim(some_claim(lease_until=NOW + 30))
    with pytest.raises(LostRace):
        ledger.release(payment, NOW, debt="owner_died")


def test_a96_settled_receipt_log_row_and_revenue_happen_once(
    ledger: PaymentsLedger, books: Books, payments_table: Table
) -> None:
    """Booking twice is booking once."""
    payment = settling(ledger)
    proof = some_proof()
    books.book(payment, proof, True, NOW, NOW + 100)
    again = books.book(payment, proof, True, NOW + 11 * 60, NOW + 100)
    assert again.state is State.SETTLED
    assert again.settled_at == NOW
    assert revenue(payments_table) == (10_000, 1)
    receipt = payments_table.get(f"RCT#{payment.id.digest}")
    assert receipt is not None
    assert receipt["transaction"] == str(proof.transaction)


def test_a114_one_log_pays_one_payment(ledger: PaymentsLedger, books: Books, payments_table: Table) -> None:
    """Two payments of one payer at one price cannot both be booked on one Transfer log."""
    payer = some_address()
    first, second = settling(ledger, payer=payer), settling(ledger, payer=payer)
    proof = some_proof()
    books.book(first, proof, True, NOW, NOW + 100)
    with pytest.raises(LogAlreadyPays):
        books.book(second, proof, True, NOW, NOW + 100)
    assert revenue(payments_table) == (10_000, 1)
    still = ledger.get(second.id)
    assert still is not None
    assert still.state is State.SETTLING
    # Another log of the same transaction pays it: a hash alone would break with batches.
    books.book(second, some_proof(proof.transaction, log_index=3), True, NOW, NOW + 100)
    assert revenue(payments_table) == (20_000, 2)


def test_a57_a_reversal_takes_the_revenue_back_and_lets_the_payment_settle_again(
    ledger: PaymentsLedger, books: Books, payments_table: Table
) -> None:
    """A block that is gone is booked as a reversal; the same transaction may then be mined elsewhere."""
    payment = settling(ledger)
    proof = some_proof()
    settled = books.book(payment, proof, True, NOW, NOW + 100)
    reopened = ledger.reopen(books.reverse(settled, NOW + 1), NOW + 2)
    assert revenue(payments_table) == (0, 0)
    assert reopened.fence == 2
    with pytest.raises(LostRace):
        books.book(payment, proof, True, NOW, NOW)
    books.book(reopened, proof, True, NOW + 3, NOW + 100)
    assert revenue(payments_table) == (10_000, 1)


def test_an_unpaid_payment_leaves_a_debt(ledger: PaymentsLedger, payments_table: Table) -> None:
    """The upstream ran: what it was worth is on record."""
    payment = settling(ledger)
    ledger.unpaid(payment, Reason.AUTHORIZATION_EXPIRED_UNUSED, NOW)
    debt = payments_table.get(f"DEBT#{payment.id.digest}")
    assert debt is not None
    assert (debt["amount"], debt["why"]) == (10_000, "authorization_expired_unused")


def test_a_late_proof_of_a_released_payment_is_a_liability(
    ledger: PaymentsLedger, books: Books, payments_table: Table
) -> None:
    """Money that came although we gave up is owed back, with its log row and receipt, and is not revenue."""
    payment = ledger.claim(some_claim())
    ledger.release(payment, NOW, debt=None)
    released = ledger.get(payment.id)
    assert released is not None
    proof = some_proof()
    books.paid_unserved(released, proof, False, NOW)
    liability = payments_table.get(f"LIA#{payment.id.digest}")
    assert liability is not None
    assert liability["transaction"] == str(proof.transaction)
    assert revenue(payments_table) == (0, 0)
    unserved = ledger.get(payment.id)
    assert unserved is not None
    books.refunded(unserved, proof.transaction, NOW + 1)
    refunded = ledger.get(payment.id)
    assert refunded is not None
    assert refunded.state is State.REFUNDED


def test_a_kept_answer_ends_with_its_retention_whatever_ttl_does(payments_table: Table) -> None:
    """Rule 10: the timestamp decides, the item is still there."""
    ledger = PaymentsLedger(payments_table, answer_seconds=10)
    payment = settling(ledger)
    assert ledger.answer(payment.id, NOW + 9) == ANSWER
    assert ledger.answer(payment.id, NOW + 10) is None


def test_only_one_takes_over_a_dead_settling(ledger: PaymentsLedger) -> None:
    """The second resumer finds the first one's live lease."""
    payment = settling(ledger, lease_until=NOW - 1)
    assert ledger.take_over(payment, "second", NOW, NOW + 30)
    assert not ledger.take_over(payment, "third", NOW, NOW + 30)


def test_a116_three_wait_and_a_dead_waiter_makes_room(payments_table: Table) -> None:
    """Slots are bounded, given back, and run out by themselves."""
    resends = Resends(payments_table)
    id = some_claim().id
    assert [resends.take_slot(id, NOW, NOW + 10, by) for by in "abcd"] == [0, 1, 2, None]
    resends.free_slot(id, 1, "b")
    assert resends.take_slot(id, NOW, NOW + 10, "e") == 1
    assert resends.take_slot(id, NOW + 11, NOW + 20, "f") == 0


def test_an_address_admits_three_times(ledger: PaymentsLedger, payments_table: Table) -> None:
    """Rule 6: the source address is worth three answers."""
    payment = ledger.claim(some_claim())
    resends = Resends(payments_table)
    assert [resends.count_address_resend(payment.id, by) for by in "abcd"] == [True, True, True, False]


def test_a_fresh_signature_works_once(payments_table: Table) -> None:
    """Its nonce is kept."""
    resends = Resends(payments_table)
    payer = some_address()
    assert resends.use_signature(payer, "nonce123", NOW, 600, "a")
    assert not resends.use_signature(payer, "nonce123", NOW, 600, "b")


def test_a_payment_keeps_its_whole_history(ledger: PaymentsLedger, books: Books) -> None:
    """Each move writes itself down with its time and its transaction, in the update that makes it."""
    held = settling(ledger)
    proof = some_proof()
    ledger.note(held, NOW + 1, NOW + 30, proof.transaction)
    ledger.note(replace(held, transaction=proof.transaction), NOW + 2, NOW + 30, proof.transaction)
    assert ledger.take_over(held, "another", NOW + 1_000, NOW + 1_030)
    books.book(held, proof, True, NOW + 1_001, NOW + 1_100)
    standing = ledger.get(held.id)
    assert standing is not None
    assert [str(move) for move in standing.moves] == [
        f"EXECUTING {held.claim.claimed_at}",
        f"SETTLING {NOW}",
        f"BROADCAST {NOW + 1} {proof.transaction}",
        f"TAKEN_OVER {NOW + 1_000}",
        f"SETTLED {NOW + 1_001} {proof.transaction}",
    ]
