"""``tollgate receipts``: one is signed by the stack, and verified by a file alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.cli.shell import OUTPUTS, PARAMETERS, Operator, create_stack
from tests.support.payments import NOW, some_claim, some_proof
from tollgate.chain.signer import LocalSigner
from tollgate.gateway.receipt_issuer import ReceiptIssuer
from tollgate.ledger.books import Books
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.record import Payment, StoredAnswer

SIGNER = LocalSigner(b"\x11" * 32)
ISSUER = ReceiptIssuer(SIGNER, "https://api.example")


@pytest.fixture
def settled(operator: Operator) -> Payment:
    """A settled payment, and a records function that signs what exists."""
    stack = f"{operator.stack}-receipts"
    create_stack(operator.aws.cloudformation, stack, PARAMETERS, {**OUTPUTS, "RecordsFunctionName": "records"})
    described = operator.aws.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    name = next(o["OutputValue"] for o in described if o["OutputKey"] == "PaymentsTableName")
    operator.stack = stack
    operator.payments = type(operator.payments)(operator.aws.dynamodb, name)
    ledger = PaymentsLedger(operator.payments)
    held = ledger.hold(ledger.claim(some_claim()), StoredAnswer(200, (), b"sun"), NOW)
    made = Books(operator.payments).book(held, some_proof(), True, NOW, NOW + 60)

    def records(event: Any) -> Any:
        if event["payment"] != made.id.digest:
            return {"outcome": "refused", "code": "unknown_payment", "sentence": "There is no such payment."}
        said = {"outcome": "issued", "payment": made.id.digest, "network": "eip155:84532"}
        said |= {"transaction": str(made.transaction), "signer": str(SIGNER.address()), "kid": ISSUER.kid}
        chain = {"chain": {"stands": True, "blockNumber": 7}} if event["check"] else {}
        return {**said, "receipts": ISSUER.issue(made, NOW), **chain}

    operator.functions.answers["records"] = records
    return made


@pytest.fixture
def kept(operator: Operator, settled: Payment, tmp_path: Path) -> Path:
    """A receipt as somebody kept it."""
    out, _ = operator.run("receipts", "show", settled.id.digest, "--json")
    file = tmp_path / "receipt.json"
    file.write_text(out)
    return file


def test_a_receipt_is_shown_by_transaction_by_id_and_by_its_beginning(operator: Operator, settled: Payment) -> None:
    """Both signatures, whose they are, and what for."""
    for named in (str(settled.transaction), settled.id.digest, settled.id.digest[:10], str(settled.id)):
        out, _ = operator.run("receipts", "show", named)
        for word in (settled.claim.resource_url, str(settled.id.payer), str(SIGNER.address()), "eip712", "jws"):
            assert word in out
    out, _ = operator.run("receipts", "show", settled.id.digest, "--check-chain")
    assert "block 7" in out
    assert operator.functions.invoked[-1][1] == {"op": "receipt", "check": True, "payment": settled.id.digest}


def test_what_has_no_receipt_says_so(operator: Operator, settled: Payment) -> None:
    """Unknown, and refused by the stack; never a half answer."""
    _, err = operator.run("receipts", "show", "ab" * 32, code=1)
    assert "no such payment" in err
    _, err = operator.run("receipts", "show", "0x" + "ab" * 32, code=1)
    assert "knows no payment" in err
    _, err = operator.run("receipts", "show", "tea", code=1)
    assert "is not a payment" in err
    refusal = {"outcome": "refused", "code": "no_receipt", "sentence": "There is no receipt of this payment."}
    operator.functions.answers["records"] = lambda event: refusal
    out, err = operator.run("receipts", "show", settled.id.digest, "--json", code=1)
    assert json.loads(out) == {"error": "There is no receipt of this payment."}


def test_a_stack_of_an_earlier_version_says_what_to_do(operator: Operator) -> None:
    """It has no function that signs receipts."""
    _, err = operator.run("receipts", "show", "ab" * 32, code=1)
    assert "deploy this version" in err


def test_a101_a_receipt_is_verified_offline(operator: Operator, settled: Payment, kept: Path) -> None:
    """With the file alone, and against a key that was noted."""
    before = len(operator.functions.invoked)
    out, _ = operator.run_anywhere("receipts", "verify", str(kept))
    assert out.count(f"the signature holds, by {SIGNER.address()}") == 2
    assert "cannot say" in out
    out, _ = operator.run_anywhere("receipts", "verify", str(kept), "--signer", SIGNER.address().lower, "--json")
    said = json.loads(out)
    assert (said["valid"], said["signerChecked"]) == (True, True)
    assert said["receipts"][0]["payload"]["payer"] == str(settled.id.payer)
    assert len(operator.functions.invoked) == before


def test_a101_a_forged_receipt_is_told_apart(operator: Operator, kept: Path) -> None:
    """A changed field, a signature of another key, and a key that is not the one expected: exit code 1."""
    document = json.loads(kept.read_text())
    document["receipts"][0]["payload"]["payer"] = "0x" + "12" * 20
    kept.write_text(json.dumps(document))
    _, err = operator.run_anywhere("receipts", "verify", str(kept), "--signer", str(SIGNER.address()), code=1)
    assert "and not by" in err or "does not hold" in err
    document["receipts"] = document["receipts"][1:]
    header, payload, signature = document["receipts"][0]["signature"].split(".")
    document["receipts"][0]["signature"] = f"{header}.{payload}.{'A' + signature[1:]}"
    kept.write_text(json.dumps(document))
    _, err = operator.run_anywhere("receipts", "verify", str(kept), code=1)
    assert "does not hold" in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "JSON"),
        ("{}", "no signed receipt"),
        ('{"receipts": []}', "no signed receipt"),
        ('{"format": "x"}', "hold"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_sentence(
    operator: Operator, tmp_path: Path, text: str, words: str
) -> None:
    """Exit code 1, no traceback."""
    file = tmp_path / "odd.json"
    file.write_text(text)
    _, err = operator.run_anywhere("receipts", "verify", str(file), code=1)
    assert words in err


def test_a_payment_response_with_a_receipt_is_taken_too(operator: Operator, kept: Path) -> None:
    """Where the extension puts one: what other servers send along with the answer."""
    receipt = json.loads(kept.read_text())["receipts"][0]
    kept.write_text(json.dumps({"success": True, "extensions": {"offer-receipt": {"info": {"receipt": receipt}}}}))
    out, _ = operator.run_anywhere("receipts", "verify", str(kept))
    assert "the signature holds" in out
