"""``payments list``: what the filters admit, whoever's it is, as a table, JSON and CSV."""

import csv
import io
import json
from typing import Any

import pytest

from tests.contract.cli.shell import NOW, Operator
from tests.support.payments import ANSWER, some_address, some_claim, some_proof, some_word
from tollgate.ledger.books import Books
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.record import Payment
from tollgate.wire.primitives import Network

PAYER, OWNER = some_address(), some_address()
BASE = Network(8453)


class Sold:
    """Three payments: one settled, one under way on another network, one of another payer's for an owner's route."""

    def __init__(self, operator: Operator) -> None:
        ledger = PaymentsLedger(operator.payments)
        begun = ledger.claim(some_claim(payer=PAYER, claimed_at=NOW - 86_400, route="tea"))
        proof = some_proof()
        self.tea = Books(operator.payments).book(ledger.hold(begun, ANSWER, NOW), proof, True, NOW, NOW + 100)
        self.transaction = str(proof.transaction)
        self.base = ledger.claim(some_claim(payer=PAYER, claimed_at=NOW - 60, network=BASE))
        self.owned = ledger.claim(some_claim(claimed_at=NOW - 30, route_owner=OWNER))


@pytest.fixture
def sold(operator: Operator) -> Sold:
    """Sold just now."""
    return Sold(operator)


def document(operator: Operator, *options: str) -> dict[str, Any]:
    """What it says with ``--json``."""
    said: dict[str, Any] = json.loads(operator.run("payments", "list", "--json", *options)[0])
    return said


def listed(operator: Operator, *options: str) -> list[str]:
    """The ids that it lists."""
    return [one["payment"] for one in document(operator, *options)["payments"]]


def ids(*payments: Payment) -> list[str]:
    """Of these."""
    return [payment.id.digest for payment in payments]


def test_every_filter_admits_what_it_says(operator: Operator, sold: Sold) -> None:
    """Of anybody's, the newest first; by payer and by owner through an index, with neither through the table."""
    tea, base, owned = sold.tea, sold.base, sold.owned
    payer = ("--payer", str(PAYER))
    for options, wanted in (
        ((), (owned, base, tea)),
        (payer, (base, tea)),
        (("--payer", str(some_address())), ()),
        (("--owner", str(OWNER)), (owned,)),
        (("--route", "tea"), (tea,)),
        (("--status", "settled"), (tea,)),
        (("--status", "in_progress,settled"), (owned, base, tea)),
        ((*payer, "--status", "in_progress"), (base,)),
        (("--network", "eip155:8453"), (base,)),
        ((*payer, "--network", "eip155:84532"), (tea,)),
        (("--from", str(NOW - 60)), (owned, base)),
        ((*payer, "--to", str(NOW - 60)), (tea,)),
        (("--from", "2027-01-15", "--to", "2027-01-16T00:00:00Z"), (owned, base)),
        (("--transaction", sold.transaction), (tea,)),
        (("--transaction", sold.transaction, "--owner", str(OWNER)), ()),
        (("--transaction", str(some_word())), ()),
        (("--limit", "1"), (owned,)),
    ):
        assert listed(operator, *options) == ids(*wanted), options


def test_the_table_and_the_csv_have_a_line_a_payment(operator: Operator, sold: Sold) -> None:
    """CSV is what the endpoint exports."""
    out, _ = operator.run("payments", "list")
    first, *_, last = out.splitlines()
    assert sold.owned.id.digest in first
    assert all(part in last for part in (sold.tea.id.digest, "settled", "$0.01 USDC", "tea", str(PAYER), "1 d ago"))
    out, _ = operator.run("payments", "list", "--csv", "--payer", str(PAYER))
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["payment"] for row in rows] == ids(sold.base, sold.tea)
    assert (rows[1]["amount"], rows[1]["decimal"], rows[1]["symbol"]) == ("10000", "0.010000", "USDC")


def test_it_says_that_there_are_more(operator: Operator, sold: Sold) -> None:
    """On standard error, and in the document."""
    said = document(operator, "--limit", "2")
    assert (said["more"], len(said["payments"])) == (True, 2)
    assert "more than 2" in operator.run("payments", "list", "--limit", "2")[1]
    assert not document(operator, "--limit", "3")["more"]


@pytest.mark.parametrize("options", [("--status", "done"), ("--payer", "me"), ("--from", "soon"), ("--limit", "0")])
def test_a_filter_that_is_none_is_refused(
    operator: Operator, options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With a sentence that says what it must be."""
    with pytest.raises(SystemExit):
        operator.run("payments", "list", *options)
    assert f"argument {options[0]}: {options[1]!r} must be" in capsys.readouterr().err


def test_filters_that_contradict_each_other_are_refused(operator: Operator) -> None:
    """Instead of an empty list."""
    _, said = operator.run("payments", "list", "--from", "9", "--to", "8", code=1)
    assert "--from must not be after --to" in said
