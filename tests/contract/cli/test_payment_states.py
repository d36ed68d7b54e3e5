"""``payment show`` and ``payment refunded`` in every state, on items that the ledgers themselves wrote."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.contract.cli.shell import NOW, Operator
from tests.support.payments import ANSWER, some_claim, some_proof, some_word
from tollgate.errors import LostRace
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Delete, Put, Value
from tollgate.ledger.executions import Ending, ExecutionsLedger
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.refund_marks import RefundMarks
from tollgate.ledger.settlement_items import Settlement, Slot, settlement_item
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.record import Payment
from tollgate.payment.settlement import SettleRequest
from tollgate.payment.states import Flow, SettlementState, State
from tollgate.wire.primitives import Address, Bytes32
from tollgate.wire.reasons import Reason

# What a buyer proves a resend with, and who is at work: none of it is the operator's to see.
_IDENTIFIER, _OWNER, _SOURCE = "5ec7e7" * 10, "0wner-token", "192.0.2.1"
_SIGNATURE = "01" * 65
_REFUND = "0x" + "cd" * 32


@dataclass
class Seller:
    """The two halves of the seller's ledger, and the walks that lead to each state."""

    ledger: PaymentsLedger
    books: Books
    upfront: UpfrontLedger

    def executing(self) -> Payment:
        return self.ledger.claim(some_claim(identifier=_IDENTIFIER, owner=_OWNER, lease_until=NOW + 30))

    def settling(self) -> Payment:
        return self.ledger.hold(self.executing(), ANSWER, NOW)

    def settled(self) -> Payment:
        return self.books.book(self.settling(), some_proof(), True, NOW, NOW + 1800)

    def reversed(self) -> Payment:
        return self.books.reverse(self.settled(), NOW + 5)

    def unpaid(self) -> Payment:
        payment = self.settling()
        self.ledger.unpaid(payment, Reason.AUTHORIZATION_CANCELLED, NOW)
        return payment

    def unresolved(self) -> Payment:
        payment = self.settling()
        self.ledger.unresolved(payment, NOW, NOW + 900)
        return payment

    def released(self) -> Payment:
        payment = self.ledger.claim(some_claim(identifier=_IDENTIFIER, owner=_OWNER, lease_until=NOW - 1))
        self.ledger.release(payment, NOW, debt="owner_died")
        return payment

    def paid_unserved(self) -> Payment:
        payment = self.current(self.released())
        self.books.paid_unserved(payment, some_proof(), False, NOW + 50)
        return self.current(payment)

    def refunded(self) -> Payment:
        payment = self.paid_unserved()
        self.books.refunded(payment, Bytes32.parse(_REFUND), NOW + 60)
        return payment

    def claimed(self) -> Payment:
        claim = some_claim(identifier=_IDENTIFIER, owner=_OWNER, lease_until=NOW + 30, flow=Flow.UPFRONT)
        return self.ledger.claim(claim)

    def executing_paid(self) -> Payment:
        settling = self.upfront.begin(self.claimed(), NOW)
        settled = self.books.book(settling, some_proof(), True, NOW, NOW + 901)
        return self.upfront.run(settled, _OWNER, NOW + 1)

    def fulfilled(self) -> Payment:
        return self.upfront.fulfil(self.executing_paid(), ANSWER, NOW + 2, NOW + 1800)

    def granted(self) -> Payment:
        claim = some_claim(owner=_OWNER, lease_until=NOW + 30, flow=Flow.UPFRONT, grants=True)
        settling = self.upfront.begin(self.ledger.claim(claim), NOW)
        settled = self.books.book(settling, some_proof(), True, NOW, NOW + 901)
        return self.upfront.grant(settled, _OWNER, NOW + 2, NOW + 1800)

    def refund_due(self) -> Payment:
        return self.upfront.refund_due(self.executing_paid(), "status_500", NOW + 2, dead=False)

    def credited(self) -> Payment:
        payment = self.refund_due()
        self.upfront.credited(payment, "ticket-7", NOW + 60)
        return payment

    def current(self, payment: Payment) -> Payment:
        found = self.ledger.get(payment.id)
        assert found is not None
        return found


@pytest.fixture
def seller(operator: Operator) -> Seller:
    """The ledger of the operator's stack."""
    return Seller(PaymentsLedger(operator.payments), Books(operator.payments), UpfrontLedger(operator.payments))


# State → how to get there, the parts that are shown, and the lines that must be among them.
_SHOWN: dict[State, tuple[Callable[[Seller], Payment], set[str], tuple[str, ...]]] = {
    State.EXECUTING: (Seller.executing, {"payment"}, ("due  1800000031", "lease_until  1800000030")),
    State.SETTLING: (Seller.settling, {"payment", "answer"}, ("due  1800000031",)),
    State.SETTLED: (Seller.settled, {"payment", "answer", "receipt", "log"}, ("due  1800001800", "in 1800 s)")),
    State.REVERSED: (
        Seller.reversed,
        {"payment", "answer", "receipt", "reversals"},
        ("due  1800000005", "reversed_at  1800000005", "amount  -10000 (-$0.01 USDC on base-sepolia)"),
    ),
    State.UNPAID: (
        Seller.unpaid,
        {"payment", "answer", "debt"},
        ("due  1800000180", f"why  {Reason.AUTHORIZATION_CANCELLED}"),
    ),
    State.UNRESOLVED: (Seller.unresolved, {"payment", "answer"}, ("due  1800000900",)),
    State.RELEASED: (Seller.released, {"payment", "debt"}, ("due  1800000180", "why  owner_died")),
    State.PAID_UNSERVED: (
        Seller.paid_unserved,
        {"payment", "debt", "receipt", "log", "liability"},
        ("due  1800000050", "why  paid but unserved", "amount  10000 ($0.01 USDC on base-sepolia)", "payer  0x"),
    ),
    State.REFUNDED: (
        Seller.refunded,
        {"payment", "debt", "receipt", "log", "liability"},
        ("due  never", "refunded_at  1800000060", f"refund_transaction  {_REFUND}"),
    ),
    State.CLAIMED: (Seller.claimed, {"payment"}, ("due  1800000031", "flow  upfront")),
    State.EXECUTING_PAID: (
        Seller.executing_paid,
        {"payment", "receipt", "log"},
        ("due  1800000031", "ran_at  1800000001"),
    ),
    State.FULFILLED: (
        Seller.fulfilled,
        {"payment", "answer", "receipt", "log"},
        ("due  1800001800", "served_at  1800000002"),
    ),
    State.GRANTED: (
        Seller.granted,
        {"payment", "receipt", "log"},
        ("due  1800001800", "served_at  1800000002", "grants"),
    ),
    State.REFUND_DUE: (
        Seller.refund_due,
        {"payment", "receipt", "log", "owed"},
        ("due  1800000002", "why  status_500", "refund_why  status_500", "amount  10000 ($0.01 USDC on base-sepolia)"),
    ),
    State.CREDITED: (
        Seller.credited,
        {"payment", "receipt", "log", "owed"},
        ("due  never", "credited_at  1800000060", "credit_reference  ticket-7"),
    ),
}


@pytest.mark.parametrize("state", State)
def test_every_state_is_shown_with_what_the_operator_needs(operator: Operator, seller: Seller, state: State) -> None:
    """What docs/operations.md promises, and nothing that must not be seen."""
    walk, parts, expected = _SHOWN[state]
    digest = walk(seller).id.digest
    out, err = operator.run("payment", "show", digest)
    assert out.splitlines()[1:3] == [f"  {'id':<20} {digest}", f"  {'state':<20} {state}"]
    squeezed = " ".join(out.split())
    for line in expected:
        assert " ".join(line.split()) in squeezed
    text, _ = operator.run("payment", "show", digest, "--json")
    (shown,) = json.loads(text)["payments"]
    assert set(shown) == parts
    for secret in (_IDENTIFIER, "identifier", _OWNER, _SOURCE, _SIGNATURE, "signature", "sunny", "content-type"):
        assert secret not in out + err + text


def test_a_payment_that_was_reversed_twice_shows_both(operator: Operator, seller: Seller) -> None:
    """Each by its own row; and the transaction that is gone still finds the payment."""
    first = seller.settled()
    again = seller.ledger.reopen(seller.books.reverse(first, NOW + 1), NOW + 1)
    second = seller.books.book(again, some_proof(), True, NOW + 2, NOW + 100)
    seller.books.reverse(second, NOW + 3)
    (shown,) = json.loads(operator.run("payment", "show", str(first.transaction), "--json")[0])["payments"]
    assert [row["transaction"] for row in shown["reversals"]] == [str(first.transaction), str(second.transaction)]


def test_a_workflow_is_shown_as_far_as_it_came(operator: Operator, seller: Seller) -> None:
    """Asked, accepted under its own name, ended; neither what it said nor how it may say it."""
    executions, payment, token = ExecutionsLedger(operator.payments), seller.settled(), "0" * 32
    executions.begin(payment.id, "summaries", token, NOW)
    executions.accepted(payment.id, "231", NOW + 1)
    executions.end(payment.id.digest, token, Ending.DELIVERED, "text/plain", b"a secret", NOW + 9)
    out, _ = operator.run("payment", "show", payment.id.digest)
    text, _ = operator.run("payment", "show", payment.id.digest, "--json")
    (shown,) = json.loads(text)["payments"]
    assert shown["execution"] == {
        "route": "summaries",
        "asked_at": NOW,
        "accepted_at": NOW + 1,
        "execution": "231",
        "ended_at": NOW + 9,
        "outcome": "delivered",
        "content_type": "text/plain",
        "size": 8,
        "expires_at": NOW + 86_400,
    }
    for secret in ("a secret", "callback", hashlib.sha256(token.encode()).hexdigest()):
        assert secret not in out + text


def test_the_settlement_is_shown_without_what_it_signs(operator: Operator, seller: Seller) -> None:
    """Its state, relayer and nonce say why a payment stays SETTLING; its request holds the signature."""
    payment = seller.settling()
    slot = Slot(payment.id.network, Address(b"\x0a" * 20), 7)
    settlement = Settlement(payment.settle_request(), SettlementState.SIGNED, slot, _OWNER, NOW + 20)
    signed: dict[str, Value | None] = {"raw": b"RAW", "tx_hash": _REFUND}
    operator.settlements.write(Put(settlement_item(settlement) | signed))
    text, _ = operator.run("payment", "show", payment.id.digest, "--json")
    (shown,) = json.loads(text)["payments"]
    assert shown["settlement"] == {
        "state": "SIGNED",
        "relayer": slot.relayer.lower,
        "relayer_nonce": 7,
        "tx_hash": _REFUND,
        "lease_until": NOW + 20,
    }
    out, _ = operator.run("payment", "show", payment.id.digest)
    assert "settlement\n  state                SIGNED\n" in out
    for secret in (_SIGNATURE, _OWNER, "RAW"):
        assert secret not in out + text


def _elsewhere() -> SettleRequest:
    claim = some_claim()
    terms = (claim.seen_block, "tea-shop", claim.max_timeout_seconds, claim.resource_url)
    return SettleRequest(claim.id.network, claim.id.asset, claim.authorization, claim.signature, *terms)


@pytest.mark.parametrize("asked", ["id", "identity", "own transaction", "replaced transaction", "proof's transaction"])
def test_a_payment_of_a_seller_elsewhere_is_shown_by_its_settlement(operator: Operator, asked: str) -> None:
    """It is in no payments table: the seller asks, and the operator has an id from the log or a transaction."""
    request = _elsewhere()
    replaced = f"{some_proof().transaction} {some_proof().transaction}"
    proof = some_proof() if asked == "proof's transaction" else None
    settlement = Settlement(request, SettlementState.SIGNED, None, _OWNER, NOW + 20, proof=proof)
    operator.settlements.write(
        Put(settlement_item(settlement) | ({} if proof else {"raw": b"RAW", "tx_hash": _REFUND, "replaced": replaced}))
    )
    operator.settlements.write(Put(settlement_item(Settlement(_elsewhere(), SettlementState.FAILED))))
    id = {
        "id": request.payment_id.digest,
        "identity": str(request.payment_id),
        "own transaction": _REFUND,
        "replaced transaction": replaced.split()[1],
        "proof's transaction": str(proof.transaction) if proof else "",
    }[asked]
    out, err = operator.run("payment", "show", id)
    text, _ = operator.run("payment", "show", id, "--json")
    (shown,) = json.loads(text)["payments"]
    assert set(shown) == {"settlement"}
    assert shown["settlement"] | {"id": request.payment_id.digest, "seller": "tea-shop"} == shown["settlement"]
    assert shown["settlement"]["to"] == request.authorization.to.lower
    assert f"  {'value':<20} 10000 ($0.01 USDC on base-sepolia)\n" in out
    assert "reconcile is done" not in out
    for secret in (_SIGNATURE, _OWNER, "RAW", "signature"):
        assert secret not in out + err + text


def test_what_no_table_knows_is_said(operator: Operator) -> None:
    """After both were read."""
    operator.settlements.write(Put(settlement_item(Settlement(_elsewhere(), SettlementState.FAILED))))
    for id in ("ab" * 32, _REFUND, str(_elsewhere().payment_id)):
        _, err = operator.run("payment", "show", id, code=1)
        assert f"knows no payment {id}" in err


def test_a_refund_is_written_down_once(operator: Operator, seller: Seller) -> None:
    """PAID_UNSERVED → REFUNDED, the liability closed; said again it stays, said otherwise it is refused."""
    payment = seller.paid_unserved()
    arguments = ("payment", "refunded", payment.id.digest, "--transaction")
    out, _ = operator.run(*arguments, _REFUND.upper().replace("X", "x"))
    assert f"payment {payment.id.digest}: PAID_UNSERVED -> REFUNDED\n" in out
    assert f"$0.01 USDC on base-sepolia to {payment.id.payer}, in {_REFUND}" in out
    assert seller.current(payment).state is State.REFUNDED
    liability = operator.payments.get(f"LIA#{payment.id.digest}")
    assert liability is not None
    assert (liability["refund_transaction"], liability["refunded_at"]) == (_REFUND, NOW)
    again, _ = operator.run(*arguments, _REFUND)
    assert "REFUNDED already, in this transaction" in again
    _, err = operator.run(*arguments, str(some_word()), code=1)
    assert f"was refunded already, in {_REFUND}. Nothing was written" in err
    found, _ = operator.run("payment", "show", _REFUND)
    assert payment.id.digest in found


def test_what_the_upfront_flow_owes_is_refunded_or_credited_once(operator: Operator, seller: Seller) -> None:
    """REFUND_DUE → REFUNDED or CREDITED, and the row that said so is closed; never both."""
    owed = seller.refund_due()
    out, _ = operator.run("payment", "refunded", owed.id.digest, "--transaction", _REFUND)
    assert f"payment {owed.id.digest}: REFUND_DUE -> REFUNDED\n" in out
    row = operator.payments.get(f"RFD#{owed.id.digest}")
    assert row is not None
    assert (row["refund_transaction"], row["refunded_at"]) == (_REFUND, NOW)
    _, err = operator.run("payment", "credited", owed.id.digest, "--reference", "ticket-8", code=1)
    assert "is REFUNDED: only what is REFUND_DUE can be credited" in err
    other = seller.refund_due()
    arguments = ("payment", "credited", other.id.digest, "--reference")
    out, _ = operator.run(*arguments, "ticket-8")
    assert f"payment {other.id.digest}: REFUND_DUE -> CREDITED\n" in out
    assert "CREDITED already, as this" in operator.run(*arguments, "ticket-8")[0]
    assert "is CREDITED, as ticket-8" in operator.run(*arguments, "ticket-9", code=1)[1]
    assert "--reference must be one word" in operator.run(*arguments, "two words", code=1)[1]
    _, err = operator.run("payment", "refunded", other.id.digest, "--transaction", _REFUND, code=1)
    assert "it was made good in another way" in err


def test_what_was_let_through_and_not_delivered_is_owed_by_the_operators_word(
    operator: Operator, seller: Seller
) -> None:
    """GRANTED → REFUND_DUE with its row, once; then as anything that is owed. Nothing else is called undelivered."""
    granted = seller.granted()
    arguments = ("payments", "owe", granted.id.digest, "--because")
    out, _ = operator.run(*arguments, "api_failed")
    assert f"payment {granted.id.digest}: GRANTED -> REFUND_DUE\n" in out
    assert "REFUND_DUE already" in operator.run(*arguments, "again")[0]
    row = operator.payments.get(f"RFD#{granted.id.digest}")
    assert row is not None
    assert (row["why"], row["amount"]) == ("api_failed", 10_000)
    assert "--because must be a code" in operator.run(*arguments, "Two words", code=1)[1]
    out, _ = operator.run("payment", "refunded", granted.id.digest, "--transaction", _REFUND)
    assert f"payment {granted.id.digest}: REFUND_DUE -> REFUNDED\n" in out
    for other in (seller.fulfilled(), seller.settled()):
        _, err = operator.run("payments", "owe", other.id.digest, "--because", "x", code=1)
        assert "only what is GRANTED" in err
        assert seller.current(other).state is other.state


def test_a_refund_as_json_is_one_document(operator: Operator, seller: Seller) -> None:
    """By identity as well as by id."""
    payment = seller.paid_unserved()
    out, _ = operator.run("payment", "refunded", str(payment.id), "--transaction", _REFUND, "--json")
    assert json.loads(out) == {
        "payment": payment.id.digest,
        "state": "REFUNDED",
        "written": True,
        "payer": str(payment.id.payer),
        "network": "eip155:84532",
        "asset": str(payment.id.asset),
        "amount": "10000",
        "refundTransaction": _REFUND,
        "refundedAt": NOW,
    }


def test_what_the_stack_has_begun_to_send_back_is_closed_by_no_hand(operator: Operator, seller: Seller) -> None:
    """The money can still arrive; the sentence says to send nothing, and ``show`` since when."""
    owed = seller.refund_due()
    RefundMarks(operator.payments).begin(owed, NOW)
    for command in (
        ["refunded", owed.id.digest, "--transaction", _REFUND],
        ["credited", owed.id.digest, "--reference", "t"],
    ):
        _, err = operator.run("payments", *command, code=1)
        assert "has begun to send the money" in err
        assert "send nothing by hand" in err
        assert "Nothing was written" in err
    assert seller.current(owed).state is State.REFUND_DUE
    out, _ = operator.run("payments", "show", owed.id.digest)
    assert f"refund_begun_at      {NOW} (" in out


@pytest.mark.parametrize("state", sorted(set(State) - {State.PAID_UNSERVED, State.REFUND_DUE, State.REFUNDED}))
def test_a_payment_in_another_state_is_not_refunded(operator: Operator, seller: Seller, state: State) -> None:
    """A sentence with the state, and not a byte changed."""
    payment = _SHOWN[state][0](seller)
    before = operator.payments.get(f"PAY#{payment.id.digest}")
    _, err = operator.run("payment", "refunded", payment.id.digest, "--transaction", _REFUND, code=1)
    assert f"is {state}, not PAID_UNSERVED or REFUND_DUE: " in err
    assert operator.payments.get(f"PAY#{payment.id.digest}") == before


def test_what_is_no_refund_is_a_sentence(operator: Operator, seller: Seller) -> None:
    """An unknown payment, a malformed hash or id, the paying transaction itself, a lost liability row."""
    payment = seller.paid_unserved()
    digest, paid_in = payment.id.digest, str(payment.transaction)
    for id, transaction, sentence in (
        ("ab" * 32, _REFUND, "knows no payment"),
        (digest, "0x12", "--transaction must be 0x and 64 hex digits"),
        (digest, _REFUND[2:], "--transaction must be 0x and 64 hex digits"),
        ("12", _REFUND, "12 is not a payment: give its id"),
        (paid_in, _REFUND, "is a transaction, which may pay several payments"),
        (digest, paid_in, "is the transaction that paid"),
    ):
        out, err = operator.run("payment", "refunded", id, "--transaction", transaction, code=1)
        assert out == ""
        assert sentence in err
    operator.payments.write(Delete(f"LIA#{digest}", "attribute_exists(pk)"))
    _, err = operator.run("payment", "refunded", digest, "--transaction", _REFUND, code=1)
    assert f"the row LIA#{digest} is missing or closed" in err
    assert seller.current(payment).state is State.PAID_UNSERVED


def test_a_refund_that_somebody_else_wrote_first_is_theirs(
    operator: Operator, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two operators, two transactions: the second reads what the first wrote."""
    payment = seller.paid_unserved()
    theirs = some_word()
    write = Books.refunded

    def too_late(books: Books, stale: Payment, transaction: Bytes32, now: int) -> None:
        write(books, stale, theirs, now)
        with pytest.raises(LostRace):
            write(books, stale, transaction, now)
        raise LostRace("the payment moved on")

    monkeypatch.setattr(Books, "refunded", too_late)
    _, err = operator.run("payment", "refunded", payment.id.digest, "--transaction", _REFUND, code=1)
    assert f"was refunded already, in {theirs}" in err
