"""A seller under test, as a check sees it, whoever built it; and what a check says of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from eth_account.signers.local import LocalAccount

from local.chain import Chain
from tests.support.buyer import decode
from tests.support.facilitator import Facilitator
from tests.support.upstream import CountingUpstream

# What is wrong, in words; nothing is a pass.
Problems = list[str]

GOODS = b"the-goods-that-are-sold"
IDENTIFIER = "pay_0123456789abcdef0123456789abcdef"

# Prices of what every shop sells, in atomic units, by method and path pattern.
CHEAP, DEAR = 10_000, 1_000_000
PRICES: Mapping[tuple[str, str], int] = {
    ("GET", "/cheap"): CHEAP,
    ("GET", "/dear"): DEAR,
    ("GET", "/both"): CHEAP,
    ("POST", "/both"): 5 * CHEAP,
    ("GET", "/item/{id}"): CHEAP,
    ("GET", "/sized"): CHEAP,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def offer(self) -> dict[str, Any] | None:
        """What the answer offers to sell."""
        value = self.headers.get("payment-required")
        return None if value is None else decode(value)

    @property
    def receipt(self) -> dict[str, Any]:
        """What it says of the settlement."""
        value = self.headers.get("payment-response")
        return {} if value is None else decode(value)

    @property
    def served(self) -> bool:
        """Whether the content, or a success, left."""
        return 200 <= self.status < 300 or GOODS in self.body

    @property
    def transaction(self) -> str:
        """The transaction that it names, or ""."""
        return str(self.receipt.get("transaction") or self.named("transaction"))

    def named(self, field_: str) -> str:
        """A field of the body or of its details, or ""."""
        try:
            said = json.loads(self.body)
        except ValueError:
            return ""
        details = said.get("details") if isinstance(said, dict) else None
        found = [part.get(field_) for part in (said, details) if isinstance(part, dict)]
        return next((str(one) for one in found if one), "")


class Shop(Protocol):
    """One seller with a facilitator behind it and a handler whose work is sold."""

    chain: Chain
    facilitator: Facilitator
    handler: CountingUpstream
    # Whether /sized costs more with ?size=l; whether a signed-in payer may have again what it bought.
    prices_by_query: bool
    signs_in: bool
    # A path that is sold settle-first.
    upfront_path: str

    def request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        payment: dict[str, Any] | None = None,
        header: str | None = None,
        body: bytes = b"",
        sign_in: str | None = None,
        hung_up: bool = False,
        seconds: float = 12.0,
    ) -> Reply:
        """One request. ``header`` is a raw PAYMENT-SIGNATURE; ``hung_up``: the client is gone when the answer comes."""

    def sign(self, payer: LocalAccount, offer: dict[str, Any], **how: Any) -> dict[str, Any]:
        """A payment of the first way that is offered."""

    def signed_in(self, payer: LocalAccount, path: str) -> str:
        """A sign-in-with-x header of ``payer`` for ``path``."""

    def buyer(self) -> LocalAccount:
        """A payer with tokens."""

    def settles(self) -> int:
        """How often a settlement was asked for."""

    def transactions(self) -> int:
        """How many transactions moved money."""

    def replica(self) -> "Shop":
        """Another process of the same shop."""

    def dies(self, moment: str, method: str, path: str, payment: dict[str, Any]) -> None:
        """Serve a request and be killed: ``settled`` while /settle has just answered, ``answering`` before it left."""

    def restart(self) -> None:
        """A new process, some time later; what was durable is still there."""

    def mine(self) -> None:
        """What was broadcast becomes final."""


Check = Callable[[Any], Problems]


def problems(**claims: bool) -> Problems:
    """The claims that do not hold."""
    return [claim.replace("_", " ") for claim, holds in claims.items() if not holds]


def offer_of(shop: Shop, path: str = "/cheap", method: str = "GET", query: str = "") -> dict[str, Any]:
    """A route's offer."""
    found = shop.request(method, path, query=query).offer
    assert found is not None, f"{method} {path} offers nothing"
    return found


def pay(shop: Shop, path: str = "/cheap", method: str = "GET", query: str = "", **how: Any) -> dict[str, Any]:
    """A fresh payer's payment of a route."""
    return shop.sign(shop.buyer(), offer_of(shop, path, method, query), **how)
