"""Threat 41: DynamoDB did it, the answer was lost, botocore asks again. What fails then is our own success.

Every write of the client below reaches a real DynamoDB server twice, and only the second answer comes back.
"""

from typing import Any

import pytest

from tests.support.aws import client, create_table
from tests.support.payments import ANSWER, NOW, some_address, some_claim, some_proof
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.resends import Resends
from tollgate.ledger.work import WorkList
from tollgate.payment.states import State

WRITES = frozenset({"put_item", "update_item", "delete_item", "transact_write_items"})


class Forgetful:
    """Sends every write twice, as botocore does whose first answer was lost."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name not in WRITES:
            return call

        def twice(**request: Any) -> Any:
            try:
                call(**request)
            except self._inner.exceptions.ClientError:
                # It failed by itself: there is no success to meet.
                return call(**request)
            return call(**request)

        return twice


@pytest.fixture
def table(aws_endpoint: str) -> Table:
    """A payments table behind the forgetful client."""
    dynamo = client("dynamodb", aws_endpoint)
    return Table(Forgetful(dynamo), create_table(dynamo, work_index=True))


def test_a41_a_paid_call_meets_its_own_writes(table: Table) -> None:
    """Claim, hold and book each count as done, once: the revenue is not doubled."""
    ledger, books = PaymentsLedger(table), Books(table)
    claimed = ledger.claim(some_claim())
    assert claimed.state is State.EXECUTING
    held = ledger.hold(claimed, ANSWER, NOW)
    assert held.state is State.SETTLING
    booked = books.book(held, some_proof(), True, NOW, NOW + 60)
    assert booked.state is State.SETTLED


def test_a41_a_waiter_meets_its_own_slot(table: Table) -> None:
    """It takes one slot of the three, not one after the other until none is left; and gives back its own only."""
    resends = Resends(table)
    id = some_claim().id
    assert [resends.take_slot(id, NOW, NOW + 10, by) for by in "abcd"] == [0, 1, 2, None]
    resends.free_slot(id, 1, "z")
    assert resends.take_slot(id, NOW, NOW + 10, "e") is None
    resends.free_slot(id, 1, "b")
    assert resends.take_slot(id, NOW, NOW + 10, "e") == 1


def test_a41_an_address_is_counted_once(table: Table) -> None:
    """Three answers are three, and the third is given."""
    payment = PaymentsLedger(table).claim(some_claim())
    resends = Resends(table)
    assert [resends.count_address_resend(payment.id, by) for by in "abcd"] == [True, True, True, False]


def test_a41_a_fresh_signature_is_not_its_own_replay(table: Table) -> None:
    """The payer signed once and is served; the same signature again is refused."""
    resends = Resends(table)
    payer = some_address()
    assert resends.use_signature(payer, "nonce123", NOW, 600, "a")
    assert not resends.use_signature(payer, "nonce123", NOW, 600, "b")


def test_a41_who_takes_over_knows_it(table: Table) -> None:
    """Or the dead owner's payment waits for yet another lease."""
    ledger = PaymentsLedger(table)
    payment = ledger.hold(ledger.claim(some_claim(lease_until=NOW - 1)), ANSWER, NOW)
    assert ledger.take_over(payment, "second", NOW, NOW + 30)
    assert not ledger.take_over(payment, "third", NOW, NOW + 30)


def test_a41_a_pass_of_reconcile_knows_what_it_began(table: Table) -> None:
    """Or nothing is ever looked at while answers are lost."""
    payment = PaymentsLedger(table).claim(some_claim())
    pk = f"PAY#{payment.id.digest}"
    item = table.get(pk)
    assert item is not None
    begun = WorkList(table).begin(item, NOW + 30)
    assert (begun["due"], begun["attempts"], begun["strikes"]) == (NOW + 30, 1, 1)
