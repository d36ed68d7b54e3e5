"""The facilitator's API while the chain cannot be asked."""

from local.chain import Chain
from tests.support.functions import Functions
from tests.support.sellers import SellerElsewhere, items


def test_with_the_chain_down_nothing_is_decided_and_nothing_written(aws_endpoint: str, chain: Chain) -> None:
    """Neither valid nor refused for good: 200 with a reason that says so, from both."""
    with Functions(aws_endpoint, chain, rpc_url="http://127.0.0.1:9", patient=False) as functions:
        seller = SellerElsewhere(functions)
        answer = seller.verify(seller.envelope(seller.payment(functions.buyer())))
        assert (answer["isValid"], answer["invalidReason"]) == (False, "unexpected_verify_error")
        settled = seller.settle(seller.envelope(seller.payment(functions.buyer())))
        assert (settled["success"], settled["errorReason"]) == (False, "settlement_pending")
        assert settled["transaction"] == ""
        assert [item["pk"]["S"] for item in items(functions)] == [f"SELLER#{seller.name}"]
