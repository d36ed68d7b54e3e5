"""A receipt after its block was taken back, on a chain of its own."""

from collections.abc import Iterator

import pytest

from local.chain import Chain
from tests.support.recorded import Shop, opened


@pytest.fixture
def own_shop(aws_endpoint: str, chain: Chain) -> Iterator[Shop]:
    """One whose chain may lose blocks."""
    yield from opened(aws_endpoint, chain)


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
