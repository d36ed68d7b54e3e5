"""What the settlement tests share."""

from collections.abc import Iterator

import pytest

from local.chain import Chain
from tests.support.functions import Functions
from tests.support.sellers import SellerElsewhere
from tests.support.settling import NewWorld, SettleWorld


@pytest.fixture
def new_world(aws_endpoint: str, chain: Chain) -> NewWorld:
    """Makes settlement worlds on the shared servers, each with a table and a relayer of its own."""

    def make(*, kms: bool = False) -> SettleWorld:
        return SettleWorld(aws_endpoint, chain, kms=kms)

    return make


@pytest.fixture(scope="module")
def functions(aws_endpoint: str, shared_chain: Chain) -> Iterator[Functions]:
    """The functions of one stack, in this process."""
    with Functions(aws_endpoint, shared_chain) as made:
        yield made


@pytest.fixture
def elsewhere(functions: Functions) -> SellerElsewhere:
    """A seller with a key, unknown until now."""
    functions.chain.mine_at_once()
    return SellerElsewhere(functions)
