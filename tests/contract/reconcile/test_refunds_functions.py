"""A refund through the real handlers, as the template tells them, from a treasury of its own."""

import pytest

from local.chain import Chain
from tests.support.aws import client
from tests.support.buyer import encode
from tests.support.functions import Functions
from tests.support.upstream import CountingUpstream, answers
from tollgate.ledger.dynamo import Table
from tollgate.payment.identity import PaymentId
from tollgate.wire.parse import parse_payment

PURSE = 100_000_000
PRICE = 10_000


def key(aws_endpoint: str) -> str:
    """A key for the treasury alone."""
    made = client("kms", aws_endpoint).create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")
    return str(made["KeyMetadata"]["Arn"])


@pytest.mark.parametrize("mode", ["auto", "manual"])
def test_what_was_charged_and_not_served_comes_back_where_the_operator_wants_it(
    aws_endpoint: str, chain: Chain, mode: str
) -> None:
    """From the treasury, to the payer, once, however often reconcile looks; in manual mode nothing moves."""
    chain.mine_at_once()
    upstream = CountingUpstream()
    upstream.behave(answers(500))
    treasury_key = key(aws_endpoint)
    try:
        with Functions(aws_endpoint, chain, patient=False, Refunds=mode, TreasuryKeyArn=treasury_key) as functions:
            treasury = functions.address_of(treasury_key)
            chain.mint(treasury, 2 * PRICE)
            functions.sell("GET", "/report/{city}", upstream.url + "/report/{city}", upfront=True)
            functions.invoke("reconcile", {})
            buyer = functions.buyer()
            payment = functions.sign(buyer, functions.offer("GET", "/report/oslo"))
            assert functions.request("GET", "/report/oslo", payment=payment).status == 502
            chain.mine(chain.info.confirmations, 0)
            id = PaymentId.of(parse_payment(encode(dict(payment))))
            table = Table(functions.client("dynamodb"), functions.resource("PaymentsTable"))
            for _ in range(3):
                functions.clock.skew += 1_000
                functions.invoke("reconcile", {})
            item = table.get(f"PAY#{id.digest}")
            assert item is not None
            if mode == "manual":
                assert chain.balance(treasury) == 2 * PRICE
                assert "refund_begun_at" not in item
                return
            assert chain.balance(buyer.address) == PURSE
            assert chain.balance(treasury) == PRICE
            assert (item["state"], item["refund_begun_at"] > 0) == ("REFUND_DUE", True), "not final yet"
            for _ in range(9):
                chain.mine(chain.info.final_blocks // 9 + 1, 0)
            functions.clock.skew += 1_000
            functions.invoke("reconcile", {})
            done = table.get(f"PAY#{id.digest}")
            assert done is not None
            assert done["state"] == "REFUNDED"
            assert chain.balance(treasury) == PRICE
            assert not functions.failures
    finally:
        upstream.stop()
