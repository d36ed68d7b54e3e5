"""A third party with the official SDK verifies a receipt of the deployed stack, with nothing but a public key."""

import json
import subprocess

from eth_account.signers.local import LocalAccount

from local.paths import NODE, ROOT
from local.stack import LocalStack
from tests.e2e.http import get, signed
from tests.support.buyer import encode, fresh_signature
from tollgate.payment.identity import PaymentId
from tollgate.wire.parse import parse_payment

# With @x402/extensions, by its extension offer-receipt.
VERIFIER = ROOT / "tests" / "contract" / "gateway" / "receipt_verifier.mjs"


def test_offer_receipt_verifies_the_receipt_of_a_deployed_stack(stack: LocalStack, buyer: LocalAccount) -> None:
    """The receipt's kid leads to the stack's own document, which names the key of both signatures."""
    payment = signed(stack, buyer, "/weather/oslo")
    transaction = get(stack, "/weather/oslo", payment).receipt["transaction"]
    path = f"/x402/payments/{PaymentId.of(parse_payment(encode(payment))).digest}"
    how = get(stack, path).json["details"]["signIn"] | {"chainId": payment["accepted"]["network"]}
    receipt = get(stack, f"/x402/receipts/{transaction}", sign_in_with_x=fresh_signature(buyer, how)).json
    url = f"{stack.api_url}/x402/did.json"
    told = {"receipts": receipt["receipts"], "document": get(stack, "/x402/did.json").json, "url": url}
    command = [str(NODE), str(VERIFIER)]
    run = subprocess.run(command, input=json.dumps(told), capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["eip712"] == receipt["signer"]
    assert found["jws"] == receipt["receipts"][0]["payload"]
    assert found["jws"]["resourceUrl"] == f"{stack.api_url}/weather/oslo"
