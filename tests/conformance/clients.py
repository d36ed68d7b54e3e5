"""Clients under test: our own buyer, the official ones, and ones that are broken on purpose."""

import asyncio
import json
from typing import Any

import httpx
import requests
import urllib3
from eth_account.signers.local import LocalAccount
from x402 import x402Client, x402ClientSync
from x402.client import SpendControls
from x402.http.clients import wrapHttpxWithPayment, wrapRequestsWithPayment
from x402.mechanisms.evm.exact import ExactEvmScheme

from local.pay import fetch
from tests.conformance.client_checks import MOST, NETWORK, Client, Got, Rejected
from tests.support.buyer import decode, encode, sign

_CONTROLS = SpendControls(max_amount_per_payment=f"${MOST // 1_000_000}")


def _success(status: int, body: bytes) -> Got:
    """What a careful caller does with an answer. Raises ``Rejected``."""
    if status >= 300:
        raise Rejected(f"status {status}")
    return Got(status, body)


def our_buyer(account: LocalAccount, url: str) -> Got:
    """What `make demo` and `python -m local.pay` buy with."""
    answer = asyncio.run(fetch(account, url))
    return _success(answer.status_code, answer.content)


def official_httpx(account: LocalAccount, url: str) -> Got:
    """Python, httpx."""
    client = x402Client().register(NETWORK, ExactEvmScheme(account))
    client.set_spend_controls(_CONTROLS)

    async def get() -> httpx.Response:
        async with wrapHttpxWithPayment(client, timeout=20) as http:
            return await http.get(url)

    answer = asyncio.run(get())
    return _success(answer.status_code, answer.content)


def official_requests(account: LocalAccount, url: str) -> Got:
    """Python, requests."""
    client = x402ClientSync().register(NETWORK, ExactEvmScheme(account))
    client.set_spend_controls(_CONTROLS)
    with wrapRequestsWithPayment(requests.Session(), client) as http:
        answer = http.get(url, timeout=20)
    return _success(answer.status_code, answer.content)


def _get(url: str, **headers: str) -> tuple[int, bytes, Any]:
    answer = urllib3.request("GET", url, headers={k.replace("_", "-"): v for k, v in headers.items()}, retries=False)
    return answer.status, answer.data, answer.headers


def _pay(account: LocalAccount, required: dict[str, Any], url: str, index: int) -> Got:
    chosen = {**required, "accepts": [required["accepts"][index]]}
    status, body, _ = _get(url, payment_signature=encode(sign(account, chosen)))
    return _success(status, body)


def _required(url: str) -> dict[str, Any]:
    return decode(_get(url)[2]["payment-required"])


def accepts_any_status(account: LocalAccount, url: str) -> Got:
    """Hands out what comes, the 402 too."""
    status, body, _ = _get(url)
    return Got(status, body)


def never_sees_a_402(account: LocalAccount, url: str) -> Got:
    """Gives up before it asks."""
    raise Rejected("not today")


def takes_the_first_offer(account: LocalAccount, url: str) -> Got:
    """Whatever network it is on."""
    return _pay(account, _required(url), url, 0)


def ignores_its_maximum(account: LocalAccount, url: str) -> Got:
    """The first on its network, at any price."""
    required = _required(url)
    index = [one["network"] for one in required["accepts"]].index(NETWORK)
    return _pay(account, required, url, index)


def falls_back_to_v1(account: LocalAccount, url: str) -> Got:
    """Pays the old offer where there is one."""
    status, body, _ = _get(url)
    if json.loads(body)["x402Version"] != 1:
        return takes_the_first_offer(account, url)
    payment = sign(account, _required(url))
    old = {"x402Version": 1, "scheme": "exact", "network": "base-sepolia", "payload": payment["payload"]}
    status, body, _ = _get(url, x_payment=encode(old))
    return _success(status, body)


CONTROLS: tuple[Client, ...] = (official_httpx, official_requests)
FAULTY: dict[str, tuple[Client, ...]] = {
    "C1": (accepts_any_status, never_sees_a_402),
    "C2": (takes_the_first_offer, ignores_its_maximum),
    "C3": (falls_back_to_v1,),
}
