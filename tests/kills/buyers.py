"""Buyers who follow the rules, and what each of them can tell of every purchase afterwards.

The same payment again after a 500, a 503 or no answer; a new signature only after a 402 with an offer; a fresh
signature where a 409 asks for one. One in four goes away at the first answer that is none, and never comes back,
except from what is settled first: that waits a quarter of an hour for its buyer, longer than a test can.
"""

import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.kills.shop import MARK, Shop
from tests.support.buyer import decode, encode, fresh_signature, sign
from tests.support.lambda_events import Reply

# Told nothing final for this long, a buyer calls it a broken promise.
PATIENCE_SECONDS = 150.0
SERVED, NOT_CHARGED, OWED_BACK, WENT_AWAY = "served", "told not charged", "told that it is owed back", "went away"


@dataclass
class Purchase:
    """One thing wanted once, at ``url``. ``payments`` are the nonces signed for it, in order; ``end`` how it ended."""

    payer: str
    url: str
    city: str
    payments: list[str] = field(default_factory=list)
    end: str = ""
    transaction: str = ""
    resends: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def upfront(self) -> bool:
        """Whether it is settled before it is served."""
        return self.url.startswith("/report/")

    def tell(self, problem: str) -> None:
        """Something that must not be."""
        self.told.append(f"{self.city}: {problem}")


class Buyer:
    """One wallet at one address; buys one thing after the other until ``over`` says so."""

    def __init__(self, shop: Shop, number: int, seed: int, over: Callable[[], bool]) -> None:
        self._shop = shop
        self._account: LocalAccount = shop.functions.buyer()
        self._source = f"192.0.2.{number + 1}"
        self._chance = random.Random(f"{seed} buyer {number}")
        # Half show the identifier of their payment, half only where they come from.
        self._identifies = number % 2 == 0
        self._over = over
        self._number = number
        self.purchases: list[Purchase] = []
        self.thread = threading.Thread(target=self._live, daemon=True)

    def _live(self) -> None:
        while not self._over():
            time.sleep(self._chance.random())
            purchase = self._wish()
            self.purchases.append(purchase)
            try:
                self._buy(purchase)
            except Exception as error:
                purchase.tell(f"{type(error).__name__}: {error}")

    def _wish(self) -> Purchase:
        kind = self._chance.choices(("town", "big", "nowhere"), (8, 1, 1))[0]
        city = f"{kind}-{self._number}-{len(self.purchases)}"
        page = self._chance.choices(("weather", "report"), (2, 1))[0]
        return Purchase(self._account.address, f"/{page}/{city}", city)

    def _buy(self, purchase: Purchase) -> None:
        url = purchase.url
        goes_away = self._chance.random() < 1 / 4 and not purchase.upfront
        ends_by = time.monotonic() + PATIENCE_SECONDS
        required = self._offer(url, ends_by)
        while not purchase.end:
            payment = self._sign(required)
            nonce = payment["payload"]["authorization"]["nonce"]
            purchase.payments.append(nonce)
            reply = self._pay(purchase, url, payment, {MARK: nonce}, goes_away, ends_by)
            if reply is None:
                return
            required = decode(reply.headers["payment-required"])

    def _pay(
        self,
        purchase: Purchase,
        url: str,
        payment: dict[str, Any],
        headers: dict[str, str],
        goes_away: bool,
        ends_by: float,
    ) -> Reply | None:
        """Send one payment until its answer is final; the 402 to go by if another one is needed."""
        headers = {**headers, "payment-signature": encode(payment)}
        while time.monotonic() < ends_by:
            reply = self._shop.request(url, headers, self._source)
            offered = "payment-required" in reply.headers
            match reply.status:
                case 200:
                    self._served(purchase, reply)
                    return None
                case 402 if offered:
                    return reply
                case 502 if purchase.upfront and "payment-response" in reply.headers:
                    purchase.transaction = decode(reply.headers["payment-response"])["transaction"]
                    purchase.end = OWED_BACK
                    return None
                case 404 | 502 | 504:
                    purchase.end = NOT_CHARGED
                    return None
                case 409 if "signIn" in reply.json().get("details", {}):
                    how = reply.json()["details"]["signIn"]
                    headers = {**headers, "sign-in-with-x": fresh_signature(self._account, how)}
                    time.sleep(0.1)
                case 429 | 500 | 503:
                    if offered:
                        purchase.tell(f"{reply.status} with an offer")
                    if goes_away:
                        purchase.end = WENT_AWAY
                        return None
                    # A fresh signature works once; whether the lost answer used it up nobody can know.
                    headers.pop("sign-in-with-x", None)
                    time.sleep(1)
                case _:
                    purchase.tell(f"{reply.status} {reply.body[:200]!r}")
                    purchase.end = "broken"
                    return None
            purchase.resends += 1
        purchase.tell("no final answer")
        purchase.end = "broken"
        return None

    def _served(self, purchase: Purchase, reply: Reply) -> None:
        receipt = decode(reply.headers["payment-response"])
        if not receipt["success"] or reply.json()["city"] != purchase.city:
            purchase.tell(f"200 with {receipt} and {reply.body[:80]!r}")
        purchase.transaction, purchase.end = receipt["transaction"], SERVED

    def _offer(self, url: str, ends_by: float) -> dict[str, Any]:
        while time.monotonic() < ends_by:
            reply = self._shop.request(url, {}, self._source)
            if reply.status == 402:
                return decode(reply.headers["payment-required"])
            time.sleep(0.5)
        raise TimeoutError("no offer")

    def _sign(self, required: dict[str, Any]) -> dict[str, Any]:
        identifier = f"pay_{secrets.token_hex(16)}" if self._identifies else None
        return sign(self._account, required, identifier=identifier)
