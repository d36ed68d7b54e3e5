"""``tollgate payments stuck``, ``unpark`` and a payment's history, on items that the ledgers themselves wrote."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.cli.shell import NOW, Operator
from tests.support.payments import ANSWER, some_claim, some_proof
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Item, Put, Value
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.refund_marks import RefundMarks
from tollgate.ledger.settlement_items import Settlement, Slot, settlement_item
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.ledger.work import WorkList
from tollgate.payment.record import Payment
from tollgate.payment.states import Flow, SettlementState
from tollgate.wire.primitives import Address

HOURS_AGO = NOW - 7_500
_OWNER, _SIGNATURE, _IDENTIFIER = "0wner-token", "01" * 65, "5ec7e7" * 10
RELAYER = Address(b"\x0b" * 20)


class Shop:
    """Payments of a stack that were claimed two hours ago, and whose processes are long dead."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.table = operator.payments
        self.ledger = PaymentsLedger(self.table)
        self.work = WorkList(self.table)
        self.books = Books(self.table)

    def executing(self, lease_until: int = HOURS_AGO + 30, flow: Flow = Flow.AUTHORIZATION) -> Payment:
        return self.ledger.claim(some_claim(owner=_OWNER, identifier=_IDENTIFIER, lease_until=lease_until, flow=flow))

    def settling(self, state: SettlementState | None = None, nonce: int = 7) -> Payment:
        payment = self.ledger.hold(self.executing(), ANSWER, HOURS_AGO)
        if state is not None:
            slot = Slot(payment.id.network, RELAYER, nonce)
            settlement = Settlement(payment.settle_request(), state, slot, _OWNER, HOURS_AGO)
            self.operator.settlements.write(Put(settlement_item(settlement)))
        self.next_look(payment, NOW + 120)
        return payment

    def paid_unserved(self) -> Payment:
        payment = self.executing()
        self.ledger.release(payment, NOW, debt="owner_died")
        self.books.paid_unserved(self.current(payment), some_proof(), True, NOW - 60)
        self.ledger.reschedule(self.current(payment), None)
        return payment

    def parked(self) -> Payment:
        payment = self.settling()
        self.work.park(self.item(payment), "KeyError", NOW - 60)
        return payment

    def refund_due(self) -> Payment:
        upfront = UpfrontLedger(self.table)
        settling = upfront.begin(self.executing(flow=Flow.UPFRONT), HOURS_AGO)
        settled = self.books.book(settling, some_proof(), True, HOURS_AGO, HOURS_AGO + 901)
        upfront.refund_due(upfront.run(settled, _OWNER, HOURS_AGO), "status_500", HOURS_AGO, dead=False)
        return payment if (payment := self.ledger.get(settled.id)) else settled

    def off_the_list(self, payment: Payment) -> Payment:
        self.ledger.reschedule(payment, None)
        return payment

    def unresolved(self) -> Payment:
        payment = self.settling()
        self.ledger.unresolved(payment, NOW - 60, NOW + 840)
        return payment

    def next_look(self, payment: Payment, due: int) -> None:
        self.ledger.reschedule(self.current(payment), due)

    def current(self, payment: Payment) -> Payment:
        found = self.ledger.get(payment.id)
        assert found is not None
        return found

    def item(self, payment: Payment) -> Item:
        found = self.table.get(f"PAY#{payment.id.digest}")
        assert found is not None
        return found


@pytest.fixture
def shop(operator: Operator) -> Shop:
    """The operator's own."""
    return Shop(operator)


def stuck(operator: Operator, *more: str, code: int = 1) -> tuple[list[dict[str, Any]], str]:
    """The document, and what people read."""
    text, _ = operator.run("payments", "stuck", *more, "--json", code=code)
    out, _ = operator.run("payments", "stuck", *more, code=code)
    found: list[dict[str, Any]] = json.loads(text)["stuck"]
    return found, out


def test_nothing_stuck_says_so(operator: Operator, shop: Shop) -> None:
    """What was just begun, what is at its end, and what is only looked at once more are not stuck."""
    shop.executing(lease_until=NOW + 30)
    settling = shop.ledger.hold(shop.executing(lease_until=NOW + 30), ANSWER, NOW)
    shop.ledger.hold(shop.executing(lease_until=NOW + 30), ANSWER, NOW)
    shop.books.book(settling, some_proof(), True, NOW, NOW + 1_800)
    shop.ledger.release(shop.executing(), NOW, debt=None)
    found, out = stuck(operator, code=0)
    assert found == []
    assert "nothing is stuck" in out


_WHY: dict[str, tuple[Callable[[Shop], Payment], str, str]] = {
    "EXECUTING": (Shop.executing, "its process died while the upstream ran", "reconcile does it"),
    "SETTLING, nothing signed": (Shop.settling, "nothing was signed for it", "MaxFeeGwei"),
    "SETTLING, reserved": (
        lambda shop: shop.settling(SettlementState.RESERVED),
        "a nonce is reserved, nothing is signed",
        "reconcile does it",
    ),
    "SETTLING, signed": (lambda shop: shop.settling(SettlementState.SIGNED), "signed and not mined", "MaxFeeGwei"),
    "SETTLING, confirmed": (
        lambda shop: shop.settling(SettlementState.CONFIRMED),
        "its settlement is CONFIRMED, its books are not written",
        "reconcile does it",
    ),
    "UNRESOLVED": (Shop.unresolved, "no RPC endpoint could say what happened", "mend the RPC secret"),
    "PAID_UNSERVED": (Shop.paid_unserved, "the money is owed back to the payer", "payments refunded"),
    "REFUND_DUE": (
        Shop.refund_due,
        "its refund has not begun: its block is not deep yet, or the treasury has too little",
        "the treasury",
    ),
    "REFUND_DUE, by hand": (
        lambda shop: shop.off_the_list(shop.refund_due()),
        "the money is owed back to the payer",
        "payments refunded",
    ),
    "REFUND_DUE, begun": (
        lambda shop: RefundMarks(shop.table).begin(shop.refund_due(), NOW),
        "its refund has begun",
        "Never send it by hand",
    ),
    "parked": (Shop.parked, "parked: KeyError", "payments unpark"),
}


@pytest.mark.parametrize("case", _WHY)
def test_what_waits_is_listed_with_why_and_what_to_do(operator: Operator, shop: Shop, case: str) -> None:
    """From the work list alone, and the same from the whole table."""
    make, why, todo = _WHY[case]
    payment = make(shop)
    found, out = stuck(operator)
    assert [(one["id"], one["why"]) for one in found] == [(payment.id.digest, why)]
    assert todo in found[0]["todo"]
    assert todo in out
    assert "$0.01 USDC on base-sepolia" in out
    assert stuck(operator, "--scan")[0] == found


def test_gas_and_a_lower_nonce_are_told_apart_from_the_fee(operator: Operator, shop: Shop) -> None:
    """The lowest unmined nonce of a relayer waits for itself, those above it for that one."""
    payments = [shop.settling(SettlementState.SIGNED, nonce) for nonce in (7, 8, 9)]
    whys = {one["id"]: one["why"] for one in stuck(operator)[0]}
    assert whys[payments[0].id.digest] == "signed and not mined"
    assert {whys[p.id.digest] for p in payments[1:]} == {f"waits behind nonce 7 of {RELAYER}"}
    operator.check_relayers(has_gas=False)
    found, out = stuck(operator)
    assert {one["why"] for one in found} == {"no relayer has gas on eip155:84532"}
    assert "tollgate relayer" in out


def test_what_the_work_list_lost_is_found_by_a_scan(operator: Operator, shop: Shop) -> None:
    """Edited by hand: neither due nor ended."""
    payment = shop.settling()
    client: Any = shop.table._client
    client.update_item(
        TableName=shop.table._name,
        Key={"pk": {"S": f"PAY#{payment.id.digest}"}},
        UpdateExpression="REMOVE due, #work",
        ExpressionAttributeNames={"#work": "work"},
    )
    assert stuck(operator, code=0)[0] == []
    assert [one["id"] for one in stuck(operator, "--scan")[0]] == [payment.id.digest]


def test_what_cannot_be_read_is_listed_too(operator: Operator, shop: Shop) -> None:
    """And shown: an item of another version is no reason to print a traceback."""
    payment = shop.executing()
    shop.table.write(Put({**shop.item(payment), "state": "FROM_THE_FUTURE"}, None))
    found, _ = stuck(operator)
    assert found[0]["why"] == "cannot be read"
    out, _ = operator.run("payments", "show", payment.id.digest)
    assert "FROM_THE_FUTURE" in out


def test_what_is_parked_is_put_back(operator: Operator, shop: Shop) -> None:
    """One or all of them; what is not parked is said."""
    first, second, third = shop.parked(), shop.parked(), shop.parked()
    out, _ = operator.run("payments", "show", first.id.digest)
    assert "reconcile gave up looking" in out
    assert "PARKED" in out
    assert "KeyError" in out
    operator.run("payments", "unpark", first.id.digest)
    assert {one["why"] for one in stuck(operator)[0]} == {"nothing was signed for it", "parked: KeyError"}
    assert shop.item(first)["due"] == NOW
    text, _ = operator.run("payments", "unpark", "all", "--json")
    assert set(json.loads(text)["unparked"]) == {second.id.digest, third.id.digest}
    assert "nothing is parked" in operator.run("payments", "unpark", "all")[0]
    assert "is not parked" in operator.run("payments", "unpark", first.id.digest, code=1)[1]


# ------------------------------------------------------------------ show


def test_a_payments_history_is_told_move_by_move(operator: Operator, shop: Shop) -> None:
    """With UTC times, what came how long after what, and the transaction; as JSON for programs."""
    payment = shop.executing()
    held = shop.ledger.hold(payment, ANSWER, NOW + 2)
    proof = some_proof()
    shop.books.book(held, proof, True, NOW + 65, NOW + 1_800)
    out, err = operator.run("payments", "show", payment.id.digest)
    history = out[out.index("history\n") :].splitlines()[1:4]
    assert history[0].split() == ["2027-01-15", "08:00:00", "UTC", "EXECUTING"]
    assert history[1].startswith("  2027-01-15 08:00:02 UTC  SETTLING, 2 s later")
    assert history[2].startswith(f"  2027-01-15 08:01:05 UTC  SETTLED, 1 min 3 s later  {proof.transaction}")
    assert "paid and booked" in out
    text, _ = operator.run("payments", "show", payment.id.digest, "--json")
    (shown,) = json.loads(text)["payments"]
    assert shown["payment"]["moves"][2] == {"what": "SETTLED", "at": NOW + 65, "detail": str(proof.transaction)}
    assert shown["answer"] == {
        "status": 200,
        "size": len(ANSWER.body),
        "stored_at": NOW + 2,
        "expires_at": NOW + 2 + 86_400,
    }
    for secret in (_IDENTIFIER, _OWNER, _SIGNATURE, "sunny", "content-type"):
        assert secret not in out + err + text


@pytest.mark.parametrize("listed", [True, False])
def test_the_beginning_of_an_id_finds_its_payment(operator: Operator, shop: Shop, listed: bool) -> None:
    """On the work list first; what is off it by reading the table."""
    payment = shop.settling()
    if not listed:
        shop.ledger.reschedule(payment, None)
    out, err = operator.run("payments", "show", payment.id.digest[:8].upper())
    assert payment.id.digest in out
    assert ("whole payments table" in err) is not listed


def test_a_beginning_that_several_have_is_said(operator: Operator, shop: Shop) -> None:
    """Nothing is guessed."""
    payment = shop.settling()
    twin: dict[str, Value | None] = {**shop.item(payment), "pk": f"PAY#{payment.id.digest[:10]}{'0' * 54}"}
    shop.table.write(Put(twin))
    _, err = operator.run("payments", "show", payment.id.digest[:9], code=1)
    assert "several payments begin with" in err
    assert "knows no payment" in operator.run("payments", "show", "0" * 9, code=1)[1]


def test_a_payer_is_shown_all_of_theirs(operator: Operator, shop: Shop) -> None:
    """In a line each; and an address that paid nothing is said."""
    first, other = shop.settling(), shop.executing()
    out, _ = operator.run("payments", "show", str(first.id.payer))
    assert first.id.digest in out
    assert other.id.digest not in out
    assert "$0.01 USDC on base-sepolia" in out
    text, _ = operator.run("payments", "show", str(first.id.payer), "--json")
    assert [one["id"] for one in json.loads(text)["payments"]] == [first.id.digest]
    assert "knows no payment of" in operator.run("payments", "show", "0x" + "00" * 20, code=1)[1]
