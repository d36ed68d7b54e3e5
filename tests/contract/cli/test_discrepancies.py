"""``tollgate payments discrepancies`` and ``dismiss``, on rows that the ledger itself wrote."""

import json

import pytest

from tests.contract.cli.shell import NOW, Operator
from tests.support.payments import ASSET, NETWORK, PAY_TO, some_address, some_word
from tollgate.ledger import discrepancies
from tollgate.ledger.discrepancies import Discrepancies, Receiver
from tollgate.ledger.dynamo import Item
from tollgate.payment.settlement import TransferSeen

_NONCE = "0x" + "ef" * 32


@pytest.fixture
def rows(operator: Operator) -> Discrepancies:
    """The rows of the operator's stack."""
    return Discrepancies(operator.payments)


def seen(rows: Discrepancies) -> Item:
    """A transfer that nothing explains yet."""
    transfer = TransferSeen(some_address(), PAY_TO, 10_000, some_word(), 3, 77)
    assert rows.see(Receiver(NETWORK, ASSET, PAY_TO), transfer, NOW - 700, NOW)
    return next(r for r in rows.due(discrepancies.SEEN, NOW, 10)[0] if r["transaction"] == str(transfer.transaction))


def test_agreement_is_said(operator: Operator, rows: Discrepancies) -> None:
    """What is too young to tell is no discrepancy."""
    seen(rows)
    out, _ = operator.run("payments", "discrepancies")
    assert "chain and books agree" in out
    text, _ = operator.run("payments", "discrepancies", "--all", "--json")
    assert [row["standing"] for row in json.loads(text)["discrepancies"]] == ["SEEN"]


def test_a_discrepancy_is_listed_until_it_is_dismissed(operator: Operator, rows: Discrepancies) -> None:
    """With whose money it is and in which transaction; the reason it may stand is kept."""
    row = seen(rows)
    assert rows.report(row, "ab" * 32, _NONCE, NOW + 3_600)
    out, _ = operator.run("payments", "discrepancies", code=1)
    for expected in (row["transaction"], row["payer"], "$0.01 USDC on base-sepolia", "ab" * 32, "-> whose payment"):
        assert expected in out
    id = row["pk"].removeprefix("DSC#")
    assert f"  id           {id}\n" in out
    because = "our other shop has the same payTo"
    assert "--because must be" in operator.run("payments", "dismiss", id, "--because", " ", code=1)[1]
    operator.run("payments", "dismiss", id, "--because", because)
    kept = operator.payments.get(row["pk"])
    assert kept is not None
    assert (kept["standing"], kept["because"], kept["closed_at"]) == ("DISMISSED", because, NOW)
    assert "chain and books agree" in operator.run("payments", "discrepancies")[0]
    assert "is DISMISSED, not OPEN" in operator.run("payments", "dismiss", id, "--because", because, code=1)[1]
    assert "has no discrepancy x" in operator.run("payments", "dismiss", "x", "--because", because, code=1)[1]


def test_other_money_is_listed_when_asked_for(operator: Operator, rows: Discrepancies) -> None:
    """It waits for nobody."""
    row = seen(rows)
    assert rows.plain(row, NOW)
    assert "chain and books agree" in operator.run("payments", "discrepancies")[0]
    out, _ = operator.run("payments", "discrepancies", "--all")
    assert out.startswith("PLAIN  transfer")
