"""The sums of analytics: exact, whatever becomes of the stream on its way (threat 98)."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.aws import client, create_table
from tests.support.fakes.dynamo import FakeDynamo
from tests.support.fakes.effects import Crash, Effects
from tests.support.payments import NOW
from tests.support.streams import Record, Shop, Stream, payments_of
from tollgate.edge.stream_records import read_changes
from tollgate.ledger import tallies as module
from tollgate.ledger.dynamo import Table, from_dynamo
from tollgate.ledger.tallies import Tallies
from tollgate.payment.record import Move
from tollgate.payment.tally import Cell, History, Sums, add, revenue

FAULTS = ("", "before", "after", "echo", "lost")
FIRST, LAST = NOW // 86_400, NOW // 86_400 + 400
HASH = "0x" + "11" * 32


def some_history(payment: str, *moves: Move, route: str = "weather", amount: int = 7) -> History:
    return History(payment, route, "", "eip155:84532", "0x" + "aa" * 20, amount, moves)


def sold(at: int = NOW) -> tuple[Move, ...]:
    return Move("EXECUTING", at), Move("SETTLING", at), Move("SETTLED", at, HASH)


class Day:
    """One payments table with its stream, and a counter that may die at any write."""

    def __init__(self) -> None:
        self.effects = Effects({}, lambda: 0.0)
        self.dynamo = FakeDynamo(self.effects)
        self.payments, self.sums = self.dynamo.create("payments"), self.dynamo.create("analytics")
        self.stream = Stream(self.dynamo, self.payments)
        quick: Any = self.dynamo
        self.table = Table(quick, self.payments, lambda _: None)
        self.tallies = Tallies(Table(quick, self.sums, lambda _: None))

    def deliver(self, records: list[Record], fault: str = "", at: int = 0) -> bool:
        """Whether the batch was counted; else Lambda would bring it again."""
        plan = {len(self.effects.log) + at: fault} if fault else {}
        self.effects.plan = plan
        with self.effects.process("counter"):
            try:
                changes, unreadable = read_changes({"Records": records})
                assert unreadable is None
                self.tallies.count([change.history for change in changes])
            except (Crash, OSError) as lost:
                assert fault, lost
                return False
            except Exception as error:
                assert fault == "lost", error
                return False
        return True

    def ledger(self) -> dict[str, int]:
        """Revenue by network and token, and how many payments made it, as the books have them."""
        found = {"amount": 0, "payments": 0}
        for key, item in self.dynamo.tables[self.payments].items():
            if key.startswith("REV#"):
                row = from_dynamo(item)
                add(found, {"amount": row["amount"], "payments": row["payments"]})
        return found

    def rows(self, prefix: str, **where: bool) -> list[Any]:
        """Rows of the books: with (True) or without (False) an attribute."""
        items = [from_dynamo(item) for key, item in self.dynamo.tables[self.payments].items() if key.startswith(prefix)]
        return [item for item in items if all((name in item) is wanted for name, wanted in where.items())]


def total(tallies: Tallies) -> Sums:
    sums: Sums = {}
    for _, more in tallies.read(FIRST, LAST):
        add(sums, more)
    return sums


@settings(max_examples=60)
@example(seed=1, payments=4, batches=12)
@given(st.integers(0, 10**9), st.integers(1, 6), st.integers(0, 12))
def test_a98_the_sums_are_the_ledgers_whatever_comes_twice_or_dies(seed: int, payments: int, batches: int) -> None:
    """Random payments, streamed out of order, twice, in parts, to counters that die: every sum is that of the books."""
    chance = random.Random(seed)
    day = Day()
    shop = Shop(day.table, chance.randrange)
    for _ in range(payments):
        shop.sell(chance.randrange(14))
    records = day.stream.records
    for _ in range(batches):
        batch = chance.choices(records, k=chance.randrange(1, 12))
        day.deliver(batch, chance.choice(FAULTS), chance.randrange(2))
    # In the end every record has come through: in any order.
    chance.shuffle(records)
    while records:
        size = chance.randrange(1, 8)
        if day.deliver(records[:size], chance.choice(FAULTS), 0):
            records = records[size:]
    assert_equal(day)


def assert_equal(day: Day) -> None:
    """The sums against rows that other code wrote: revenue, reversals, liabilities, refunds."""
    sums, ledger = total(day.tallies), day.ledger()
    assert revenue(sums) == ledger["amount"]
    assert sums.get("settled", 0) - sums.get("reversed", 0) == ledger["payments"]
    assert sums.get("reversed", 0) == len(day.rows("RVS#"))
    assert sums.get("reversed_amount", 0) == -sum(row["amount"] for row in day.rows("RVS#"))
    assert sums.get("claimed", 0) == len(day.rows("PAY#"))
    for name, rows in (
        ("unserved", day.rows("LIA#")),
        ("returned", day.rows("LIA#", refunded_at=True)),
        ("refunded", day.rows("RFD#", refunded_at=True)),
        ("credited", day.rows("RFD#", credited_at=True)),
    ):
        assert sums.get(name, 0) == len(rows)
        assert sums.get(f"{name}_amount", 0) == sum(row["amount"] for row in rows)


@pytest.fixture(params=["fake", "server"])
def tallies(request: pytest.FixtureRequest) -> Tallies:
    """Sums in memory, and on a DynamoDB server over HTTP."""
    if request.param == "fake":
        return Day().tallies
    dynamo = client("dynamodb", request.getfixturevalue("aws_endpoint"))
    return Tallies(Table(dynamo, create_table(dynamo, work_index=True)))


def test_a98_a_batch_that_comes_again_is_counted_once(tallies: Tallies) -> None:
    """As a whole, in part, and with an older record of the same payment behind the newer."""
    whole = some_history("a", *sold())
    assert tallies.count([whole, some_history("b", *sold(NOW + 86_400), route="map", amount=5)]) == 6
    assert tallies.count([whole]) == 0
    assert tallies.count([some_history("a", *sold()[:1]), whole]) == 0
    assert total(tallies) == {"claimed": 2, "settled": 2, "settled_amount": 12}


def test_what_a_lost_record_said_is_counted_with_the_next(tallies: Tallies) -> None:
    """The history says it all: a reversal makes up for the settlement that never came."""
    gone = (*sold(), Move("REVERSED", NOW + 86_400, HASH))
    assert tallies.count([some_history("a", gone[0])]) == 1
    assert tallies.count([some_history("a", *gone)]) == 3
    by_day = {cell.day - FIRST: sums for cell, sums in tallies.read(FIRST, LAST)}
    assert by_day[0] == {"claimed": 1, "settled": 1, "settled_amount": 7}
    assert by_day[1] == {"reversed": 1, "reversed_amount": 7}


def test_two_counters_at_once_count_one_payment_once(tallies: Tallies) -> None:
    """The second one's mark is not where it read it: it looks again."""
    table = tallies._table
    read = table.get_many

    def meanwhile(keys: Any) -> Any:
        found = read(keys)
        table.get_many = read  # type: ignore[method-assign]
        assert Tallies(table).count([some_history("a", *sold())]) == 3
        return found

    table.get_many = meanwhile  # type: ignore[method-assign]
    assert tallies.count([some_history("a", *sold(), Move("REVERSED", NOW, HASH))]) == 1
    assert total(tallies)["settled"] == 1


def test_many_payments_and_days_are_read_in_pages(tallies: Tallies, monkeypatch: pytest.MonkeyPatch) -> None:
    """More cells than a page, a transaction or a month holds; and only the days that were asked for."""
    monkeypatch.setattr(module, "_PAGE", 100)
    many = [some_history(f"p{n}", *sold(NOW + n % 60 * 86_400), route=f"r{n}", amount=1) for n in range(230)]
    assert tallies.count(many) == 690
    assert total(tallies)["settled_amount"] == 230
    days = {cell.day for cell, _ in tallies.read(FIRST + 5, FIRST + 40)}
    assert days == set(range(FIRST + 5, FIRST + 41))


def test_one_payment_of_very_many_days_fits_a_transaction(tallies: Tallies) -> None:
    """Twenty of those at once are counted in halves."""
    moves = [Move(what, NOW + at * 86_400, HASH) for at in range(9) for what in ("SETTLED", "REVERSED")]
    many = [some_history(f"p{n}", *moves, route=f"r{n}") for n in range(20)]
    assert tallies.count(many) == 20 * 18
    assert total(tallies) == {"settled": 180, "settled_amount": 1260, "reversed": 180, "reversed_amount": 1260}


def test_what_comes_back_of_money_for_nothing_is_no_refund() -> None:
    """It never was revenue."""
    day = Day()
    ways = iter([0, 9, 0, 0, 1, 0, 0, 0, 0])
    choose: Callable[[int], int] = lambda n: next(ways) % n  # noqa: E731
    Shop(day.table, choose).sell(3)
    assert day.deliver(day.stream.records)
    sums = total(day.tallies)
    assert (sums["unserved_amount"], sums["returned_amount"]) == (10, 10)
    assert revenue(sums) == 0
    assert "refunded" not in sums


def test_a_cell_is_a_route_of_one_owner_in_one_token(tallies: Tallies) -> None:
    """Route ids may hold what separates the parts of a key."""
    for route, owner in (("a#b", ""), ("b", "a"), ("b", "")):
        moves = sold()
        tallies.count([History(route + owner, route, owner, "eip155:1", "0xaa", 1, moves)])
    assert {(cell.route, cell.owner) for cell, _ in tallies.read(FIRST, LAST)} == {("a#b", ""), ("b", "a"), ("b", "")}
    assert Cell(FIRST, "b", "a", "eip155:1", "0xaa") in dict(tallies.read(FIRST, LAST))
    assert [(cell.route, cell.owner) for cell, _ in tallies.read(FIRST, LAST, "a")] == [("b", "a")]


def test_a98_a_real_stream_says_the_same(aws_endpoint: str) -> None:
    """A DynamoDB server's own records of the same kind of day: read from its stream, shuffled, each twice."""
    dynamo = client("dynamodb", aws_endpoint)
    name = create_table(dynamo, work_index=True)
    specification = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    arn = dynamo.update_table(TableName=name, StreamSpecification=specification)["TableDescription"]["LatestStreamArn"]
    chance = random.Random(7)
    shop = Shop(Table(dynamo, name), chance.randrange)
    payments = [shop.sell(8) for _ in range(6)]
    records = payments_of(client("dynamodbstreams", aws_endpoint), arn)
    assert {r["dynamodb"]["Keys"]["pk"]["S"].removeprefix("PAY#") for r in records} == set(payments)
    records += records
    chance.shuffle(records)
    tallies = Tallies(Table(dynamo, create_table(dynamo, work_index=True)))
    for start in range(0, len(records), 9):
        changes, unreadable = read_changes({"Records": records[start : start + 9]})
        assert unreadable is None
        tallies.count([change.history for change in changes])
    sums = total(tallies)
    pages = dynamo.get_paginator("scan").paginate(TableName=name)
    rows = [from_dynamo(item) for page in pages for item in page["Items"]]
    books = [row for row in rows if row["pk"].startswith("REV#")]
    assert books
    assert revenue(sums) == sum(row["amount"] for row in books)
    assert sums["settled"] - sums.get("reversed", 0) == sum(row["payments"] for row in books)


def test_what_is_added_is_heard_once(tallies: Tallies) -> None:
    """For what is only watched: not again when the batch comes again."""
    heard: list[Sums] = []
    tallies._heard = lambda cell, sums: heard.append(dict(sums))
    for _ in range(2):
        tallies.count([some_history("a", *sold())])
    assert heard == [{"claimed": 1, "settled": 1, "settled_amount": 7}]
