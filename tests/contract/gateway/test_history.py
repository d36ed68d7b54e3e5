"""History: whoever signs in reads the own payments, page by page, and nobody else's; against a DynamoDB server."""

import base64
import csv
import io
import json
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.support.aws import client, create_table
from tests.support.buyer import fresh_signature
from tests.support.payments import ANSWER, NOW, some_address, some_claim, some_proof, some_word
from tests.support.settling import ListJournal
from tollgate.edge.history_api import list_payments
from tollgate.errors import BadRequest
from tollgate.gateway.history import REQUEST_ID, PaymentHistory
from tollgate.gateway.history_query import read_history_query
from tollgate.gateway.messages import Answer, Request
from tollgate.gateway.records import RecordRefused
from tollgate.ledger import history as lists
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Table
from tollgate.ledger.history import History
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.record import Payment
from tollgate.payment.states import Flow, State
from tollgate.wire.primitives import Address, Network

HOST = "api.example"
BASE = Network(8453)


class Shop:
    """A payments table, whoever bought, and the endpoint over it."""

    def __init__(self, aws_endpoint: str) -> None:
        dynamo = client("dynamodb", aws_endpoint)
        self.asked: list[str] = []
        dynamo.meta.events.register("before-call.dynamodb", lambda model, **_: self.asked.append(model.name))
        self.table = Table(dynamo, create_table(dynamo, work_index=True))
        self.ledger = PaymentsLedger(self.table)
        self.payer: LocalAccount = Account.create()
        self.owner: LocalAccount = Account.create()
        self.history = PaymentHistory(History(self.table), f"https://{HOST}", HOST, lambda: NOW, ListJournal())

    def claim(self, **changes: Any) -> Payment:
        """A payment under way, of the shop's payer unless it says otherwise."""
        return self.ledger.claim(some_claim(**({"payer": Address.parse(self.payer.address)} | changes)))

    def settle(self, payment: Payment) -> str:
        """Its transaction."""
        begun = self.ledger.hold(payment, ANSWER, NOW)
        proof = some_proof()
        Books(self.table).book(begun, proof, True, NOW, NOW + 100)
        return str(proof.transaction)

    def sign_in(self, account: LocalAccount, **changes: Any) -> str:
        """A SIGN-IN-WITH-X for the list."""
        how = {"domain": HOST, "uri": f"https://{HOST}/x402/payments", "version": "1", "type": "eip191"}
        how |= {"chainId": "eip155:84532", "requestId": REQUEST_ID}
        return fresh_signature(account, how | changes, now=NOW)

    def get(self, query: str = "", account: LocalAccount | None = None, **headers: str) -> Answer:
        """Ask as the payer, or as somebody else."""
        given = {"sign-in-with-x": self.sign_in(account or self.payer)} | headers
        return list_payments(self.history, Request("GET", "/x402/payments", query, given, b"", "192.0.2.1"))

    def page(self, query: str = "", account: LocalAccount | None = None) -> dict[str, Any]:
        """What it says, as JSON."""
        said: dict[str, Any] = json.loads(self.get(query, account).body)
        return said

    def ids(self, query: str = "", account: LocalAccount | None = None) -> list[str]:
        """The payments of a page."""
        return [one["payment"] for one in self.page(query, account)["payments"]]

    def pages(self, query: str) -> list[list[str]]:
        """The payments of all pages."""
        found, cursor = [], ""
        while True:
            page = self.page(f"{query}{cursor}")
            found.append([one["payment"] for one in page["payments"]])
            if page["cursor"] is None:
                return found
            cursor = f"&cursor={page['cursor']}"


@pytest.fixture
def shop(aws_endpoint: str) -> Shop:
    """One with nothing sold."""
    return Shop(aws_endpoint)


def digests(payments: list[Payment]) -> list[str]:
    """Their ids, the newest first."""
    in_order = sorted(payments, key=lambda p: (p.claim.claimed_at, p.id.digest), reverse=True)
    return [payment.id.digest for payment in in_order]


def test_a102_a_list_has_the_signers_payments_and_nobody_elses(shop: Shop) -> None:
    """As payer what they paid, as owner what was paid for their routes as they were then; a stranger nothing."""
    owner, stranger = Address.parse(shop.owner.address), Account.create()
    mine = [shop.claim(claimed_at=NOW - 3), shop.claim(claimed_at=NOW - 2, route_owner=owner)]
    theirs = shop.claim(payer=some_address(), route_owner=owner)
    shop.claim(payer=some_address(), route_owner=some_address())
    assert shop.ids() == digests(mine)
    assert shop.ids("as=owner") == []
    assert shop.ids("as=owner", shop.owner) == digests([mine[1], theirs])
    assert shop.ids("", shop.owner) == shop.ids("", stranger) == shop.ids("as=owner", stranger) == []


def test_an_entry_says_what_the_record_says_and_nothing_more(shop: Shop) -> None:
    """The same form as the single record: no signature, no identifier, no source address, no owner's token."""
    shop.claim(identifier="abc")
    (entry,) = shop.page()["payments"]
    assert set(entry) == {
        "payment", "state", "sentence", "network", "asset", "amount", "payer", "payTo", "route", "resource", "flow",
        "claimedAt", "validBefore", "transactions",
    }  # fmt: skip
    assert "192.0.2.1" not in json.dumps(entry)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"requestId": "ab" * 32}, "sign_in_refused"),
        ({"domain": "other.example"}, "sign_in_refused"),
        ({"requestId": "receipts"}, "sign_in_refused"),
    ],
)
def test_a_signature_for_something_else_opens_no_list(shop: Shop, changes: dict[str, str], code: str) -> None:
    """Not one for a single payment, nor one for another host; and nothing is read for it."""
    shop.claim()
    shop.asked.clear()
    with pytest.raises(RecordRefused) as refused:
        shop.get(**{"sign-in-with-x": shop.sign_in(shop.payer, **changes)})
    assert (refused.value.status, refused.value.code) == (403, code)
    assert refused.value.details["signIn"]["requestId"] == "payments"
    assert not shop.asked


def test_who_shows_nothing_is_told_how_to_sign_in(shop: Shop) -> None:
    """403 with the fields to sign, and nothing is read."""
    with pytest.raises(RecordRefused) as refused:
        list_payments(shop.history, Request("GET", "/x402/payments", "", {}, b"", "192.0.2.1"))
    assert (refused.value.status, refused.value.code) == (403, "sign_in_required")
    assert not [call for call in shop.asked if call != "CreateTable"]


def test_pages_neither_skip_nor_repeat_while_payments_arrive(shop: Shop) -> None:
    """Also of payments of one second; newer ones are in front of the first page, where they change no later one."""
    old = [shop.claim(claimed_at=NOW - 1 - number // 3) for number in range(8)]
    first = shop.page("limit=2")
    seen = [one["payment"] for one in first["payments"]]
    cursor = first["cursor"]
    while cursor is not None:
        shop.claim(claimed_at=NOW)
        page = shop.page(f"limit=2&cursor={cursor}")
        seen += [one["payment"] for one in page["payments"]]
        cursor = page["cursor"]
    assert seen == digests(old)


@pytest.mark.parametrize("more", ["", "&status=in_progress"])
def test_the_last_page_says_that_it_is_the_last(shop: Shop, more: str) -> None:
    """However many there are; and the total is on the first, and exact."""
    made = [shop.claim(claimed_at=NOW - number) for number in range(4)]
    assert [len(page) for page in shop.pages(f"limit=3{more}")] == [3, 1]
    assert shop.page(f"limit=3{more}")["total"] == {"count": 4, "exact": True}
    assert "total" not in shop.page(f"limit=3{more}&cursor=" + shop.page(f"limit=3{more}")["cursor"])
    assert [one for page in shop.pages(f"limit=3{more}") for one in page] == digests(made)


def test_filters_by_state_network_route_and_time(shop: Shop) -> None:
    """Each alone, and together; the total is of what is asked for."""
    served = shop.claim(claimed_at=NOW - 100, route="tea")
    shop.settle(served)
    freed = shop.claim(claimed_at=NOW - 50, network=BASE)
    shop.ledger.release(freed, NOW, debt=None)
    paid = shop.claim(claimed_at=NOW - 10, flow=Flow.UPFRONT)
    put(shop, paid, State.SETTLED)
    for query, wanted in (
        ("status=settled", [served]),
        ("status=paid", [paid]),
        ("status=not_charged,paid", [freed, paid]),
        ("network=eip155:8453", [freed]),
        ("route=tea", [served]),
        (f"from={NOW - 50}", [freed, paid]),
        (f"to={NOW - 50}", [served]),
        (f"from={NOW - 50}&to={NOW - 49}", [freed]),
        ("from=2027-01-15", [served, freed, paid]),
        ("to=2027-01-15", []),
        ("from=2027-01-15T08:59:10%2B01:00&network=eip155:84532", [paid]),
        ("route=tea&status=not_charged", []),
    ):
        page = shop.page(query)
        assert [one["payment"] for one in page["payments"]] == digests(wanted), query
        assert page["total"] == {"count": len(wanted), "exact": True}, query


def test_a_state_is_the_payments_and_not_the_indexs(shop: Shop) -> None:
    """What moved a moment ago is listed as it stands: the index knows no states."""
    payment = shop.claim()
    assert shop.ids("status=in_progress") == digests([payment])
    shop.settle(payment)
    assert shop.ids("status=in_progress") == []
    assert shop.ids("status=settled") == digests([payment])


def test_a_transaction_finds_what_it_paid_for_those_it_concerns(shop: Shop) -> None:
    """In any case of its digits, for the payer and the owner; a stranger's transaction finds nothing."""
    owner = Address.parse(shop.owner.address)
    payment = shop.claim(route_owner=owner)
    transaction = shop.settle(payment)
    strangers = shop.settle(shop.claim(payer=some_address()))
    shop.claim()
    spelled = "0x" + transaction[2:].upper()
    assert shop.ids(f"transaction={spelled}") == digests([payment])
    assert shop.ids(f"as=owner&transaction={transaction}", shop.owner) == digests([payment])
    assert shop.ids(f"transaction={strangers}") == shop.ids(f"transaction={some_word()}") == []
    assert shop.ids(f"transaction={transaction}&status=not_charged") == []
    assert shop.page(f"transaction={transaction}")["total"] == {"count": 1, "exact": True}


def test_a_cursor_that_was_touched_or_is_of_another_list_is_400(shop: Shop) -> None:
    """A clean refusal, for every single character and for another wallet, side or filter; and nothing is read."""
    for number in range(3):
        shop.claim(claimed_at=NOW - number)
    cursor = shop.page("limit=1")["cursor"]
    place = base64.urlsafe_b64decode(cursor + "==").decode().partition(".")[0]
    forged = base64.urlsafe_b64encode(f"{place}.".encode()).decode().rstrip("=")
    touched = [cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :] for at in range(len(cursor))]
    shop.asked.clear()
    for wrong in (*touched, cursor + "=", cursor + "A", cursor[:-1], "", forged, "%00", "x" * 5000):
        with pytest.raises(BadRequest) as refused:
            shop.get(f"limit=1&cursor={wrong}")
        assert (refused.value.status, refused.value.code) == (400, "invalid_cursor"), wrong
    for query, account in (("as=owner", None), ("status=settled", None), ("from=5", None), ("", shop.owner)):
        with pytest.raises(BadRequest):
            shop.get(f"{query}&cursor={cursor}".lstrip("&"), account)
    assert not shop.asked
    assert len(shop.ids(f"limit=2&cursor={cursor}")) == 2


def test_a_request_reads_a_bounded_number_of_payments(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One query and one batch a hundred, and no more than the bound; then the page is short, and not the last."""
    monkeypatch.setattr(lists, "MOST_LOOKED_AT", 4)
    monkeypatch.setattr(lists, "_BATCH", 2)
    made = [shop.claim(claimed_at=NOW - number) for number in range(6)]
    shop.settle(made[5])
    shop.asked.clear()
    page = shop.page("status=settled")
    assert shop.asked == ["Query", "BatchGetItem"] * 2
    assert page["payments"] == []
    assert page["total"] == {"count": 0, "exact": False}
    assert shop.pages("status=settled") == [[], [made[5].id.digest]]
    shop.asked.clear()
    assert len(shop.ids("limit=2")) == 2
    assert shop.asked == ["Query", "BatchGetItem", "Query"]


def test_a_count_says_when_it_stopped_counting() -> None:
    """A page of the index is 1 MB; after the last that it may read there is no telling."""

    class Endless:
        def query(self, **request: Any) -> dict[str, Any]:
            assert request["Select"] == "COUNT"
            return {"Count": 10, "LastEvaluatedKey": {"pk": {"S": "PAY#a"}}}

    table = Table(Endless(), "payments")  # type: ignore[arg-type]
    query = History(table)._query(lists.Listing(lists.Side.PAYER, "0x"), None)
    assert table.count(query, 3) == (30, False)


def test_no_parameter_is_guessed(shop: Shop) -> None:
    """What is not understood is 400 and says so, instead of a list that is not the one that was asked for."""
    for query in (
        "payer=0x01", "as=seller", "status=done", "status=", "status=settled,", "network=base", "route=",
        "from=yesterday", "from=2026-02-30", "to=-1", "from=9&to=8", "transaction=0x12", "limit=0", "limit=201",
        "limit=1.0", "format=xml", "limit=1&limit=2", "route=%FF", f"transaction={some_word()}&cursor=a",
    ):  # fmt: skip
        with pytest.raises(BadRequest) as refused:
            shop.get(query)
        assert (refused.value.status, refused.value.code) == (400, "invalid_parameters"), query


def test_whatever_the_bounds_are_a_list_is_answered(shop: Shop) -> None:
    """Years of five digits of seconds more, and a cursor that somebody made: whose check everybody can compute."""
    payment = shop.claim()
    assert shop.ids("from=3000000000&to=9999-12-31") == []
    assert shop.ids("from=2027-01-01&to=9999-12-31") == digests([payment])
    payer = Address.parse(shop.payer.address)
    for query, place in (("", "0" * 34), (f"from={NOW}", "0" * 33 + "1"), (f"to={NOW}", "9" * 34)):
        cursor = read_history_query(query).cursor_at(payer, place)
        assert shop.ids(f"{query}&cursor={cursor}".lstrip("&")) == [], query


def rows(answer: Answer) -> list[dict[str, str]]:
    """The lines of a CSV, as the standard library reads them."""
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


@pytest.mark.parametrize(("query", "headers"), [("format=csv", {}), ("", {"accept": "text/csv"})])
def test_csv_has_money_as_atomic_units_and_as_a_decimal(shop: Shop, query: str, headers: dict[str, str]) -> None:
    """With its asset and network; lines end as RFC 4180 has it, and nobody keeps it."""
    payment = shop.claim(value=12_345_678)
    transaction = shop.settle(payment)
    answer = shop.get(query, **headers)
    (row,) = rows(answer)
    assert {
        "payment": payment.id.digest,
        "state": "settled",
        "claimed_at": "2027-01-15T08:00:00Z",
        "network": "eip155:84532",
        "asset": str(payment.id.asset),
        "amount": "12345678",
        "decimal": "12.345678",
        "symbol": "USDC",
        "payer": shop.payer.address,
        "transaction": transaction,
    }.items() <= row.items()
    assert answer.header("content-type") == "text/csv; charset=utf-8"
    assert answer.header("cache-control") == "private, no-store"
    assert answer.body.count(b"\r\n") == 2


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '="a",b'])
def test_no_cell_of_the_csv_is_a_formula(shop: Shop, text: str) -> None:
    """CWE-1236: what others chose is text in every spreadsheet, whatever it begins with."""
    shop.claim(route=text)
    (row,) = rows(shop.get("format=csv"))
    assert row["route"] == f"'{text}"


def test_the_next_page_of_a_csv_is_in_its_link(shop: Shop) -> None:
    """As RFC 8288 has it, with the same filters; the last has none."""
    made = [shop.claim(claimed_at=NOW - number) for number in range(3)]
    answer = shop.get("format=csv&limit=2&route=weather")
    link = answer.header("link") or ""
    assert link.startswith(f"<https://{HOST}/x402/payments?format=csv&limit=2&route=weather&cursor=")
    assert link.endswith('>; rel="next"')
    last = shop.get(link[1:].partition(">")[0].partition("?")[2])
    assert [row["payment"] for row in rows(last)] == digests(made)[2:]
    assert last.header("link") is None


def test_payments_of_a_version_before_the_lists_are_in_none_and_read_as_before(shop: Shop) -> None:
    """They have no keys for the indexes; the record and the transaction find them."""
    old = shop.claim()
    transaction = shop.settle(old)
    shop.table._client.update_item(
        TableName=shop.table._name,
        Key={"pk": {"S": f"PAY#{old.id.digest}"}},
        UpdateExpression="REMOVE of_payer, listed_at",
    )
    assert shop.ids() == []
    assert shop.ids(f"transaction={transaction}") == digests([old])
    assert shop.ledger.get(old.id) is not None


def put(shop: Shop, payment: Payment, state: State) -> None:
    """Have the payment's item say another state."""
    shop.table._client.update_item(
        TableName=shop.table._name,
        Key={"pk": {"S": f"PAY#{payment.id.digest}"}},
        UpdateExpression="SET #state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": state.value}},
    )
