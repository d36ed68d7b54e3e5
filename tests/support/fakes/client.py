"""A buyer who follows the rules: resends the same payment while the outcome is unknown, signs again only when told."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from eth_account import Account

from tests.support.buyer import decode, encode, fresh_signature
from tests.support.fakes.services import local_signer, signature
from tests.support.fakes.world import FakeWorld
from tests.support.world import HERE
from tollgate.gateway.messages import Answer
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import network_info
from tollgate.schemes.exact import eip3009
from tollgate.wire.models import Authorization
from tollgate.wire.parse import parse_payment
from tollgate.wire.primitives import Address, Bytes32

BALANCE = 1_000_000
# Seconds between resends; after the last one the client gives up.
PAUSES = (2, 20, 60, 180, 600, 1800)
MOST_SIGNATURES = 2
MOST_SIGN_INS = 8


@dataclass(frozen=True, slots=True)
class Told:
    """One exchange: which payment was sent, what came back, when (Unix seconds)."""

    payment: PaymentId | None
    answer: Answer
    at: float

    @property
    def code(self) -> str:
        """The machine-readable code of our own answers; empty for API Gateway's and the upstream's."""
        try:
            body = json.loads(self.answer.body)
        except ValueError:
            return ""
        return str(body.get("code", "")) if isinstance(body, dict) else ""

    def answer_body(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.answer.body)

    @property
    def offer(self) -> dict[str, Any] | None:
        """The decoded PAYMENT-REQUIRED."""
        header = self.answer.header("payment-required")
        return None if header is None else decode(header)

    @property
    def receipt(self) -> dict[str, Any] | None:
        """The decoded PAYMENT-RESPONSE."""
        header = self.answer.header("payment-response")
        return None if header is None else decode(header)

    def __str__(self) -> str:
        paid = f" for {self.payment.digest[:8]}" if self.payment else ""
        return f"{self.answer.status} {self.code}{paid}{' +offer' if self.offer else ''}"


@dataclass(slots=True)
class Buyer:
    """A payer with tokens; ``identifier`` is sent with every payment unless it is empty."""

    world: FakeWorld
    seed: int = 1
    identifier: str = "pay_0123456789abcdef0123456789abcdef"
    source: str = HERE
    path: str = "/weather/paris"
    seconds: float = 12.0
    told: list[Told] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    body: bytes | None = None
    # The number of its first payment: several buyers with one wallet sign different ones.
    first_number: int = 0
    # Waits, between two sends: drivers let reconcile run meanwhile.
    wait: Callable[[float], None] | None = None

    # For one purchase: it signs again only when it is told that the last payment will not be used.
    most_signatures: int = MOST_SIGNATURES
    # What it held before it bought, atomic units.
    balance: int = 0

    def __post_init__(self) -> None:
        self.world.node.mint(str(self.address), BALANCE)
        self.balance = self.world.node.balance(str(self.address))

    @property
    def key(self) -> bytes:
        """The private key."""
        return self.seed.to_bytes(32, "big")

    @property
    def address(self) -> Address:
        """The payer."""
        return local_signer(self.key).address()

    def offer(self) -> dict[str, Any]:
        """Ask without paying."""
        told = self._send(None)
        if told.offer is None:
            raise AssertionError(f"no offer but {told}")
        return told.offer

    def sign(self, offer: dict[str, Any]) -> str:
        """Sign a new payment for an offer: the PAYMENT-SIGNATURE header."""
        header = _signed(
            self.key,
            json.dumps(offer),
            int(self.world.clock.now),
            self.first_number + len(self.signed),
            # A payment-identifier belongs to one payment.
            f"{self.identifier}{self.first_number + len(self.signed)}" if self.identifier else "",
        )
        self.signed.append(header)
        return header

    def send(self, header: str, sign_in: str | None = None) -> Told:
        """Send a payment once."""
        return self._send(header, sign_in)

    def _send(self, header: str | None, sign_in: str | None = None) -> Told:
        more = {} if sign_in is None else {"sign_in_with_x": sign_in}
        answer = self.world.request(self.path, payment=header, source=self.source, seconds=self.seconds, **more)
        told = Told(None if header is None else payment_id(header), answer, self.world.clock.now)
        self.told.append(told)
        return told

    def buy(self) -> Told:
        """One purchase, from the offer to an end: a body, a refusal that it accepts, or no patience left."""
        return self.pursue(self.sign(self.offer()))

    def pursue(self, header: str) -> Told:
        """Send a payment, and whatever it takes afterwards."""
        told = self._deliver(header)
        signed_in = 0
        pauses = iter(PAUSES)
        while self.body is None:
            if told.offer is not None:
                # Told that this one was not charged: only now may another be signed.
                if len(self.signed) >= self.most_signatures:
                    return told
                header = self.sign(told.offer)
                told = self._deliver(header)
            elif told.code == "payment_already_used" and signed_in < MOST_SIGN_INS:
                # Asked to show the wallet: a signature that pays nothing.
                signed_in += 1
                told = self._deliver(header, self.sign_in(json.loads(told.answer.body)["details"]["signIn"]))
            elif _unknown(told) and (pause := next(pauses, None)) is not None:
                (self.wait or self.world.advance)(pause)
                told = self._deliver(header)
            else:
                return told
        return told

    def _deliver(self, header: str, sign_in: str | None = None) -> Told:
        told = self.send(header, sign_in)
        if 200 <= told.answer.status < 300:
            self.body = told.answer.body
        return told

    def secrets(self) -> list[str]:
        """What no log may hold."""
        sent = [decode(header) for header in self.signed]
        found = [message["payload"]["signature"][2:] for message in sent]
        return [*found, *([self.identifier] if self.identifier else []), self.key.hex()]

    def sign_in(self, how: dict[str, Any]) -> str:
        """The fresh signature that a 409 asks for."""
        return _sign_in(self.key, json.dumps(how), int(self.world.clock.now), len(self.told))


@lru_cache(maxsize=4096)
def _signed(key: bytes, offer_text: str, now: int, number: int, identifier: str) -> str:
    """A signed payment; the same for the same arguments, so worlds that repeat a purchase share it."""
    offer = json.loads(offer_text)
    accepted = offer["accepts"][0]
    signer = local_signer(key)
    asset_address = Address.parse(accepted["asset"])
    authorization = Authorization(
        from_=signer.address(),
        to=Address.parse(accepted["payTo"]),
        value=int(accepted["amount"]),
        valid_after=0,
        valid_before=now + accepted["maxTimeoutSeconds"],
        nonce=Bytes32(number.to_bytes(32, "big")),
    )
    info = network_info(accepted["network"])
    digest = eip3009.digest(info.asset(asset_address.lower), info.network, authorization)
    extensions = offer.get("extensions", {})
    if identifier:
        extensions["payment-identifier"]["info"]["id"] = identifier
    return encode(
        {
            "x402Version": 2,
            "accepted": accepted,
            "payload": {
                "signature": "0x" + signature(key, digest).hex(),
                "authorization": {
                    "from": str(authorization.from_),
                    "to": accepted["payTo"],
                    "value": accepted["amount"],
                    "validAfter": "0",
                    "validBefore": str(authorization.valid_before),
                    "nonce": str(authorization.nonce),
                },
            },
            "resource": offer["resource"],
            "extensions": extensions,
        }
    )


@lru_cache(maxsize=4096)
def _sign_in(key: bytes, how: str, now: int, number: int) -> str:
    return fresh_signature(Account.from_key(key), json.loads(how), now=now, nonce=f"{number:016x}")


@lru_cache(maxsize=4096)
def payment_id(header: str) -> PaymentId:
    """The identity of a payment as it is sent."""
    return PaymentId.of(parse_payment(header))


def _unknown(told: Told) -> bool:
    """Whether the client cannot know: no answer of ours, a bug's 500, or our 503."""
    return told.answer.status in (500, 502, 503, 504) and told.code in (
        "",
        "internal_error",
        "chain_unavailable",
        "payment_in_progress",
        "paid_in_progress",
        "settlement_pending",
        "answer_unavailable",
        "no_payable_network",
    )
