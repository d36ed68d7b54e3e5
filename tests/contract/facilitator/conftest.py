"""What the settlement tests share."""

import pytest

from local.chain import Chain
from tests.support.settling import NewWorld, SettleWorld


@pytest.fixture
def new_world(aws_endpoint: str, chain: Chain) -> NewWorld:
    """Makes settlement worlds on the shared servers, each with a table and a relayer of its own."""

    def make(*, kms: bool = False) -> SettleWorld:
        return SettleWorld(aws_endpoint, chain, kms=kms)

    return make
