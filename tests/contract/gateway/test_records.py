"""Records: a payer reads how a payment stands and has its receipt signed; nobody else learns that there is one."""

import hashlib
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from local.chain import Chain
from local.paths import NODE
from local.rpc_gate import Act, RpcGate
from tests.support.buyer import decode, encode, fresh_signature
from tests.support.functions import HOST, PAY_TO, PRICE, Functions
from tests.support.lambda_events import Reply
from tests.support.upstream import CountingUpstream, answers, sunny
from tollgate.payment.identity import PaymentId
from tollgate.schemes.signed_receipt import verify
from tollgate.wire.parse import parse_payment

VERIFIER = Path(__file__).with_name("receipt_verifier.mjs")
NOBODYS = "ab" * 32
_RECEIPT = ("eth_getTransactionReceipt", "eth_getBlockByNumber")


@dataclass
class Paid:
    """A payment that went through the proxy."""

    payer: LocalAccount
    message: dict[str, Any]
    status: int

    @property
    def id(self) -> PaymentId:
        """Its identity."""
        return PaymentId.of(parse_payment(encode(self.message)))


class Shop:
    """A stack with two routes, and whoever asks it for records."""

    def __init__(self, functions: Functions, upstream: CountingUpstream, gate: RpcGate) -> None:
        self.functions = functions
        self.upstream = upstream
        self.gate = gate
        functions.sell("GET", "/weather/{city}", upstream.url + "/weather/{city}")
        functions.sell("GET", "/report/{city}", upstream.url + "/report/{city}", upfront=True)
        self.network = str(functions.chain.info.network)

    def buy(self, path: str = "/weather/oslo", *, seconds: float | None = None) -> Paid:
        """A new payer pays for a path."""
        payer = self.functions.buyer()
        message = self.functions.sign(payer, self.functions.offer("GET", path))
        status = self.functions.request("GET", path, payment=message, seconds=seconds).status
        return Paid(payer, message, status)

    def signed(self, account: LocalAccount, digest: str, **changes: Any) -> str:
        """A SIGN-IN-WITH-X for a payment's id; ``now`` is when it was made."""
        now = changes.pop("now", None)
        how = {
            "domain": HOST,
            "uri": f"https://{HOST}/",
            "version": "1",
            "type": "eip191",
            "chainId": self.network,
            "requestId": digest,
        } | changes
        return fresh_signature(account, how, now=now)

    def get(self, path: str, sign_in: str | None = None) -> Reply:
        """Ask, perhaps with a signature."""
        return self.functions.request("GET", path, headers={} if sign_in is None else {"sign-in-with-x": sign_in})

    def record(self, paid: Paid) -> dict[str, Any]:
        """How a payment stands, by its payer."""
        digest = paid.id.digest
        reply = self.get(f"/x402/payments/{digest}", self.signed(paid.payer, digest))
        assert reply.status == 200, reply.body
        said: dict[str, Any] = reply.json()
        return said

    def receipt(self, paid: Paid, query: str = "", transaction: str | None = None) -> Reply:
        """Its receipt, by its payer."""
        transaction = transaction or self.record(paid)["transaction"]
        return self.get(f"/x402/receipts/{transaction}{query}", self.signed(paid.payer, paid.id.digest))

    def rows(self) -> dict[str, Any]:
        """Everything in the payments table."""
        table = self.functions.resource("PaymentsTable")
        found = self.functions.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
        return {item["pk"]["S"]: item for item in found}

    def put(self, paid: Paid, state: str) -> None:
        """Have the payment's item say another state."""
        self.functions.client("dynamodb").update_item(
            TableName=self.functions.resource("PaymentsTable"),
            Key={"pk": {"S": f"PAY#{paid.id.digest}"}},
            UpdateExpression="SET #state = :state",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":state": {"S": state}},
        )


def opened(aws_endpoint: str, chain: Chain) -> Iterator[Shop]:
    """A shop, closed at the end."""
    chain.mine_at_once()
    upstream, gate = CountingUpstream(), RpcGate(chain.url)
    gate.start()
    try:
        with Functions(aws_endpoint, chain, rpc_url=gate.url, patient=False) as functions:
            yield Shop(functions, upstream, gate)
    finally:
        gate.clear()
        gate.stop()
        upstream.stop()


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


@pytest.fixture
def own_shop(aws_endpoint: str, chain: Chain) -> Iterator[Shop]:
    """One whose chain may lose blocks."""
    yield from opened(aws_endpoint, chain)


def test_the_payer_reads_how_a_payment_stands(shop: Shop, paid: Paid) -> None:
    """What was paid, to whom, for what, when, and in which transaction; nothing of how it is kept."""
    said = shop.record(paid)
    assert said.pop("claimedAt") <= said.pop("settledAt") < said.pop("validBefore")
    transaction = said.pop("transaction")
    assert said.pop("sentence")
    assert said == {
        "payment": paid.id.digest,
        "state": "settled",
        "network": shop.network,
        "asset": str(paid.id.asset),
        "amount": str(PRICE),
        "payer": paid.payer.address,
        "payTo": PAY_TO,
        "route": "route-0",
        "resource": f"https://{HOST}/weather/oslo",
        "flow": "authorization",
        "transactions": [transaction],
    }
    mined = shop.functions.chain.transaction(transaction)
    assert mined is not None


def test_a_payer_computes_the_id_from_what_it_signed(shop: Shop, paid: Paid) -> None:
    """As the README has it, with nothing of ours."""
    a, accepted = paid.message["payload"]["authorization"], paid.message["accepted"]
    text = "#".join((accepted["network"], accepted["asset"], a["from"], a["nonce"])).lower()
    assert shop.record(paid)["payment"] == hashlib.sha256(text.encode()).hexdigest()


def test_a102_nobody_but_the_payer_learns_that_a_payment_exists(shop: Shop, paid: Paid) -> None:
    """Nothing shown, a stranger's own good signature, the right wallet on another network: as for an id of nobody's."""
    stranger = shop.functions.buyer()
    for path in ("/x402/payments/{}", "/x402/receipts/0x{}"):
        for account, changes in (
            (None, {}),
            (stranger, {}),
            (paid.payer, {"chainId": "eip155:8453"}),
        ):
            said = []
            for digest in (paid.id.digest, NOBODYS):
                sign_in = None if account is None else shop.signed(account, digest, **changes)
                # The receipt is asked for under its own transaction, which the chain shows to everybody.
                named = digest
                if "receipts" in path and digest == paid.id.digest:
                    named = shop.record(paid)["transaction"][2:]
                reply = shop.get(path.format(named), sign_in)
                assert reply.status == 404
                assert reply.json()["code"] == "unknown_payment"
                said.append((dict(reply.headers), reply.body.replace(named.encode(), b"ID")))
            assert said[0] == said[1]


def test_a102_a_receipt_is_of_the_payment_that_was_signed_for(shop: Shop, paid: Paid) -> None:
    """Another payer's transaction, under one's own signature for one's own payment: there is no such payment."""
    other = shop.buy()
    reply = shop.receipt(paid, transaction=shop.record(other)["transaction"])
    assert (reply.status, reply.json()["code"]) == (404, "unknown_payment")
    assert other.payer.address.lower().encode() not in reply.body.lower()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"now": -400}, "not fresh"),
        ({"now": 400}, "not fresh"),
        ({"domain": "other.example"}, "another domain or payment"),
        ({"requestId": "cd" * 32}, "another domain or payment"),
    ],
)
def test_a_signature_that_does_not_hold_is_403_whether_or_not_there_is_a_payment(
    shop: Shop, paid: Paid, changes: dict[str, Any], words: str
) -> None:
    """It says why, before anything is read."""
    changed = changes | ({"now": time.time() + changes["now"]} if "now" in changes else {})
    for digest in (paid.id.digest, NOBODYS):
        with shop.functions.recording() as seen:
            reply = shop.get(f"/x402/payments/{digest}", shop.signed(paid.payer, digest, **changed))
        assert (reply.status, reply.json()["code"]) == (403, "sign_in_refused")
        assert words in reply.json()["error"]
        assert reply.json()["details"]["signIn"]["requestId"] == digest
        assert not seen.trace


def test_what_is_signed_by_somebody_else_is_refused(shop: Shop, paid: Paid) -> None:
    """The payer's name over a stranger's signature."""
    digest = paid.id.digest
    stranger = shop.functions.buyer()
    message = decode(shop.signed(stranger, digest)) | {"address": paid.payer.address}
    reply = shop.get(f"/x402/payments/{digest}", encode(message))
    assert (reply.status, reply.json()["code"]) == (403, "sign_in_refused")


def test_a_read_writes_nothing_and_costs_one_read(shop: Shop, paid: Paid) -> None:
    """One item is read; a receipt is two signatures and no question to the chain; who shows nothing costs nothing."""
    digest, transaction = paid.id.digest, shop.record(paid)["transaction"]
    sign_in = shop.signed(paid.payer, digest)
    before = shop.rows()
    with shop.functions.recording() as seen:
        assert shop.get(f"/x402/payments/{digest}", sign_in).status == 200
        assert shop.get(f"/x402/receipts/{transaction}", sign_in).status == 200
        assert shop.get(f"/x402/receipts/{transaction}", sign_in).status == 200
    assert [call.operation for call in seen.aws if call.service == "dynamodb"] == ["GetItem"] * 3
    assert [call.operation for call in seen.aws if call.operation == "Sign"] == ["Sign"] * 4
    assert seen.count("rpc") == 0
    with shop.functions.recording() as seen:
        assert shop.get(f"/x402/payments/{digest}").status == 404
        assert shop.get(f"/x402/receipts/{transaction}").status == 404
    assert not seen.trace
    assert shop.rows() == before


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


def test_what_was_not_charged_says_so(shop: Shop) -> None:
    """The upstream failed first: released."""
    shop.upstream.behave(answers(500))
    made = shop.buy()
    said = shop.record(made)
    assert (said["state"], said["transactions"]) == ("not_charged", [])
    assert "transaction" not in said


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


@pytest.mark.own_chain
def test_a57_a_receipt_whose_block_is_gone_is_not_signed_again(own_shop: Shop) -> None:
    """The books do not know it yet; whoever has the chain asked hears it."""
    chain = own_shop.functions.chain
    snapshot = chain.rpc("evm_snapshot")
    made = own_shop.buy()
    transaction = own_shop.record(made)["transaction"]
    assert own_shop.receipt(made, "?check=chain").json()["chain"]["stands"] is True
    assert chain.rpc("evm_revert", snapshot)
    # A node without a block at that height has nothing to say.
    reply = own_shop.receipt(made, "?check=chain", transaction)
    assert (reply.status, reply.json()["code"]) == (503, "chain_unavailable")
    chain.mine(5)
    reply = own_shop.receipt(made, "?check=chain", transaction)
    assert (reply.status, reply.json()["code"]) == (409, "no_receipt")
    assert reply.json()["details"]["chain"]["stands"] is False


def test_bad_input_is_refused_in_one_form(shop: Shop, paid: Paid) -> None:
    """400 with a code and a sentence; 405 names the method."""
    digest = paid.id.digest
    for path in (f"/x402/payments/{digest}?a=b", f"/x402/receipts/0x{digest}?check=books", "/x402/did.json?a"):
        reply = shop.get(path)
        assert (reply.status, reply.json()["code"]) == (400, "invalid_parameters")
    malformed = shop.get(f"/x402/payments/{digest}", encode({"version": "2"}))
    assert (malformed.status, malformed.json()["code"]) == (400, "malformed_sign_in")
    assert shop.functions.request("POST", f"/x402/payments/{digest}").status == 405
    assert shop.functions.request("HEAD", "/x402/did.json").body == b""


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


def test_a104_no_signature_is_logged(shop: Shop, paid: Paid) -> None:
    """Neither the payer's nor ours."""
    reply = shop.receipt(paid)
    log = shop.functions.loaded["records"].logs.getvalue()
    assert "receipt.issued" in log
    assert paid.id.digest in log
    for secret in [signed["signature"] for signed in reply.json()["receipts"]] + [paid.payer.address.lower()]:
        assert secret not in log.lower()
