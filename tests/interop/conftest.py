"""What the tests with others' software share: the priced routes, a buyer, and what a client brought home."""

import pytest
from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.e2e.conftest import routes


@pytest.fixture(scope="session", autouse=True)
def priced_routes(deployed_stack: LocalStack) -> None:
    """The same routes as the end-to-end tests have, so that either may come first."""
    deployed_stack.apply_routes(routes(deployed_stack))


@pytest.fixture
def buyer(stack: LocalStack) -> LocalAccount:
    """A new key with 100 USDC and no ether."""
    return stack.funded_account()
