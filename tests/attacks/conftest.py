"""What the attacks share: the gateway and the facilitator on real servers."""

from collections.abc import Iterator

import pytest

from local.chain import Chain
from tests.support.aws import client, create_table
from tests.support.functions import Functions
from tests.support.sellers import SellerElsewhere
from tests.support.settling import NewWorld, SettleWorld
from tests.support.world import World, a_world
from tollgate.ledger.dynamo import Table


@pytest.fixture
def world(aws_endpoint: str, chain: Chain) -> Iterator[World]:
    """A gateway with all its parts."""
    chain.mine_at_once()
    with a_world(aws_endpoint, chain) as made:
        yield made


@pytest.fixture
def payments_table(aws_endpoint: str) -> Table:
    """An empty payments table."""
    dynamo = client("dynamodb", aws_endpoint)
    return Table(dynamo, create_table(dynamo, work_index=True))


@pytest.fixture
def new_world(aws_endpoint: str, chain: Chain) -> NewWorld:
    """Makes settlement worlds, each with a table and a relayer of its own."""

    def make(*, kms: bool = False) -> SettleWorld:
        return SettleWorld(aws_endpoint, chain, kms=kms)

    return make


@pytest.fixture
def elsewhere(functions: Functions) -> SellerElsewhere:
    """A seller with a key, who settles through this stack."""
    return SellerElsewhere(functions)
