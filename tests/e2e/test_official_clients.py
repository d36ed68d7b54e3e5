"""Software that others wrote pays with its defaults."""

import asyncio
import json
import subprocess
from pathlib import Path

import httpx
from eth_account.signers.local import LocalAccount
from x402 import x402Client
from x402.http.clients import wrapHttpxWithPayment
from x402.mechanisms.evm.exact import ExactEvmScheme

from local.paths import NODE
from local.stack import LocalStack
from tests.support.buyer import decode

PRICE = 10_000


def test_the_official_python_client_pays_with_its_defaults(stack: LocalStack, buyer: LocalAccount) -> None:
    """httpx: 402, signature, 200 with the body and a receipt that the chain confirms."""

    async def pay() -> httpx.Response:
        client = x402Client().register("eip155:*", ExactEvmScheme(buyer))
        async with wrapHttpxWithPayment(client, timeout=60) as http:
            answer = await http.get(f"{stack.api_url}/weather/oslo")
            await answer.aread()
            return answer

    answer = asyncio.run(pay())
    assert answer.status_code == 200
    assert answer.json()["city"] == "oslo"
    receipt = decode(answer.headers["payment-response"])
    mined = stack.chain.receipt(receipt["transaction"])
    assert mined is not None
    assert int(mined["status"], 16) == 1
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE


def test_the_official_typescript_client_pays_with_its_defaults(stack: LocalStack, buyer: LocalAccount) -> None:
    """@x402/fetch: the same."""
    script = Path(__file__).with_name("fetch.mjs")
    run = subprocess.run(
        [str(NODE), str(script), f"{stack.api_url}/weather/rome", "0x" + buyer.key.hex().removeprefix("0x")],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert said["status"] == 200
    assert json.loads(said["body"])["city"] == "rome"
    assert said["receipt"]["success"] is True
    assert stack.chain.balance(buyer.address) == 100_000_000 - PRICE
