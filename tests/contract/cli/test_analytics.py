"""``tollgate analytics``: the table for people, and the check against payments and books that the ledger wrote."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.cli.shell import Operator
from tests.support.aws import client, create_table
from tests.support.payments import NOW
from tests.support.streams import Shop
from tollgate.ledger.dynamo import Put, Table, Update
from tollgate.ledger.tallies import HISTORY_ATTRIBUTES, Tallies, read_history
from tollgate_cli import analytics_check, analytics_command, stack


class Day:
    """An operator whose stack has sold, and counted some of it."""

    def __init__(self, operator: Operator, aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.operator = operator
        dynamo = client("dynamodb", aws_endpoint)
        self.sums = Table(dynamo, create_table(dynamo, work_index=True))
        self.tallies = Tallies(self.sums)
        name = self.sums._name

        def read_stack(*args: Any) -> Any:
            return replace(stack.read_stack(*args), analytics_table=name, analytics_function="analytics")

        monkeypatch.setattr(analytics_check, "read_stack", read_stack)
        monkeypatch.setattr(analytics_command, "read_stack", read_stack)
        chance = random.Random(3)
        shop = Shop(operator.payments, chance.randrange)
        self.payments = [shop.sell(9) for _ in range(8)]

    def count(self, payments: list[str]) -> None:
        """As the stream would."""
        items = [self.operator.payments.get(f"PAY#{payment}") for payment in payments]
        self.tallies.count(read_history(item) for item in items if item)

    def check(self, *argv: str, code: int = 0) -> Any:
        """What the check says, as JSON."""
        return json.loads(self.operator.run("analytics", "check", "--json", *argv, code=code)[0])


@pytest.fixture
def day(operator: Operator, aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Day:
    """Nothing counted yet."""
    return Day(operator, aws_endpoint, monkeypatch)


def test_what_the_stream_did_not_bring_is_found_and_counted_once(day: Day) -> None:
    """Payments of before the stream, and records that were given up."""
    day.count(day.payments[:3])
    found = day.check(code=1)
    assert sorted(found["notCounted"]) == sorted(day.payments[3:])
    assert found["differences"] == found["books"] == []
    assert "tollgate analytics check --apply --stack" in day.operator.run("analytics", "check", code=1)[1]
    applied = day.check("--apply")
    assert applied["applied"] > 0
    assert day.check("--apply")["applied"] == 0
    assert "sums, histories and books agree" in day.operator.run("analytics", "check")[0]
    assert {row["network"] for row in applied["revenue"]} == {"eip155:84532"}


def test_a_sum_that_is_not_that_of_the_histories_is_named(day: Day) -> None:
    """Somebody edited it, or a counter has a bug."""
    day.count(day.payments)
    (cell, _), *_ = day.tallies.read(NOW // 86_400, NOW // 86_400 + 30)
    key = f"SUM#{cell.day}#{cell.network}#{cell.asset}#{cell.owner}#{cell.route}"
    day.sums.write(Update(key, "ADD settled_amount :one", None, {":one": 1}))
    (difference,) = day.check(code=1)["differences"]
    assert (difference["sum"], difference["route"]) == ("settled_amount", cell.route)
    assert int(difference["analytics"]) - int(difference["histories"]) == 1
    assert f"{cell.route}: settled_amount is" in day.operator.run("analytics", "check", code=1)[1]


def test_histories_that_are_not_those_of_the_books_are_named(day: Day) -> None:
    """The books' revenue is a row of its own, written with the settlement."""
    day.count(day.payments)
    row = {"pk": "REV#eip155:84532#0x" + "aa" * 20 + "#0x" + "bb" * 20 + "#0", "amount": 5, "payments": 1}
    day.operator.payments.write(Put(row))
    (unlike,) = day.check(code=1)["books"]
    assert (unlike["histories"], unlike["books"]) == ("0", "5")
    assert "the books 5 of 0x" in day.operator.run("analytics", "check", code=1)[1]


def test_a_payment_that_is_counted_further_than_it_went_is_named(day: Day) -> None:
    """A table that was restored to an earlier moment."""
    day.count(day.payments)
    day.sums.write(Update(f"CNT#{day.payments[0]}", "SET counted = :many", None, {":many": 99}))
    assert day.check(code=1)["countedFurther"] == [day.payments[0]]


def test_nothing_secret_is_read(day: Day) -> None:
    """The scan asks for what is counted, and for no signature."""
    assert not {"signature", "identifier", "source"} & set(HISTORY_ATTRIBUTES)


def test_a_table_for_people_and_json_for_programs(day: Day) -> None:
    """By invocation; what was not asked for is not sent on."""
    money = {"count": 0, "amount": "0", "decimal": "0.000000"}
    row = {"route": "GET /map", "network": "eip155:84532", "asset": "0x" + "aa" * 20, "symbol": "USDC", "claimed": 9}
    row |= {"paid": 8, "released": 1, "unpaid": 0, "revenue": {"amount": "80000", "decimal": "0.080000"}}
    row |= dict.fromkeys(("reversed", "refunded", "credited", "unserved", "returned"), money)
    said = {"outcome": "read", "from": "2026-11-01", "to": "2026-11-02", "by": ["route", "network", "asset"]}
    traffic = {"route": "GET /map", "requests": 40, "offers": 16, "conversion": 0.5, "failures": 0}
    traffic |= {"p50Milliseconds": 900, "p95Milliseconds": None, "p99Milliseconds": None}
    said["traffic"] = [traffic]
    day.operator.functions.answers["analytics"] = lambda event: {**said, "rows": [row]}
    out, _ = day.operator.run("analytics", "show", "--from", "2026-11-01", "--to", "2026-11-02")
    head, columns, values, _, measured, numbers = out.splitlines()
    titles = "route requests 402s conversion failures p50 ms p95 ms p99 ms"
    assert measured.split() == titles.split()
    # What is not known is never 0.
    assert numbers.split() == ["GET", "/map", "40", "16", "0.5", "0", "900", "-", "-"]
    assert head == "2026-11-01 to 2026-11-02 (UTC)"
    titles = "route network token claimed paid not charged unpaid revenue reversed refunded credited"
    assert columns.split() == titles.split()
    assert values.split()[-8:] == ["9", "8", "1", "0", "0.080000", *["0.000000"] * 3]
    asked = day.operator.functions.invoked[-1][1]
    assert asked == {"op": "analytics", "from": "2026-11-01", "to": "2026-11-02", "by": "route", "owner": None}
    assert json.loads(day.operator.run("analytics", "show", "--json")[0])["rows"] == [row]
    day.operator.functions.answers["analytics"] = lambda event: {**said, "rows": []}
    assert "nothing was claimed or paid" in day.operator.run("analytics", "show")[0]
    refused = {"outcome": "refused", "code": "invalid_parameters", "sentence": "by must be one"}
    day.operator.functions.answers["analytics"] = lambda event: refused
    assert day.operator.run("analytics", "show", "--by", "payer", code=1)[1] == "by must be one\n"
