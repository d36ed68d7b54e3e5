"""Threats 96-102: the books, written late, twice, or read by strangers."""

from typing import Any

import pytest

from tests.support.buyer import encode
from tests.support.functions import Functions
from tests.support.payments import ANSWER, NOW, PAY_TO, some_claim, some_proof
from tests.support.upstream import CountingUpstream
from tollgate.errors import LostRace
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Table, TransactionCancelled
from tollgate.ledger.payment_items import REVENUE_SHARDS
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.identity import PaymentId
from tollgate.wire.parse import parse_payment

LATER = 11 * 60


def revenue(table: Table, id: PaymentId) -> tuple[int, int]:
    """Atomic units and payments, over all shards."""
    base = f"REV#{id.network}#{id.asset.lower}#{PAY_TO.lower}"
    rows = table.get_many([f"{base}#{shard}" for shard in range(REVENUE_SHARDS)]).values()
    return sum(row["amount"] for row in rows), sum(row["payments"] for row in rows)


def test_a97_booking_again_after_eleven_minutes_counts_once(payments_table: Table) -> None:
    """DynamoDB forgets a ClientRequestToken after ten: conditions on the items decide, not tokens."""
    ledger, books = PaymentsLedger(payments_table), Books(payments_table)
    held = ledger.hold(ledger.claim(some_claim()), ANSWER, NOW)
    proof = some_proof()
    first = books.book(held, proof, True, NOW, NOW + 60)
    again = Books(payments_table).book(held, proof, True, NOW + LATER, NOW + LATER + 60)
    assert (again.state, again.settled_at) == (first.state, NOW)
    assert revenue(payments_table, held.id) == (held.claim.authorization.value, 1)


def test_a97_the_very_same_transaction_without_its_token_is_cancelled(payments_table: Table) -> None:
    """The writes themselves, replayed as they were: every one that counts carries a condition."""
    ledger, books = PaymentsLedger(payments_table), Books(payments_table)
    held = ledger.hold(ledger.claim(some_claim()), ANSWER, NOW)
    written: list[Any] = []
    transact = payments_table.transact

    def noted(writes: Any) -> None:
        written.append(list(writes))
        transact(writes)

    payments_table.transact = noted  # type: ignore[method-assign]
    settled = books.book(held, some_proof(), True, NOW, NOW + 60)
    reversed_ = books.reverse(settled, NOW + 1)
    for writes in written:
        with pytest.raises(TransactionCancelled):
            transact(writes)
    with pytest.raises(LostRace):
        books.reverse(settled, NOW + LATER)
    assert revenue(payments_table, reversed_.id) == (0, 0)


def test_a98_every_event_may_come_twice(functions: Functions) -> None:
    """Settle's invocation and the schedule's, each fed twice and once more at the end: nothing is done again."""
    upstream = CountingUpstream()
    asked: list[Any] = []
    invoke = functions.invoke

    def twice(name: str, event: Any, **how: Any) -> Any:
        if name != "settle" or event.get("op") != "settle":
            return invoke(name, event, **how)
        asked.append(event)
        first, second = invoke(name, event, **how), invoke(name, event, **how)
        assert first == second
        return first

    functions.invoke = twice  # type: ignore[method-assign]
    try:
        functions.sell("GET", "/goods", upstream.url + "/goods")
        payment = functions.sign(functions.buyer(), functions.offer("GET", "/goods"))
        answer = functions.request("GET", "/goods", payment=payment)
    finally:
        upstream.stop()
    assert (answer.status, len(asked)) == (200, 1)
    functions.advance(4000)
    for event in ({}, {}, asked[0], asked[0]):
        invoke("settle" if event else "reconcile", event)
    assert functions.chain.transaction_count(functions.relayer()) == 1
    rows = functions.client("dynamodb").scan(TableName=functions.resource("PaymentsTable"), ConsistentRead=True)
    kinds = [item["pk"]["S"].split("#")[0] for item in rows["Items"]]
    assert (kinds.count("RCT"), kinds.count("LOG"), upstream.runs) == (1, 1, 1)
    assert [item["payments"]["N"] for item in rows["Items"] if item["pk"]["S"].startswith("REV#")] == ["1"]


def test_a102_nobody_reads_a_payment_by_guessing_or_knowing_its_id(functions: Functions) -> None:
    """The id alone opens nothing: not a guessed one, and not the real one, which is in every resend's 409."""
    upstream = CountingUpstream()
    try:
        functions.sell("GET", "/goods", upstream.url + "/goods")
        payment = functions.sign(functions.buyer(), functions.offer("GET", "/goods"))
        assert functions.request("GET", "/goods", payment=payment).status == 200
    finally:
        upstream.stop()
    digest = PaymentId.of(parse_payment(encode(payment))).digest
    for id in (digest, "0" * 64, digest[:16], "1"):
        for path in (f"/x402/payments/{id}", f"/x402/receipts/{id}", f"/payments/{id}", f"/x402/challenge/{id}"):
            answer = functions.request("GET", path)
            assert answer.status == 404, path
            assert payment["payload"]["authorization"]["from"].lower().encode() not in answer.body.lower()
