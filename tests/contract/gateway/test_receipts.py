"""Receipts: signed for whoever paid and was served, verified by anybody, looked up on the chain again on demand."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.chain import Chain
from local.paths import NODE
from local.rpc_gate import Act
from tests.support.functions import HOST
from tests.support.recorded import NOBODYS, Paid, Shop, opened
from tests.support.upstream import answers, sunny
from tollgate.schemes.signed_receipt import verify

VERIFIER = Path(__file__).with_name("receipt_verifier.mjs")
_RECEIPT = ("eth_getTransactionReceipt", "eth_getBlockByNumber")


@pytest.fixture(scope="module")
def shared_shop(aws_endpoint: str, shared_chain: Chain) -> Iterator[Shop]:
    """One for all tests that break nothing."""
    yield from opened(aws_endpoint, shared_chain)


@pytest.fixture
def shop(shared_shop: Shop) -> Iterator[Shop]:
    """The same, with its upstream and its chain as they should be."""
    yield shared_shop
    shared_shop.upstream.behave(sunny)
    shared_shop.gate.clear()


@pytest.fixture(scope="module")
def paid(shared_shop: Shop) -> Paid:
    """A settled payment."""
    made = shared_shop.buy()
    assert made.status == 200
    return made


def test_a102_a_receipt_is_of_the_payment_that_was_signed_for(shop: Shop, paid: Paid) -> None:
    """Another payer's transaction, under one's own signature for one's own payment: there is no such payment."""
    other = shop.buy()
    reply = shop.receipt(paid, transaction=shop.record(other)["transaction"])
    assert (reply.status, reply.json()["code"]) == (404, "unknown_payment")
    assert other.payer.address.lower().encode() not in reply.body.lower()


def test_a101_a_third_party_verifies_a_receipt_with_software_of_others(shop: Shop, paid: Paid) -> None:
    """viem and Node's crypto, from the receipt and the DID document alone, find the stack's receipt key."""
    reply = shop.receipt(paid)
    assert reply.status == 200
    said = reply.json()
    document = shop.get("/x402/did.json").json()
    told = json.dumps({"receipts": said["receipts"], "document": document, "url": f"https://{HOST}/x402/did.json"})
    run = subprocess.run(
        [str(NODE), str(VERIFIER)], input=told, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    key = shop.functions.address_of(shop.functions.resource("ReceiptKey"))
    assert found["eip712"] == key == said["signer"]
    assert found["account"] == f"eip155:1:{key}"
    assert found["jws"] == said["receipts"][0]["payload"]
    assert key != shop.functions.relayer()
    # The document stands at the receipt's own origin, which is what makes its key the seller's.
    assert document["id"] == f"did:web:{HOST}:x402"
    assert said["kid"] == document["verificationMethod"][0]["id"]


def test_a_receipt_says_what_the_extension_says_and_no_more(shop: Shop, paid: Paid) -> None:
    """Both forms, one statement."""
    said = shop.receipt(paid).json()
    both = [verify(signed) for signed in said["receipts"]]
    assert both[0].receipt == both[1].receipt
    payload = both[0].receipt.to_json()
    record = shop.record(paid)
    assert abs(payload.pop("issuedAt") - record["settledAt"]) < 600
    assert payload == {
        "version": 1,
        "network": shop.network,
        "resourceUrl": f"https://{HOST}/weather/oslo",
        "payer": paid.payer.address,
        "transaction": record["transaction"],
    }


@pytest.mark.parametrize("state", ["REVERSED", "SETTLING", "REFUND_DUE", "EXECUTING_PAID", "UNPAID"])
def test_a101_there_is_no_receipt_of_what_is_not_settled_and_served(shop: Shop, state: str) -> None:
    """It may still name a transaction."""
    made = shop.buy()
    transaction = shop.record(made)["transaction"]
    shop.put(made, state)
    with shop.functions.recording() as seen:
        reply = shop.receipt(made, transaction=transaction)
    assert (reply.status, reply.json()["code"]) == (409, "no_receipt")
    assert reply.json()["details"]["payment"] == made.id.digest
    assert not [call for call in seen.aws if call.operation == "Sign"]


def test_what_was_charged_and_not_served_names_its_refund_and_has_no_receipt(shop: Shop) -> None:
    """Upfront: the upstream failed after the money came."""
    shop.upstream.behave(answers(500))
    made = shop.buy("/report/oslo")
    assert made.status == 502
    said = shop.record(made)
    assert said["state"] == "refund_due"
    assert said["refund"]["reference"] == made.id.digest
    assert said["refund"]["why"]
    assert shop.receipt(made).status == 409


def test_a_settled_first_payment_has_a_receipt_once_it_is_served(shop: Shop) -> None:
    """FULFILLED has one; SETTLED, when nothing ran yet, has none."""
    made = shop.buy("/report/oslo")
    assert made.status == 200
    said = shop.record(made)
    assert (said["state"], said["flow"]) == ("settled", "upfront")
    assert said["servedAt"] >= said["settledAt"]
    assert shop.receipt(made).status == 200
    shop.put(made, "SETTLED")
    assert shop.record(made)["state"] == "paid"
    assert shop.receipt(made).status == 409


def test_the_chain_is_looked_at_again_on_demand(shop: Shop, paid: Paid) -> None:
    """The log pair, now; the receipt comes with it."""
    with shop.functions.recording() as seen:
        said = shop.receipt(paid, "?check=chain").json()
    assert said["chain"]["stands"] is True
    assert said["chain"]["blockNumber"] > 0
    assert len(said["receipts"]) == 2
    assert seen.count("rpc") == 1


@pytest.mark.parametrize("act", [Act.DROP, Act.ERROR])
def test_a_chain_that_is_down_is_503_and_never_an_answer(shop: Shop, paid: Paid, act: Act) -> None:
    """Neither that it stands nor that it does not; without the question there is a receipt all the same."""
    rule = shop.gate.rule(act, _RECEIPT, **({"code": -32000, "message": "no"} if act is Act.ERROR else {}))
    reply = shop.receipt(paid, "?check=chain")
    assert (reply.status, reply.json()["code"]) == (503, "chain_unavailable")
    assert int(reply.headers["retry-after"]) > 0
    assert b"stands" not in reply.body
    assert shop.receipt(paid).status == 200
    rule.release()


def test_an_operator_gets_a_receipt_by_invocation_and_strangers_cannot_send_one(shop: Shop, paid: Paid) -> None:
    """IAM lets in who may invoke; what comes over HTTP is HTTP whatever else it says."""
    issued = shop.functions.invoke("records", {"op": "receipt", "payment": paid.id.digest, "check": True})
    assert issued["outcome"] == "issued"
    assert issued["chain"]["stands"] is True
    assert {str(verify(one).signer) for one in issued["receipts"]} == {issued["signer"]}
    refused = shop.functions.invoke("records", {"op": "receipt", "payment": NOBODYS})
    assert (refused["outcome"], refused["code"]) == ("refused", "unknown_payment")
    with pytest.raises(ValueError, match="op must be"):
        shop.functions.invoke("records", {"op": "settle"})
