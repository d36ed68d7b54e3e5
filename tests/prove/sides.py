"""One seller on Tollgate and one on the official Python SDK, on one chain: both can be paid, watched and killed."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import urllib3
from eth_account.signers.local import LocalAccount

from local.chain import Chain
from local.rpc_gate import RpcGate
from local.stack import LocalStack
from tests.e2e.http import Reply, get
from tests.support.buyer import decode, encode
from tests.support.official import Facilitator, Seller

# How long the official facilitator waits for a receipt; its default of 120 s would only make the test longer.
RECEIPT_WAIT_SECONDS = 3.0
PAY_TO = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
_KEY = "side-by-side"


class Side(Protocol):
    """A seller of cities at $0.01, whose settlements pass ``gate``."""

    name: str
    chain: Chain
    gate: RpcGate

    def get(self, city: str, payment: dict[str, Any] | None = None) -> Reply:
        """One request."""

    def runs(self, city: str) -> int:
        """How often the goods were made."""

    def sent(self) -> int:
        """How many transactions its relayer has mined."""

    def kill(self) -> None:
        """SIGKILL whatever is settling, and have it back as its operator would."""


class Tollgate:
    """The deployed stack."""

    name = "tollgate"

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self.chain, self.gate = stack.chain, stack.gate

    def get(self, city: str, payment: dict[str, Any] | None = None) -> Reply:
        """See ``Side``."""
        return get(self._stack, f"/weather/{city}", payment)

    def runs(self, city: str) -> int:
        """See ``Side``."""
        return int(self._stack.upstream.runs[f"/weather/{city}"])

    def sent(self) -> int:
        """See ``Side``."""
        return self.chain.transaction_count(self._stack.relayer)

    def kill(self) -> None:
        """See ``Side``: Lambda starts a function anew by itself."""
        assert self._stack.kill_runtimes(self._stack.deployed.settle_function) > 0


class Official:
    """FastAPI with the SDK's middleware, and a facilitator made of the SDK, each a process."""

    name = "official"

    def __init__(self, chain: Chain, logs: Path) -> None:
        self.chain = chain
        self._facilitator = Facilitator(chain, logs, f"Bearer {_KEY}", wait=RECEIPT_WAIT_SECONDS)
        self.gate = self._facilitator.gate
        self._seller = Seller(chain, logs, facilitator=self._facilitator.url, key=_KEY, pay_to=PAY_TO)

    def start(self) -> None:
        """Raises ``StartFailed``."""
        self._facilitator.start()
        self._seller.start()

    def stop(self) -> None:
        """End both."""
        self._seller.stop()
        self._facilitator.close()

    def get(self, city: str, payment: dict[str, Any] | None = None) -> Reply:
        """See ``Side``."""
        headers = {} if payment is None else {"PAYMENT-SIGNATURE": encode(payment)}
        answer = urllib3.request("GET", f"{self._seller.url}/report/{city}", headers=headers, retries=False, timeout=60)
        return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.data)

    def runs(self, city: str) -> int:
        """See ``Side``."""
        return self._seller.runs(city)

    def sent(self) -> int:
        """See ``Side``."""
        return self.chain.transaction_count(self._facilitator.address)

    def kill(self) -> None:
        """See ``Side``."""
        self._facilitator.kill()
        self._facilitator.start()


@dataclass
class Found:
    """What one story came to. ``answers`` in order; ``reasons`` are those of its 402s; money in atomic units."""

    answers: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    served: int = 0
    offers_after_payment: int = 0
    handler_runs: int = 0
    transactions_broadcast: int = 0
    transactions_mined: int = 0
    charged_atomic: int = 0


class Watch:
    """Counts what a side does for one city and one buyer."""

    def __init__(self, side: Side, city: str, buyer: LocalAccount) -> None:
        self._side, self._city, self._buyer = side, city, buyer
        self._runs, self._sent = side.runs(city), side.sent()
        self._balance = side.chain.balance(buyer.address)
        self._broadcasts = len(side.gate.broadcasts)
        self.found = Found()

    def answered(self, reply: Reply) -> Reply:
        """One more answer to a payment."""
        self.found.answers.append(reply.status)
        self.found.served += reply.status == 200
        if "payment-required" in reply.headers:
            self.found.reasons.append(str(decode(reply.headers["payment-required"]).get("error")))
            self.found.offers_after_payment += 1
        return reply

    def finish(self) -> Found:
        """The counts, once all is quiet."""
        side, found = self._side, self.found
        found.handler_runs = side.runs(self._city) - self._runs
        found.transactions_mined = side.sent() - self._sent
        found.transactions_broadcast = len(set(side.gate.broadcasts[self._broadcasts :]))
        found.charged_atomic = self._balance - side.chain.balance(self._buyer.address)
        return found


def until_final(ask: Callable[[], Reply], tries: int, pause: Callable[[], None]) -> Reply:
    """The same payment again while the answer is a 5xx: the last one."""
    reply = ask()
    while reply.status >= 500 and tries > 0:
        tries -= 1
        pause()
        reply = ask()
    return reply


def publish(target: Path, figures: Any) -> None:
    """Write them down as JSON."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=2) + "\n")
