"""One DynamoDB server, one chain and one deployed stack for all tests that need them.

``TOLLGATE_TEST_AWS`` and ``TOLLGATE_TEST_CHAIN`` name servers that run already: the fault runner
starts its many small runs on those of the run that started it.
"""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from local.anvil import Anvil
from local.chain import Chain
from local.ministack import MiniStack
from local.stack import LocalStack
from tests.crash.summary import pytest_terminal_summary  # noqa: F401 - a hook
from tests.support.functions import Functions

# The same examples on every machine and in every run: a check that fails can be repeated.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def aws_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The local AWS over HTTP."""
    running = os.environ.get("TOLLGATE_TEST_AWS")
    if running:
        yield running
        return
    server = MiniStack(tmp_path_factory.mktemp("aws"))
    server.start()
    yield server.endpoint
    server.stop()


@pytest.fixture(scope="session")
def shared_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Base Sepolia's chain id on this machine, with the token at USDC's address; for what outlives a test."""
    running = os.environ.get("TOLLGATE_TEST_CHAIN")
    if running:
        yield Chain(running, "base-sepolia")
        return
    anvil = Anvil("base-sepolia", Path(tmp_path_factory.mktemp("chain")))
    anvil.start()
    yield anvil.chain
    anvil.stop()


@pytest.fixture
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chain]:
    """The shared chain. A test that takes blocks back is marked ``own_chain``: after evm_revert, anvil 1.7.1 misses
    blocks and leaves transactions in its pool, and the next test would be judged by that."""
    if request.node.get_closest_marker("own_chain") is None:
        yield request.getfixturevalue("shared_chain")
        return
    anvil = Anvil("base-sepolia", tmp_path)
    anvil.start()
    yield anvil.chain
    anvil.stop()


@pytest.fixture(scope="session")
def deployed_stack() -> Iterator[LocalStack]:
    """The template, deployed onto a local AWS of its own. Use ``stack`` instead."""
    with LocalStack() as stack:
        yield stack


@pytest.fixture
def stack(deployed_stack: LocalStack) -> Iterator[LocalStack]:
    """The deployed stack, calm: nothing held, dropped or counted. Buyers are each test's own."""
    deployed_stack.calm()
    yield deployed_stack
    deployed_stack.calm()


@pytest.fixture
def functions(aws_endpoint: str, chain: Chain) -> Iterator[Functions]:
    """The Lambda functions in this process, cold, with tables of their own."""
    chain.mine_at_once()
    with Functions(aws_endpoint, chain) as made:
        yield made


def pytest_collection_finish() -> None:
    """What is loaded stays: to go through it again and again costs minutes, and pauses in the middle of a test."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``-m stack`` and ``-m 'not stack'`` choose by what a test uses."""
    for item in items:
        if "deployed_stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)
