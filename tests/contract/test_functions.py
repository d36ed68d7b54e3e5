"""The harness itself: what it switches it puts back, and a function sees what the template tells it and no more."""

import os
import time

import boto3
import pytest
import urllib3

from local.chain import Chain
from tests.support.functions import Functions
from tests.support.loaded import Run, running


def test_everything_is_put_back(aws_endpoint: str, chain: Chain) -> None:
    """Another test's environment, clients and clocks are its own again."""
    pool = urllib3.connectionpool.HTTPConnectionPool
    before = (os.environ, boto3.client, time.time, time.monotonic, time.sleep, pool.urlopen)
    with Functions(aws_endpoint, chain) as functions:
        assert boto3.client is not before[1]
        functions.invoke("reconcile", {})
    assert (os.environ, boto3.client, time.time, time.monotonic, time.sleep, pool.urlopen) == before


def test_a_function_sees_its_own_variables_only(functions: Functions) -> None:
    """Not this process's, not those of another function: a variable that the template forgets is missed."""
    held = running.set(Run(functions.loaded["verify"], 0))
    try:
        assert os.environ["POWERTOOLS_SERVICE_NAME"] == "verify"
        assert os.environ["TOLLGATE_SELLERS_TABLE"] == functions.resource("SellersTable")
        assert "TOLLGATE_PAYMENTS_TABLE" not in os.environ
        with pytest.raises(KeyError):
            os.environ["PYTEST_CURRENT_TEST"]
    finally:
        running.reset(held)
    assert "PYTEST_CURRENT_TEST" in os.environ


def test_calls_are_recorded_under_the_function_that_made_them(functions: Functions) -> None:
    """Reconcile invokes settle, which asks the chain; each on its own account."""
    with functions.recording() as seen:
        functions.invoke("reconcile", {})
    by = {(call.function, call.operation) for call in seen.aws}
    assert ("reconcile", "Invoke") in by
    assert ("settle", "GetPublicKey") in by
    assert {call.function for call in seen.rpc} == {"settle"}
    assert len({call.invocation for call in seen.trace}) == 2
    assert not functions.failures
