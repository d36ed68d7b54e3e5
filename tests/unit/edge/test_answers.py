"""The table of answers, against its page and against itself."""

import json
import re
from pathlib import Path

import pytest

from tests.support.buyer import decode
from tests.support.payments import ASSET, NETWORK, PAY_TO
from tollgate.edge.answers import ROWS, internal_error, render
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.payment.record import StoredAnswer
from tollgate.wire.models import PaymentRequired, Requirements, Resource, SettleResponse
from tollgate.wire.primitives import Network

DOCS = Path(__file__).parents[3] / "docs" / "architecture.md"
OFFER = PaymentRequired(Resource("https://api.example/x"), ())
RECEIPT = SettleResponse(True, "0x" + "1" * 64, NETWORK)
# Every outcome in which money may have moved, or has.
NEVER_AN_OFFER = set(Kind) - {Kind.OFFER, Kind.REFUSED}


def test_the_table_in_the_docs_is_the_table_in_code() -> None:
    """Status, offer, receipt and Retry-After of every row."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+|own) \| (yes|) ?\| (may|) ?\| (yes|) ?\|", DOCS.read_text(), re.MULTILINE)
    documented = {
        name: (0 if status == "own" else int(status), offer == "yes", receipt == "may", retry == "yes")
        for name, status, offer, receipt, retry in rows
    }
    code = {kind.value: (row.status, row.offer, row.payment_response, row.retry_after) for kind, row in ROWS.items()}
    assert documented == code


@pytest.mark.parametrize("kind", sorted(NEVER_AN_OFFER))
def test_a78_no_unknown_outcome_carries_an_offer(kind: Kind) -> None:
    """Even when somebody hands one in."""
    answer = render(Outcome(kind, status=400, offer=OFFER, payment_response=RECEIPT))
    assert answer.header("payment-required") is None


def test_a_402_is_never_cached() -> None:
    """Threat 84."""
    answer = render(Outcome(Kind.OFFER, offer=OFFER))
    assert answer.header("cache-control") == "private, no-store"


def test_a_served_answer_keeps_its_headers_but_not_its_caching() -> None:
    """A shared cache must not serve what was paid for."""
    stored = StoredAnswer(201, (("location", "/x/1"), ("cache-control", "public, max-age=60")), b"made")
    answer = render(Outcome(Kind.SERVED, answer=stored, payment_response=RECEIPT))
    assert (answer.status, answer.body, answer.header("location")) == (201, b"made", "/x/1")
    assert [v for k, v in answer.headers if k == "cache-control"] == ["private, no-store"]
    receipt = answer.header("payment-response")
    assert receipt is not None
    assert decode(receipt)["success"] is True


@pytest.mark.parametrize("kind", sorted(kind for kind, row in ROWS.items() if row.payment_response))
def test_a_receipt_answers_in_the_version_that_came(kind: Kind) -> None:
    """One receipt: of v2 with the CAIP-2 id, of v1 with the network's name."""
    for version, name, network in ((2, "payment-response", "eip155:84532"), (1, "x-payment-response", "base-sepolia")):
        answer = render(Outcome(kind, status=200, payment_response=RECEIPT, version=version))
        receipts = [key for key, _ in answer.headers if key.endswith("payment-response")]
        assert receipts == [name]
        header = answer.header(name)
        assert header is not None
        assert decode(header)["network"] == network


def test_an_offer_that_v1_cannot_name_is_v2_in_the_body_too() -> None:
    """And one that it can name is v1, for that is where v1 clients look."""
    extra = {"name": "USDC", "version": "2"}
    for network, version in ((Network(31337), 2), (NETWORK, 1)):
        required = PaymentRequired(OFFER.resource, (Requirements("exact", network, 1, ASSET, PAY_TO, 60, extra),))
        answer = render(Outcome(Kind.REFUSED, offer=required, code="x", sentence="No."))
        body = json.loads(answer.body)
        assert (body["x402Version"], body["message"], len(body["accepts"])) == (version, "No.", 1)
        header = answer.header("payment-required")
        assert header is not None
        assert decode(header) == required.to_json()


def test_errors_have_a_code_and_a_sentence() -> None:
    """Machine-readable, and readable."""
    answer = render(Outcome(Kind.BAD_REQUEST, status=404, code="unknown_route", sentence="Nothing here."))
    assert answer.status == 404
    assert answer.body == b'{"error":"Nothing here.","code":"unknown_route"}'


def test_a79_a_bug_is_500_and_says_nothing_internal() -> None:
    """No offer either: nobody knows what had happened by then."""
    answer = internal_error()
    assert answer.status == 500
    assert answer.header("payment-required") is None
