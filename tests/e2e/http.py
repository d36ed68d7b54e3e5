"""Requests to the front door, from whichever loopback address a test wants to be."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

import urllib3
from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.support.buyer import decode, encode, sign

HERE = "127.0.0.1"
ELSEWHERE = "127.0.0.2"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, lower-cased headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def receipt(self) -> dict[str, Any]:
        """The decoded PAYMENT-RESPONSE."""
        return decode(self.headers["payment-response"])

    @property
    def offer(self) -> dict[str, Any]:
        """The decoded PAYMENT-REQUIRED."""
        return decode(self.headers["payment-required"])

    @property
    def json(self) -> dict[str, Any]:
        """The decoded body."""
        message: dict[str, Any] = json.loads(self.body)
        return message


def get(
    stack: LocalStack,
    path: str,
    payment: dict[str, Any] | str | None = None,
    *,
    source: str = HERE,
    method: str = "GET",
    body: bytes | None = None,
    **headers: str,
) -> Reply:
    """One request, on a connection of its own."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if payment is not None:
        sent["PAYMENT-SIGNATURE"] = payment if isinstance(payment, str) else encode(payment)
    port = int(stack.api_url.rsplit(":", 1)[1])
    pool = urllib3.HTTPConnectionPool(HERE, port, source_address=(source, 0), retries=False, timeout=60)
    with pool:
        answer = pool.request(method, path, headers=sent, body=body, redirect=False)
    return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.data)


def signed(
    stack: LocalStack, buyer: LocalAccount, path: str, *, identifier: bool = True, **kwargs: Any
) -> dict[str, Any]:
    """A payment for what a path offers, with a payment-identifier of its own unless told otherwise."""
    offer = get(stack, path, **kwargs).offer
    return sign(buyer, offer, identifier=f"pay_{secrets.token_hex(16)}" if identifier else None)
