"""C1-C3: what a buyer's client makes of a 402. The server is a double that records what it is paid with."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.conformance.shop import GOODS, Problems, problems
from tests.support.buyer import decode, encode
from tests.support.upstream import CountingUpstream, Handler

NETWORK = "eip155:84532"
# What the clients under test may spend on one call, in atomic units, and where.
MOST = 1_000_000
PRICE = 10_000


class Rejected(Exception):
    """The client told its caller that it did not get what it asked for."""


@dataclass(frozen=True, slots=True)
class Got:
    """What a client handed to its caller as a success."""

    status: int
    body: bytes


# Pays with ``account`` on ``NETWORK`` only, at most ``MOST``; anything but a success is an exception.
Client = Callable[[LocalAccount, str], Got]


def offer(**changes: Any) -> dict[str, Any]:
    """One way to pay."""
    return {
        "scheme": "exact",
        "network": NETWORK,
        "amount": str(PRICE),
        "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        "payTo": "0x" + "5e" * 20,
        "maxTimeoutSeconds": 60,
        "extra": {"name": "USDC", "version": "2"},
    } | changes


@dataclass
class Door:
    """A priced URL. ``v1``: its body offers version 1 as well, as Tollgate's does."""

    accepts: list[dict[str, Any]]
    v1: bool = False
    takes: bool = True
    paid: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __enter__(self) -> str:
        self._server = CountingUpstream()
        self._server.behave(self._answer)
        return f"{self._server.url}/goods"

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def _answer(self, handler: Handler) -> None:
        sent = {name.lower(): value for name, value in handler.headers.items()}
        for name in ("payment-signature", "x-payment"):
            if name in sent:
                self.paid.append((name, decode(sent[name])))
        if self.paid and self.takes:
            receipt = {"success": True, "transaction": "0x" + "1" * 64, "network": NETWORK, "payer": ""}
            handler.answer(200, GOODS, {"PAYMENT-RESPONSE": encode(receipt)})
            return
        url = f"http://{sent['host']}/goods"
        required = {"x402Version": 2, "error": "Payment required", "resource": {"url": url}, "accepts": self.accepts}
        old = {"x402Version": 1, "error": "Payment required", "accepts": [_v1(one, url) for one in self.accepts]}
        body = json.dumps(old if self.v1 else required).encode()
        handler.answer(402, body, {"PAYMENT-REQUIRED": encode(required), "Content-Type": "application/json"})


def _v1(accepted: dict[str, Any], url: str) -> dict[str, Any]:
    names = {NETWORK: "base-sepolia", "eip155:8453": "base"}
    more = {"resource": url, "description": "", "mimeType": "", "maxAmountRequired": accepted["amount"]}
    return {**accepted, **more, "network": names[accepted["network"]]}


def _used(client: Client, door: Door) -> Got | None:
    """What it handed out, or nothing when it rejected."""
    with door as url:
        try:
            return client(Account.create(), url)
        except Exception:
            return None


def check_C1(client: Client) -> Problems:
    """A 402 is never handed out as a success: it is paid and 2xx comes, or the caller hears an error."""
    good = Door([offer()])
    got = _used(client, good)
    dear, never = Door([offer(amount=str(MOST + 1))]), Door([offer()], takes=False)
    return problems(
        it_saw_a_402_and_paid=len(good.paid) == 1,
        the_goods_come=got is not None and (got.status, got.body) == (200, GOODS),
        what_it_may_not_pay_is_an_error=_used(client, dear) is None and not dear.paid,
        what_is_not_taken_is_an_error=_used(client, never) is None,
        it_does_not_pay_again_and_again=len(never.paid) <= 2,
    )


def check_C2(client: Client) -> Problems:
    """Of several offers it pays one within its networks and its maximum, not the first; else it signs nothing."""
    elsewhere = {"network": "eip155:8453", "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"}
    elsewhere["extra"] = {"name": "USD Coin", "version": "2"}  # type: ignore[assignment]
    door = Door([offer(**elsewhere), offer(amount=str(5 * MOST)), offer()])
    got = _used(client, door)
    nothing_fits = Door([offer(**elsewhere), offer(amount=str(MOST + 1))])
    refused = _used(client, nothing_fits)
    accepted = [payment.get("accepted", {}) for _, payment in door.paid]
    return problems(
        the_goods_come=got is not None and got.status == 200,
        it_paid_the_one_that_fits=[(a.get("network"), a.get("amount")) for a in accepted] == [(NETWORK, str(PRICE))],
        what_was_signed_is_that=[p["payload"]["authorization"]["value"] for _, p in door.paid] == [str(PRICE)],
        nothing_is_signed_where_nothing_fits=refused is None and not nothing_fits.paid,
    )


def check_C3(client: Client) -> Problems:
    """With version 1 in the body it still pays by PAYMENT-SIGNATURE, version 2, and never falls back."""
    door, never = Door([offer()], v1=True), Door([offer()], v1=True, takes=False)
    got = _used(client, door)
    _used(client, never)
    said = [(name, payment["x402Version"]) for name, payment in door.paid + never.paid]
    return problems(
        the_goods_come=got is not None and got.status == 200,
        version_2_by_its_header=bool(said) and set(said) == {("payment-signature", 2)},
        with_what_it_accepted=all("accepted" in payment for _, payment in door.paid),
    )


CHECKS: dict[str, Callable[[Client], Problems]] = {"C1": check_C1, "C2": check_C2, "C3": check_C3}
