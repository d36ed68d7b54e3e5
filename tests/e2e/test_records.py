"""Records on the deployed stack: a payer signs in, and keeps a receipt that anybody can verify."""

import json
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.e2e.http import ELSEWHERE, get, signed
from tests.support.buyer import encode, fresh_signature
from tollgate.payment.identity import PaymentId
from tollgate.schemes.signed_receipt import verify
from tollgate.wire.parse import parse_payment
from tollgate_cli.main import main


def test_a101_a_payer_gets_a_record_and_a_receipt_that_the_command_line_verifies(
    stack: LocalStack, buyer: LocalAccount, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the front door, the function's own role and KMS; a stranger with the same URL gets nothing."""
    payment = signed(stack, buyer, "/weather/oslo")
    bought = get(stack, "/weather/oslo", payment)
    assert bought.status == 200
    digest, transaction = PaymentId.of(parse_payment(encode(payment))).digest, bought.receipt["transaction"]

    unsigned = get(stack, f"/x402/payments/{digest}")
    assert (unsigned.status, unsigned.json["code"]) == (404, "unknown_payment")
    how = unsigned.json["details"]["signIn"] | {"chainId": payment["accepted"]["network"]}
    record = get(stack, f"/x402/payments/{digest}", sign_in_with_x=fresh_signature(buyer, how)).json
    assert (record["state"], record["transaction"], record["amount"]) == ("settled", transaction, "10000")
    stranger = fresh_signature(stack.funded_account(), how)
    assert get(stack, f"/x402/payments/{digest}", sign_in_with_x=stranger).body == unsigned.body

    shown = fresh_signature(buyer, how)
    answer = get(stack, f"/x402/receipts/{transaction}?check=chain", source=ELSEWHERE, sign_in_with_x=shown)
    assert (answer.status, answer.json["chain"]["stands"]) == (200, True)
    document = get(stack, "/x402/did.json").json
    assert answer.json["kid"] in document["assertionMethod"]
    assert {str(verify(one).signer) for one in answer.json["receipts"]} == {answer.json["signer"]}

    file = tmp_path / "receipt.json"
    file.write_bytes(answer.body)
    assert main(["receipts", "verify", str(file), "--signer", answer.json["signer"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["valid"] is True
