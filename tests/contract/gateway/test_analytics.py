"""What routes earned: an owner sees the own routes, the operator all, and each sum is what was paid."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.support.aws import client, create_table
from tests.support.buyer import fresh_signature
from tests.support.payments import ASSET, NOW
from tests.support.settling import ListJournal
from tollgate.edge.analytics_api import answer, serve
from tollgate.edge.telemetry import FAILURES, MILLISECONDS, OFFERS
from tollgate.edge.traffic import CloudWatchTraffic
from tollgate.errors import BadRequest
from tollgate.gateway import analytics as module
from tollgate.gateway.analytics import Analytics, in_dollars
from tollgate.gateway.analytics_query import day_name
from tollgate.gateway.messages import Request
from tollgate.ledger.dynamo import Table
from tollgate.ledger.tallies import Tallies
from tollgate.payment.record import Move
from tollgate.payment.tally import DAY_SECONDS, Cell, History

HOST = "api.example"
HASH = "0x" + "11" * 32
TODAY = day_name(NOW // DAY_SECONDS)
WEATHER, MAP = "GET /weather/{city}", "GET /map"


class CloudWatch:
    """GetMetricData: ``held`` is metric and statistic to the values of the days, for the route WEATHER."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], list[float]] = {}
        self.asked: list[dict[str, Any]] = []
        self.down = False

    def get_metric_data(self, **request: Any) -> Any:
        if self.down:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "GetMetricData")
        self.asked.append(request)
        queries = request["MetricDataQueries"]
        assert len(queries) <= 500
        # The second page has the rest.
        half = queries[: len(queries) // 2] if "NextToken" not in request else queries[len(queries) // 2 :]
        page = {"MetricDataResults": [{"Id": query["Id"], "Values": self._values(query)} for query in half]}
        return page if "NextToken" in request else {**page, "NextToken": "more"}

    def _values(self, query: Any) -> list[float]:
        stat = query["MetricStat"]
        named = {one["Name"]: one["Value"] for one in stat["Metric"]["Dimensions"]}
        assert (named["service"], stat["Metric"]["Namespace"]) == ("proxy", "Tollgate/shop")
        known = named["route"] == WEATHER
        return self.held.get((stat["Metric"]["MetricName"], stat["Stat"]), []) if known else []


class Shop:
    """Sums on a DynamoDB server, and two owners."""

    def __init__(self, aws_endpoint: str) -> None:
        dynamo = client("dynamodb", aws_endpoint)
        self.tallies = Tallies(Table(dynamo, create_table(dynamo, work_index=True)))
        self.owner: LocalAccount = Account.create()
        self.cloudwatch = CloudWatch()
        traffic = CloudWatchTraffic(self.cloudwatch, "Tollgate/shop")
        self.analytics = Analytics(self.tallies, traffic, f"https://{HOST}", HOST, lambda: NOW, ListJournal())
        self._sold = 0

    def sold(self, *after: str, route: str = WEATHER, owner: str = "", amount: int = 10_000, days: int = 0) -> None:
        """One payment that was settled some days ago, and what became of it since."""
        self._sold += 1
        at = NOW - days * DAY_SECONDS
        states = ("EXECUTING", "SETTLING", "SETTLED", *after)
        moves = tuple(Move(state, at, HASH) for state in states)
        asset = ASSET.lower
        self.tallies.count([History(f"{self._sold:064x}", route, owner, "eip155:84532", asset, amount, moves)])

    def get(self, query: str = "", account: LocalAccount | None = None, **changes: Any) -> Any:
        """Ask over HTTP, as an owner."""
        how = {"domain": HOST, "uri": f"https://{HOST}/x402/analytics", "version": "1", "type": "eip191"}
        how |= {"chainId": "eip155:8453", "requestId": "analytics"} | changes
        headers = {"sign-in-with-x": fresh_signature(account or self.owner, how, now=NOW)}
        return serve(self.analytics, Request("GET", "/x402/analytics", query, headers, b"", "192.0.2.1"))

    def rows(self, query: str = "", account: LocalAccount | None = None) -> list[dict[str, Any]]:
        """The rows of an owner's answer."""
        found: list[dict[str, Any]] = json.loads(self.get(query, account).body)["rows"]
        return found

    def all(self, **asked: Any) -> Any:
        """Ask as the operator."""
        return answer(self.analytics, {"op": "analytics", **asked})


@pytest.fixture
def shop(aws_endpoint: str) -> Shop:
    """One with nothing sold."""
    return Shop(aws_endpoint)


def test_a102_an_owner_sees_what_the_own_routes_earned_and_nobody_elses(shop: Shop) -> None:
    """Whose they were when they were paid for; a stranger sees what somebody sees who owns nothing."""
    mine = shop.owner.address.lower()
    shop.sold(owner=mine)
    shop.sold(owner="0x" + "22" * 20, amount=7)
    shop.sold(amount=5)
    (row,) = shop.rows()
    assert (row["route"], row["paid"], row["revenue"]["amount"]) == (WEATHER, 1, "10000")
    assert shop.rows("", Account.create()) == []
    assert shop.all()["rows"][0]["revenue"]["amount"] == "10012"
    assert shop.all(owner=mine)["rows"] == [row]


def test_a71_nobody_has_the_sums_of_others_read(shop: Shop) -> None:
    """A wallet costs nothing, and somebody may have sold very much: what is not the signer's is not looked at."""
    shop.sold(owner="0x" + "22" * 20)
    asked: list[str] = []
    dynamo = shop.tallies._table._client
    dynamo.meta.events.register("before-call.dynamodb", lambda model, **_: asked.append(model.name))
    assert shop.rows() == []
    assert set(asked) == {"Query"}


def test_a_row_says_what_was_paid_and_what_was_given_back(shop: Shop) -> None:
    """In atomic units and as people write it; a reversal is taken off the revenue, a refund stands beside it."""
    shop.sold()
    shop.sold("REVERSED")
    shop.sold("REFUND_DUE", "REFUNDED")
    shop.sold("REFUND_DUE", "CREDITED")
    (row,) = shop.all()["rows"]
    assert row == {
        "route": WEATHER,
        "network": "eip155:84532",
        "asset": str(ASSET),
        "symbol": "USDC",
        "claimed": 4,
        "paid": 4,
        "released": 0,
        "unpaid": 0,
        "revenue": {"amount": "30000", "decimal": "0.030000"},
        "reversed": {"count": 1, "amount": "10000", "decimal": "0.010000"},
        "refunded": {"count": 1, "amount": "10000", "decimal": "0.010000"},
        "credited": {"count": 1, "amount": "10000", "decimal": "0.010000"},
        "unserved": {"count": 0, "amount": "0", "decimal": "0.000000"},
        "returned": {"count": 0, "amount": "0", "decimal": "0.000000"},
    }


def test_rows_are_told_apart_by_what_is_asked_for(shop: Shop) -> None:
    """Route, day, both; days in order; and the days that were not asked for are not there."""
    shop.sold(days=40)
    shop.sold(days=1, route=MAP)
    shop.sold(days=1)
    shop.sold()
    assert [row["route"] for row in shop.all()["rows"]] == [MAP, WEATHER]
    by_day = shop.all(by="day")
    assert [(row["day"], row["paid"]) for row in by_day["rows"]] == [(day_name(NOW // DAY_SECONDS - 1), 2), (TODAY, 1)]
    both = shop.all(by="day,route")
    assert both["by"] == ["route", "day", "network", "asset"]
    assert len(both["rows"]) == 3
    (old,) = shop.all(**{"from": day_name(NOW // DAY_SECONDS - 40), "to": day_name(NOW // DAY_SECONDS - 2)})["rows"]
    assert old["paid"] == 1
    assert shop.all(by="owner")["rows"][0]["owner"] == ""


@pytest.mark.parametrize(
    "query",
    ["by=", "by=payer", "by=route,route", "from=2026-02-30", "from=1", "to=yesterday", "days=3", "by=route&by=day",
     "from=2027-01-15&to=2027-01-14", "from=2026-01-01&to=2026-12-31"],
)  # fmt: skip
def test_what_is_not_understood_shows_no_wrong_sum(shop: Shop, query: str) -> None:
    """400, whoever asks; the operator is told the same."""
    with pytest.raises(BadRequest) as refused:
        shop.get(query)
    assert (refused.value.status, refused.value.code) == (400, "invalid_parameters")
    if query.count("=") == 1 and not query.startswith("days"):
        name, _, value = query.partition("=")
        assert shop.all(**{name: value})["outcome"] == "refused"


def test_too_many_rows_are_refused_and_not_cut(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that ends somewhere would be taken for all there is."""
    monkeypatch.setattr(module, "MOST_ROWS", 1)
    shop.sold()
    assert shop.all()["outcome"] == "read"
    shop.sold(route=MAP)
    assert shop.all()["code"] == "too_many_rows"


def test_a101_a_signature_for_something_else_opens_nothing(shop: Shop) -> None:
    """Of a payment's record, of the list of payments, of another host; and none at all."""
    for changes in ({"requestId": "payments"}, {"requestId": "0" * 64}, {"domain": "evil.example"}):
        refused = shop.get(**changes)
        assert (refused.status, json.loads(refused.body)["code"]) == (403, "sign_in_refused")
    plain = serve(shop.analytics, Request("GET", "/x402/analytics", "", {}, b"", "192.0.2.1"))
    assert (plain.status, json.loads(plain.body)["code"]) == (403, "sign_in_required")
    assert json.loads(plain.body)["details"]["signIn"]["requestId"] == "analytics"


def test_a_token_that_is_not_known_has_no_decimals(shop: Shop) -> None:
    """Its atomic units are all that can be said."""
    history = History("1" * 64, MAP, "", "eip155:84532", "0x" + "99" * 20, 3, (Move("SETTLED", NOW, HASH),))
    shop.tallies.count([history, replace(history, payment="2" * 64)])
    (row,) = shop.all()["rows"]
    assert (row["symbol"], row["revenue"]) == (None, {"amount": "6", "decimal": None})


def test_traffic_stands_beside_what_was_paid_and_absent_is_not_zero(shop: Shop) -> None:
    """Requests and 402s by route, conversion over them; of a route that CloudWatch knows nothing of, nothing."""
    shop.sold()
    shop.sold()
    shop.sold(route=MAP)
    shop.cloudwatch.held = {
        (OFFERS, "SampleCount"): [6.0, 4.0],
        (OFFERS, "Sum"): [3.0, 5.0],
        (FAILURES, "Sum"): [0.0, 0.0],
        (MILLISECONDS, "p50"): [900.4, 1200.6],
    }
    unknown, known = shop.all()["traffic"]
    assert known == {
        "route": WEATHER,
        "requests": 10,
        "offers": 8,
        "failures": 0,
        "p50Milliseconds": 1201,
        "p95Milliseconds": None,
        "p99Milliseconds": None,
        "conversion": 0.25,
    }
    assert unknown == {"route": MAP, **dict.fromkeys(set(known) - {"route"})}
    assert [one["route"] for one in json.loads(shop.get().body)["traffic"]] == []
    shop.cloudwatch.asked.clear()
    assert shop.all(by="day")["traffic"] == shop.cloudwatch.asked == []
    shop.cloudwatch.down = True
    assert shop.all()["rows"][0]["paid"] == 1
    assert {one["requests"] for one in shop.all()["traffic"]} == {None}


def test_a_hundred_routes_are_asked_for_in_one_call(shop: Shop) -> None:
    """The first eighty of them: a call takes 500 metrics."""
    for number in range(100):
        shop.sold(route=f"GET /{number:03d}")
    assert len(shop.all()["traffic"]) == 80
    assert len({query["Id"] for query in shop.cloudwatch.asked[0]["MetricDataQueries"]}) == 480


def test_only_dollars_are_added_up_as_dollars() -> None:
    """A reversal is taken off; a token that is not known counts nothing."""
    cell = Cell(1, MAP, "", "eip155:84532", ASSET.lower)
    assert in_dollars(cell, {"settled_amount": 30_000, "reversed_amount": 10_000}) == Decimal("0.02")
    assert in_dollars(replace(cell, asset="0x" + "99" * 20), {"settled_amount": 30_000}) == 0
