"""The official clients with their defaults: each pays for one GET and tells what it got."""

import asyncio
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import requests
from eth_account.signers.local import LocalAccount
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from x402 import x402Client, x402ClientSync
from x402.http.clients import wrapHttpxWithPayment, wrapRequestsWithPayment, x402_httpx_transport
from x402.http.clients.requests import x402HTTPAdapter
from x402.mechanisms.evm.exact import ExactEvmScheme, register_exact_evm_client
from x402.mechanisms.evm.exact.v1.client import ExactEvmSchemeV1

from local.paths import NODE
from tests.support.buyer import decode

_SCRIPTS = Path(__file__).parent.parent / "interop"
_TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Bought:
    """Status, body, and the header that the receipt came in (in lower case) with its decoded content."""

    status: int
    body: str
    header: str
    receipt: dict[str, Any]

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


def _bought(status: int, body: str, headers: Any) -> Bought:
    said = {name: headers[name] for name in ("payment-response", "x-payment-response") if name in headers}
    header, value = next(iter(said.items()), ("", ""))
    return Bought(status, body, header if len(said) < 2 else "both", decode(value) if value else {})


async def _get(http: httpx.AsyncClient, url: str) -> Bought:
    async with http:
        answer = await http.get(url)
        await answer.aread()
        return _bought(answer.status_code, answer.text, answer.headers)


def with_httpx(account: LocalAccount, url: str) -> Bought:
    """Python, httpx, x402 version 2."""
    client = x402Client().register("eip155:*", ExactEvmScheme(account))
    return asyncio.run(_get(wrapHttpxWithPayment(client, timeout=_TIMEOUT), url))


def post_with_httpx(account: LocalAccount, url: str, body: Any) -> Bought:
    """Python, httpx, x402 version 2: a POST of JSON."""

    async def post(http: httpx.AsyncClient) -> Bought:
        async with http:
            answer = await http.post(url, json=body)
            await answer.aread()
            return _bought(answer.status_code, answer.text, answer.headers)

    client = x402Client().register("eip155:*", ExactEvmScheme(account))
    return asyncio.run(post(wrapHttpxWithPayment(client, timeout=_TIMEOUT)))


def with_requests(account: LocalAccount, url: str) -> Bought:
    """Python, requests, x402 version 2."""
    client = x402ClientSync().register("eip155:*", ExactEvmScheme(account))
    with wrapRequestsWithPayment(requests.Session(), client) as http:
        answer = http.get(url, timeout=_TIMEOUT)
    return _bought(answer.status_code, answer.text, answer.headers)


def with_httpx_and_both_versions(account: LocalAccount, url: str) -> Bought:
    """Python, httpx, registered for both versions: the choice is the client's."""
    client = register_exact_evm_client(x402Client(), account)
    return asyncio.run(_get(wrapHttpxWithPayment(client, timeout=_TIMEOUT), url))


class _WithoutOffer(httpx.AsyncHTTPTransport):
    """What a version 1 client sees: the body, for it looks at no PAYMENT-REQUIRED."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        answer.headers.pop("payment-required", None)
        return answer


def with_httpx_v1(account: LocalAccount, url: str) -> Bought:
    """Python, httpx, registered for version 1 only."""
    client = x402Client().register_v1("base-sepolia", ExactEvmSchemeV1(account))
    transport = x402_httpx_transport(client, _WithoutOffer())
    return asyncio.run(_get(httpx.AsyncClient(transport=transport, timeout=_TIMEOUT), url))


class _AdapterWithoutOffer(x402HTTPAdapter):
    """The same for requests."""

    def build_response(self, req: requests.PreparedRequest, resp: HTTPResponse) -> requests.Response:
        resp.headers.discard("payment-required")
        return HTTPAdapter.build_response(self, req, resp)


def with_requests_v1(account: LocalAccount, url: str) -> Bought:
    """Python, requests, registered for version 1 only."""
    client = x402ClientSync().register_v1("base-sepolia", ExactEvmSchemeV1(account))
    with requests.Session() as http:
        http.mount("http://", _AdapterWithoutOffer(client))
        answer = http.get(url, timeout=_TIMEOUT)
    return _bought(answer.status_code, answer.text, answer.headers)


def _with_node(script: str, account: LocalAccount, url: str) -> Bought:
    command = [str(NODE), str(_SCRIPTS / script), url, "0x" + account.key.hex().removeprefix("0x")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    return _bought(said["status"], said["body"], said["headers"])


def with_fetch(account: LocalAccount, url: str) -> Bought:
    """TypeScript, @x402/fetch, version 2."""
    return _with_node("fetch.mjs", account, url)


def with_fetch_v1(account: LocalAccount, url: str) -> Bought:
    """TypeScript, x402-fetch, version 1."""
    return _with_node("fetch_v1.mjs", account, url)
