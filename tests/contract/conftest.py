"""What the contract tests share besides the servers."""

from collections.abc import Iterator

import pytest

from local.chain import Chain
from tests.support.aws import client, create_table
from tests.support.world import World, a_world
from tollgate.ledger.dynamo import Table


@pytest.fixture
def payments_table(aws_endpoint: str) -> Table:
    """An empty payments table."""
    dynamo = client("dynamodb", aws_endpoint)
    return Table(dynamo, create_table(dynamo, work_index=True))


@pytest.fixture
def world(aws_endpoint: str, chain: Chain) -> Iterator[World]:
    """A gateway with all its parts, on real servers."""
    with a_world(aws_endpoint, chain) as made:
        yield made
