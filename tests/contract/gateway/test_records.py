"""Records: a payer reads how a payment stands; nobody else learns that there is one."""

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.chain import Chain
from tests.support.buyer import decode, encode
from tests.support.functions import HOST, PAY_TO, PRICE
from tests.support.recorded import NOBODYS, Paid, Shop, opened
from tests.support.upstream import answers, sunny


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


def test_what_was_not_charged_says_so(shop: Shop) -> None:
    """The upstream failed first: released."""
    shop.upstream.behave(answers(500))
    made = shop.buy()
    said = shop.record(made)
    assert (said["state"], said["transactions"]) == ("not_charged", [])
    assert "transaction" not in said


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


def test_a104_no_signature_is_logged(shop: Shop, paid: Paid) -> None:
    """Neither the payer's nor ours."""
    reply = shop.receipt(paid)
    log = shop.functions.loaded["records"].logs.getvalue()
    assert "receipt.issued" in log
    assert paid.id.digest in log
    for secret in [signed["signature"] for signed in reply.json()["receipts"]] + [paid.payer.address.lower()]:
        assert secret not in log.lower()
