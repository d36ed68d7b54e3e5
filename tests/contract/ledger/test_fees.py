"""What owners owe the operator: exact, once, in the books' own transaction."""

import pytest

from tests.support.payments import ANSWER, NOW, some_claim, some_proof
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payment_items import fee_keys, receipt_key
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.fees import fee_of
from tollgate.payment.record import Payment
from tollgate.wire.primitives import Address

OWNER = Address(b"\xaa" * 20)


def settling(table: Table, *, value: int = 10_000, fee_bps: int = 250, owner: Address | None = OWNER) -> Payment:
    """A payment for an owner's route, whose answer is held; read back, as whoever settles it later does."""
    ledger = PaymentsLedger(table)
    claimed = ledger.claim(some_claim(value=value, route_owner=owner, fee_bps=fee_bps))
    held = ledger.hold(claimed, ANSWER, NOW)
    read = ledger.get(held.id)
    assert read is not None
    return read


def owed(table: Table) -> tuple[int, int]:
    """Over all shards: atomic units, payments."""
    keys = fee_keys("eip155:84532", "0x036cbd53842c5426634e7929541ec2318f3dcf7e", OWNER)
    found = table.get_many(keys).values()
    return sum(item["amount"] for item in found), sum(item["payments"] for item in found)


def test_the_fee_is_booked_once_with_the_payment(payments_table: Table) -> None:
    """Booking twice owes once; the receipt's row says how much."""
    payment, books = settling(payments_table), Books(payments_table)
    assert owed(payments_table) == (0, 0)
    proof = some_proof()
    for _ in range(2):
        books.book(payment, proof, True, NOW, NOW + 100)
    assert owed(payments_table) == (250, 1)
    receipt = payments_table.get(receipt_key(payment.id))
    assert receipt is not None
    assert (receipt["amount"], receipt["fee"]) == (10_000, 250)


def test_a_reversal_takes_the_fee_back(payments_table: Table) -> None:
    """And the payment that settles again owes it again."""
    payment, books, proof = settling(payments_table), Books(payments_table), some_proof()
    reversed_ = books.reverse(books.book(payment, proof, True, NOW, NOW + 100), NOW + 1)
    assert owed(payments_table) == (0, 0)
    reopened = PaymentsLedger(payments_table).reopen(reversed_, NOW + 2)
    books.book(reopened, proof, True, NOW + 3, NOW + 100)
    assert owed(payments_table) == (250, 1)


@pytest.mark.parametrize(
    ("value", "basis_points", "fee"),
    [
        (10_000, 250, 250),
        (399, 25, 0),
        (400, 25, 1),
        (10**30, 9_999, 9_999 * 10**26),
        (7, 10_000, 7),
    ],
)
def test_a_fee_is_rounded_down_to_atomic_units(value: int, basis_points: int, fee: int) -> None:
    """Integers, also beyond what a float can count."""
    assert fee_of(value, basis_points) == fee


def test_nobody_owes_for_the_operators_routes_nor_nothing(payments_table: Table) -> None:
    """No row is written for a fee of 0."""
    books = Books(payments_table)
    for payment in (
        settling(payments_table, owner=None),
        settling(payments_table, fee_bps=0),
        settling(payments_table, value=39),
    ):
        books.book(payment, some_proof(), True, NOW, NOW + 100)
    assert owed(payments_table) == (0, 0)
