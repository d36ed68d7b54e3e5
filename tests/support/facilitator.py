"""A remote facilitator on loopback: honest on a real chain, until a test tells it to lie, break or fall silent."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from local.chain import Chain, calldata
from tests.support.buyer import TRANSFER, transfer_arguments
from tests.support.upstream import CountingUpstream, Handler
from tollgate.chain.evm import EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.facilitator.remote import RemoteSettler
from tollgate.facilitator.remote_http import RemoteHttp
from tollgate.facilitator.remote_one import RemoteFacilitator
from tollgate.gateway.ports import Chains, Clock, Sleep
from tollgate.payment.events import Journal
from tollgate.wire.primitives import Address, Network

_FEE = 100 * 10**9

# What it does with a POST /settle: the message, and the connection to answer on.
OnSettle = Callable[[dict[str, Any], Handler], None]


class TimeThatIsSlept:
    """A clock that a sleep moves ahead at once, so that waiting costs a test nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slept = 0.0

    def clock(self) -> float:
        """Seconds that only ever grow."""
        return self._clock() + self._slept

    def sleep(self, seconds: float) -> None:
        """Be there already."""
        self._slept += seconds


class OneChain:
    """The one network of a test."""

    def __init__(self, chain: Chain) -> None:
        self._network = chain.info.network
        self._evm = EvmChain(RpcClient([chain.url]), chain.info)

    def get(self, network: Network) -> EvmChain | None:
        """Its chain."""
        return self._evm if network == self._network else None


class Facilitator:
    """Runs until ``stop``; ``on_settle`` and ``on_supported`` may be replaced at any time."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.account: LocalAccount = Account.create()
        chain.give_gas(self.account.address)
        self.on_settle: OnSettle = self.honest
        self.on_supported: Callable[[Handler], None] = self.says_what_it_supports
        self.sent: list[str] = []
        self._server = CountingUpstream()
        self._server.behave(self._serve)

    @property
    def url(self) -> str:
        """Base URL without a trailing slash."""
        return self._server.url

    @property
    def address(self) -> Address:
        """Who sends its transactions."""
        return Address.parse(self.account.address)

    @property
    def headers(self) -> list[dict[str, str]]:
        """The headers of every request, by lower-case name."""
        return [{name.lower(): value for name, value in headers.items()} for _, _, headers, _ in self._server.seen]

    @property
    def posts(self) -> list[dict[str, Any]]:
        """Every message that came to /settle."""
        return [
            json.loads(body) for method, path, _, body in self._server.seen if (method, path) == ("POST", "/settle")
        ]

    @property
    def asked(self) -> int:
        """How often /supported was read."""
        return sum(1 for _, path, _, _ in self._server.seen if path == "/supported")

    def settler(
        self,
        chains: Chains,
        journal: Journal,
        clock: Clock,
        sleep: Sleep,
        *,
        secret: str = "",
    ) -> RemoteSettler:
        """A fresh process that settles here."""
        return settler_of([self], chains, journal, clock, sleep, secret=secret)

    def seen_from(self, journal: Journal, clock: Clock, secret: str, *, alone: bool) -> RemoteFacilitator:
        """It, as another stack sees it; ``secret`` is the value of that stack's secret with headers."""
        line = RemoteHttp(
            self.url,
            "headers" if secret else "",
            secrets=lambda _: secret,
            allow_private=True,
            clock=clock,
            alone=alone,
        )
        return RemoteFacilitator(self.url.removeprefix("http://"), line, journal, clock)

    def pay(self, message: dict[str, Any]) -> str:
        """Put the authorization on chain from its own account; returns the transaction's hash."""
        data = calldata(TRANSFER, *transfer_arguments(message["paymentPayload"]))
        transaction: Any = {
            "to": message["paymentRequirements"]["asset"],
            "data": data,
            "value": 0,
            "gas": 200_000,
            "maxFeePerGas": _FEE,
            "maxPriorityFeePerGas": 10**9,
            "nonce": int(self.chain.rpc("eth_getTransactionCount", self.account.address, "pending"), 16),
            "chainId": self.chain.info.network.chain_id,
        }
        raw = self.account.sign_transaction(transaction).raw_transaction
        sent: str = self.chain.rpc("eth_sendRawTransaction", "0x" + raw.hex().removeprefix("0x"))
        self.sent.append(sent)
        return sent

    def used(self, message: dict[str, Any]) -> bool:
        """Whether the authorization can be used no more."""
        a = message["paymentPayload"]["payload"]["authorization"]
        return self.chain.nonce_used(a["from"], bytes.fromhex(a["nonce"][2:]))

    def success(self, message: dict[str, Any], transaction: str) -> dict[str, Any]:
        """The answer that names a transaction."""
        return {
            "success": True,
            "transaction": transaction,
            "network": message["paymentRequirements"]["network"],
            "payer": message["paymentPayload"]["payload"]["authorization"]["from"],
        }

    def honest(self, message: dict[str, Any], handler: Handler) -> None:
        """Pay if it can be paid, and say what happened as PyPI ``x402`` says it."""
        a = message["paymentPayload"]["payload"]["authorization"]
        refused = {"success": False, "transaction": "", "network": message["paymentRequirements"]["network"]}
        head = self.chain.rpc("eth_getBlockByNumber", "latest", False)
        if self.used(message):
            reply(handler, {**refused, "errorReason": "invalid_exact_evm_nonce_already_used"})
        elif int(head["timestamp"], 16) >= int(a["validBefore"]):
            reply(handler, {**refused, "errorReason": "invalid_exact_evm_payload_authorization_valid_before"})
        elif self.chain.balance(a["from"]) < int(a["value"]):
            reply(handler, {**refused, "errorReason": "insufficient_funds"})
        else:
            reply(handler, self.success(message, self.pay(message)))

    def says_what_it_supports(self, handler: Handler) -> None:
        """The usual answer of GET /supported."""
        kind = {"x402Version": 2, "scheme": "exact", "network": str(self.chain.info.network)}
        reply(handler, {"kinds": [kind], "extensions": [], "signers": {"eip155:*": [self.account.address]}})

    def stop(self) -> None:
        """Stop serving."""
        self._server.stop()

    def _serve(self, handler: Handler) -> None:
        if handler.path == "/supported":
            self.on_supported(handler)
        else:
            self.on_settle(self.posts[-1], handler)


def settler_of(
    facilitators: Sequence[Facilitator],
    chains: Chains,
    journal: Journal,
    clock: Clock,
    sleep: Sleep,
    *,
    secret: str = "",
) -> RemoteSettler:
    """A fresh process that settles through these, the first one first."""
    alone = len(facilitators) == 1
    seen = [one.seen_from(journal, clock, secret, alone=alone) for one in facilitators]
    network = facilitators[0].chain.info.network
    return RemoteSettler(seen, chains, [network], journal, clock=clock, sleep=sleep)


def reply(handler: Handler, answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
    """Answer with JSON."""
    handler.answer(status, json.dumps(answer).encode(), {"Content-Type": "application/json", **(headers or {})})


def hang_up(handler: Handler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True
    handler.connection.close()
