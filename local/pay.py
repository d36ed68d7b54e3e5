"""``python -m local.pay <url>``: pay for one GET with the official x402 client and the test buyer's key."""

import asyncio
import os
import sys
from typing import Any

import httpx
from eth_account import Account
from eth_account.signers.local import LocalAccount
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact import ExactEvmScheme

from local.buyer import NETWORKS, demo_buyer, read_header


async def fetch(account: LocalAccount, url: str, method: str = "GET", **request: Any) -> httpx.Response:
    """One request, paid for if it has a price: on the test networks alone, and at most the SDK's dollar a call."""
    client = x402Client()
    for network in NETWORKS:
        client.register(network, ExactEvmScheme(EthAccountSigner(account)))
    async with httpx.AsyncClient(transport=x402AsyncTransport(client), timeout=40) as http:
        return await http.request(method, url, **request)


async def pay(url: str, key: str | None) -> int:
    """Print status, body and receipt; returns 0 for a 200."""
    try:
        account = Account.from_key(key) if key else demo_buyer()
    except ValueError:
        sys.exit("TOLLGATE_BUYER_KEY must be a private key: 0x and 64 hex digits")
    answer = await fetch(account, url)
    print(answer.status_code, answer.text)
    if "payment-response" in answer.headers:
        print(read_header(answer.headers["payment-response"]))
    return 0 if answer.status_code == 200 else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m local.pay <url>    (TOLLGATE_BUYER_KEY pays with another key)")
    try:
        sys.exit(asyncio.run(pay(sys.argv[1], os.environ.get("TOLLGATE_BUYER_KEY"))))
    except httpx.HTTPError as error:
        sys.exit(f"no answer from {sys.argv[1]}: {type(error).__name__}. Is `make serve` running?")
