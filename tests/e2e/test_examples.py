"""The worked examples on the deployed stack: their own servers and routes files, paid for with the official client."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import yaml
from eth_account.signers.local import LocalAccount

from local.buyer import read_header
from local.examples import EXAMPLES, served
from local.pay import fetch
from local.stack import LocalStack
from tests.e2e.conftest import routes

FULL = 100_000_000


@pytest.fixture(scope="module")
def servers(deployed_stack: LocalStack) -> Iterator[dict[str, Any]]:
    """Each example's server, and its routes beside those of the other tests."""
    with ExitStack() as closing:
        # The workflow ends when the test says so.
        servers = {
            example.name: closing.enter_context(
                served(example, deployed_stack, **({"seconds": None} if example.name == "workflow" else {}))
            )
            for example in EXAMPLES
        }
        everything = json.loads(routes(deployed_stack))
        for example in EXAMPLES:
            everything["routes"] += yaml.safe_load(example.routes(servers[example.name]))["routes"]
        deployed_stack.apply_routes(json.dumps(everything))
        # A new process knows them at once; others within half a minute.
        deployed_stack.kill_runtimes(deployed_stack.deployed.proxy_function)
        yield servers


def buy(stack: LocalStack, buyer: LocalAccount, name: str) -> tuple[httpx.Response, int]:
    """The example's call, paid for; the answer, and what the buyer has paid in atomic units."""
    method, path, said = next(example.call for example in EXAMPLES if example.name == name)
    answer = asyncio.run(fetch(buyer, stack.api_url + path, method, json=said))
    return answer, FULL - stack.chain.balance(buyer.address)


def test_a_providers_api_is_resold_without_its_key(
    stack: LocalStack, buyer: LocalAccount, servers: dict[str, Any]
) -> None:
    """The secret and the fixed header go up; a buyer's own of that name does not."""
    answer, paid = buy(stack, buyer, "provider-call")
    assert (answer.status_code, paid) == (200, 20_000)
    assert (answer.json()["symbol"], answer.json()["for"]) == ("ACME", "tollgate")
    theirs = {"X-Api-Key": "wrong", "X_Tenant": "theirs"}
    again = asyncio.run(fetch(buyer, f"{stack.api_url}/quotes/acme", headers=theirs))
    assert (again.status_code, again.json()["for"]) == (200, "tollgate")
    assert "demo-key" not in httpx.get(f"{stack.api_url}/openapi.json", timeout=40).text


def test_a_workflow_is_started_by_a_paid_call_and_its_result_fetched(
    stack: LocalStack, buyer: LocalAccount, servers: dict[str, Any]
) -> None:
    """202 and a link; the workflow calls back; the operator sees how far it is."""
    answer, paid = buy(stack, buyer, "workflow")
    assert (answer.status_code, paid) == (202, 50_000)
    link, receipt = answer.headers["location"], read_header(answer.headers["payment-response"])
    waiting = httpx.get(link, timeout=40)
    assert (waiting.status_code, waiting.json()) == (202, {"done": False})
    servers["workflow"].finish()
    result = httpx.get(link, timeout=40)
    assert (result.status_code, result.json()["words"]) == (200, 12)
    (shown,) = json.loads(stack.tollgate("payments", "show", receipt["transaction"], "--json"))["payments"]
    assert list(servers["workflow"].executions) == [shown["payment"]["id"]]
    assert (shown["execution"]["outcome"], shown["execution"]["execution"]) == ("delivered", "1")


def test_an_agents_run_costs_what_its_function_says(
    stack: LocalStack, buyer: LocalAccount, servers: dict[str, Any]
) -> None:
    """Three cents for the higher effort; a payment for one task does not buy another."""
    answer, paid = buy(stack, buyer, "agent")
    assert (answer.status_code, paid, len(answer.json()["steps"])) == (200, 30_000, 3)
    url = f"{stack.api_url}/agent/runs"
    cheap, dear = (
        read_header(httpx.post(url, json=task, timeout=40).headers["payment-required"])["accepts"][0]["amount"]
        for task in ({"task": "short"}, {"task": "word " * 250, "effort": "high"})
    )
    assert (cheap, dear) == ("10000", "90000")
