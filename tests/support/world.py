"""The gateway, settle and reconcile in this process, on a real DynamoDB server, a real chain and a real upstream.

Only the front door and Lambda itself are missing; tests/e2e has those. The clock is the real one plus
``skew``, so that a test can pass time; ``advance`` moves the chain's clock along.
"""

import json
import random
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from eth_account.signers.local import LocalAccount

from local.chain import Chain
from tests.support.aws import client, create_table
from tests.support.buyer import TRANSFER, decode, encode, sign, transfer_arguments
from tests.support.upstream import CountingUpstream
from tollgate.chain.evm import EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.chain.signer import LocalSigner, Signer
from tollgate.edge.answers import render
from tollgate.errors import Refusal
from tollgate.facilitator.ports import Lane
from tollgate.facilitator.refund import RefundService
from tollgate.facilitator.relayers import Relayers
from tollgate.facilitator.settle import SettleService
from tollgate.gateway.call import Parts
from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.function_upstream import FunctionUpstream
from tollgate.gateway.messages import Answer, Request
from tollgate.gateway.ports import Settler
from tollgate.gateway.price_quotes import PriceFunctions, Quotes
from tollgate.gateway.serve import Gateway
from tollgate.gateway.settling import Settling
from tollgate.gateway.upstream import HttpUpstream
from tollgate.gateway.upstreams import HttpFetch, Upstreams
from tollgate.ledger.answers import S3Bodies
from tollgate.ledger.books import Books
from tollgate.ledger.discrepancies import Discrepancies
from tollgate.ledger.dynamo import Item, Table
from tollgate.ledger.executions import ExecutionsLedger
from tollgate.ledger.payers import Payers
from tollgate.ledger.payment_items import REVENUE_SHARDS
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.refund_marks import RefundMarks
from tollgate.ledger.refunds import RefundsLedger
from tollgate.ledger.resends import Resends
from tollgate.ledger.results import ResultsLedger
from tollgate.ledger.settlements import SettlementsLedger
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.ledger.work import WorkList
from tollgate.payment.events import Event
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import Asset, NetworkInfo
from tollgate.payment.record import Payment
from tollgate.payment.refund import RefundAnswer
from tollgate.payment.routes import NetworkStatus, Route, Snapshot, UpstreamTarget
from tollgate.payment.settlement import SettleOutcome, SettleRequest
from tollgate.reconcile.receipts import ReceiptCheck
from tollgate.reconcile.receivers import Receivers
from tollgate.reconcile.refunds import RefundVisits
from tollgate.reconcile.scan import Scan
from tollgate.reconcile.sweep import Sweep
from tollgate.reconcile.unexplained import Unexplained
from tollgate.reconcile.upfront import UpfrontVisits
from tollgate.reconcile.visits import Visits
from tollgate.wire.models import Requirements
from tollgate.wire.parse import parse_payment
from tollgate.wire.primitives import Address, Network
from tollgate.wire.reasons import Reason

BASE_URL = "https://api.example"
PAY_TO = Address.parse("0x" + "5e" * 20)
PRICE = 10_000
HERE = "192.0.2.1"
ELSEWHERE = "198.51.100.7"
WEI = 10**18


class Diary:
    """A journal that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[Event, dict[str, Any]]] = []

    def record(self, event: Event, **fields: str | int | float | bool | None) -> None:
        """Remember."""
        self.events.append((event, dict(fields)))

    def count(self, event: Event) -> int:
        """How often it happened."""
        return sum(1 for e, _ in self.events if e is event)


class DirectSettler:
    """Settle in this process; ``outages`` many answers are lost on their way back, ``down`` asks nothing."""

    def __init__(self, service: SettleService, world: "World") -> None:
        self._service = service
        self._world = world
        self.lose_answers = 0
        self.down = False
        self.calls = 0

    def settle(self, request: SettleRequest, timeout: float) -> SettleOutcome:
        """As FunctionSettler does: a lost answer is ``Pending``."""
        from tollgate.payment.settlement import Pending  # noqa: PLC0415

        self.calls += 1
        if self.down:
            return Pending()
        outcome = self._service.settle(request, self._world.clock() + min(timeout, 20))
        if self.lose_answers:
            self.lose_answers -= 1
            return Pending()
        return outcome


class DirectRefunder:
    """Settle's refunds in this process, from the relayer's account; ``lose_answers`` of them on their way back."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.lose_answers = 0
        self.calls: list[str] = []

    def refund_ready(self, payment: PaymentId, timeout: float) -> RefundAnswer | Reason | None:
        """As FunctionSettler does."""
        return self._ask("ready", payment, timeout)

    def refund(self, payment: PaymentId, timeout: float) -> RefundAnswer | Reason | None:
        """As FunctionSettler does."""
        return self._ask("refund", payment, timeout)

    def _ask(self, op: str, payment: PaymentId, timeout: float) -> RefundAnswer | Reason | None:
        self.calls.append(op)
        world = self._world
        try:
            answer: RefundAnswer = getattr(world.make_refunds(), op)(payment, world.clock() + min(timeout, 20))
        except Refusal as refused:
            return refused.reason
        if self.lose_answers:
            self.lose_answers -= 1
            return None
        return answer


class Chains:
    """The one network of this world."""

    def __init__(self, network: Network, chain: EvmChain) -> None:
        self._chains = {network: chain}

    def get(self, network: Network) -> EvmChain | None:
        """Its chain."""
        return self._chains.get(network)


class World:
    """Everything that one test needs; made fresh for each, on servers that all share."""

    def __init__(self, aws_endpoint: str, chain: Chain, *, rpc_url: str | None = None) -> None:
        self.chain = chain
        # Tests share the chain, and some of them move its clock ahead.
        self.skew = max(0.0, chain.now() - time.time())
        self.aws_endpoint = aws_endpoint
        dynamo = client("dynamodb", aws_endpoint)
        self.table = Table(dynamo, create_table(dynamo, work_index=True))
        self.settlements = Table(dynamo, create_table(dynamo))
        self.upstream = CountingUpstream()
        self.upstream_url = self.upstream.url
        self.fetches: HttpFetch = HttpUpstream(allow_private=True, clock=time.monotonic, secrets=lambda name: name)
        self.diary = Diary()
        self.signer: Signer = LocalSigner(secrets.token_bytes(32))
        chain.give_gas(str(self.signer.address()), WEI)
        self.evm = EvmChain(RpcClient([rpc_url or chain.url]), chain.info)
        self.bucket = f"answers-{secrets.token_hex(6)}"
        self.s3_clients = 0
        self.sleep: Callable[[float], None] = time.sleep
        self.jitter: Callable[[], float] = random.random
        self.new_token: Callable[[], str] = lambda: secrets.token_hex(16)
        self._assemble(chain.info, chain.asset)

    def _assemble(self, info: NetworkInfo, asset: Asset) -> None:
        """What is ours, over the outside as ``__init__`` has set it."""
        self.info = info
        self.asset = asset
        self.network = info.network
        self.payments = PaymentsLedger(self.table, S3Bodies(self._make_s3, self.bucket))
        self.books = Books(self.table)
        self.discrepancies = Discrepancies(self.table)
        chains = Chains(self.network, self.evm)
        self.receivers = Receivers(self.discrepancies, self.snapshot, chains, self.clock)
        self.requirements = Requirements(
            "exact",
            self.network,
            PRICE,
            asset.address,
            PAY_TO,
            60,
            {"name": asset.name, "version": asset.version},
        )
        self.routes: list[Route] = [
            self.route("weather", "GET", "/weather/{city}"),
            self.route("forecast", "GET", "/forecast/{city}"),
            self.route("ask", "POST", "/ask"),
        ]
        self.has_gas = True
        self.relayers: tuple[Address, ...] = (self.signer.address(),)
        self.settler = DirectSettler(self.make_service(), self)
        self.settles: Settler = self.settler
        self.refunds_begin = False
        self.refunder = DirectRefunder(self)
        self.by_address = True
        self.most_open = 50
        self.gateway = self.make_gateway()

    def s3(self) -> Any:
        """A client of the local S3."""
        return client("s3", self.aws_endpoint)

    def _make_s3(self) -> Any:
        self.s3_clients += 1
        self.s3().create_bucket(Bucket=self.bucket)
        return self.s3()

    def make_functions(self) -> FunctionUpstream:
        """Nothing here asks for a Lambda function unless a test puts some there."""
        raise AssertionError("a Lambda function was asked for")

    def price_functions(self) -> PriceFunctions:
        """Nor for a price."""
        raise AssertionError("a price function was asked for")

    def quote_key(self) -> bytes:
        """What computed prices are sealed with."""
        return b"a key of this world's"

    def clock(self) -> float:
        """Unix seconds in this world."""
        return time.time() + self.skew

    def advance(self, seconds: int) -> None:
        """Pass time, here and on the chain."""
        self.skew += seconds
        self.chain.advance(seconds)

    def make_service(self) -> SettleService:
        """A settle with an empty memory, as after a cold start."""
        return SettleService(
            {self.network: Lane(self.info, self.asset, self.evm)},
            Relayers([self.signer]),
            SettlementsLedger(self.settlements),
            self.diary,
            fee_cap=1_000 * 10**9,
            most_open=100,
            clock=self.clock,
            sleep=self.sleep,
            jitter=self.jitter,
            new_owner=self.new_token,
        )

    def make_refunds(self) -> RefundService:
        """Settle's refunds with an empty memory; the treasury is the relayer's account."""
        # Mining a testnet's half hour of blocks takes its time here, too.
        info = replace(self.info, final_blocks=20)
        settlements = SettlementsLedger(self.settlements)
        return RefundService(
            {self.network: Lane(info, self.asset, self.evm)},
            Chains(self.network, self.evm),
            self.make_service(),
            settlements,
            RefundsLedger(self.settlements),
            self.signer,
            self.diary,
            begins=self.refunds_begin,
            pay_to=[PAY_TO],
            clock=self.clock,
        )

    def settle_through(self, settler: Settler) -> None:
        """Another settler than settle in this process."""
        self.settles = settler
        self.gateway = self.make_gateway()

    def make_gateway(self) -> Gateway:
        """A gateway with an empty memory."""
        parts = Parts(
            payments=self.payments,
            upfront=UpfrontLedger(self.table),
            results=ResultsLedger(self.table),
            executions=ExecutionsLedger(self.table),
            payers=Payers(self.table),
            books=self.books,
            resends=Resends(self.table),
            chains=Chains(self.network, self.evm),
            settler=self.settles,
            upstream=Upstreams(self.fetches, self.make_functions),
            quotes=Quotes(self.price_functions, self.quote_key, self.clock, self.diary),
            clock=self.clock,
            sleep=self.sleep,
            new_token=self.new_token,
            journal=self.diary,
            base_url=BASE_URL,
            domain=urlsplit(BASE_URL).netloc,
            by_address=self.by_address,
            most_open=self.most_open,
        )
        return Gateway.of(parts, self)

    def current(self) -> Catalogue:
        """The routes as they stand: this world is its own catalogue source."""
        return Catalogue(self.snapshot())

    def snapshot(self) -> Snapshot:
        """What a routes table would hold."""
        status = NetworkStatus(self.network, self.relayers, self.has_gas, int(self.clock()))
        return Snapshot(tuple(self.routes), (status,), 1)

    def fresh(self) -> Catalogue:
        """The same: nothing is cached here."""
        return self.current()

    def route(self, id: str, method: str, pattern: str, **changes: Any) -> Route:
        """A priced route in front of the upstream."""
        fields: dict[str, Any] = {
            "accepts": (self.requirements,),
            "previous": (),
            "upstream": UpstreamTarget(self.upstream_url + pattern, 5.0),
            **changes,
        }
        return Route(id=id, method=method, pattern=pattern, **fields)

    def buyer(self) -> LocalAccount:
        """A payer with 100 USDC."""
        return self.chain.funded_account()

    def sign(self, account: LocalAccount, required: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """A signed payment, by this world's clock."""
        return sign(account, required, now=self.clock(), **kwargs)

    def request(
        self,
        path: str = "/weather/paris",
        *,
        payment: dict[str, Any] | str | None = None,
        method: str = "GET",
        query: str = "",
        body: bytes = b"",
        source: str = HERE,
        seconds: float = 12.0,
        **headers: str,
    ) -> Answer:
        """One request through the gateway; ``seconds`` is what is left of the invocation."""
        sent = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        if payment is not None:
            sent["payment-signature"] = payment if isinstance(payment, str) else encode(payment)
        request = Request(method, path, query, sent, body, source)
        return self.handle(request, self.clock() + seconds)

    def handle(self, request: Request, deadline: float) -> Answer:
        """What the gateway answers; ``deadline`` is when the invocation ends (Unix seconds)."""
        return render(self.gateway.handle(request, deadline))

    def offer(self, path: str = "/weather/paris", **kwargs: Any) -> dict[str, Any]:
        """The decoded PAYMENT-REQUIRED of a route."""
        header = self.request(path, **kwargs).header("payment-required")
        assert header is not None
        return decode(header)

    def payment(self, payment: dict[str, Any]) -> Payment | None:
        """How the ledger holds a payment."""
        return self.payments.get(self.id_of(payment))

    def id_of(self, payment: dict[str, Any]) -> PaymentId:
        """The identity of a payment."""
        return PaymentId.of(parse_payment(encode(payment)))

    def row(self, prefix: str, payment: dict[str, Any]) -> Item | None:
        """A row that belongs to a payment, such as its receipt (``RCT``)."""
        return self.table.get(f"{prefix}#{self.id_of(payment).digest}")

    def revenue(self) -> tuple[int, int]:
        """Atomic units and payments, over all shards."""
        base = f"REV#{self.network}#{self.asset.address.lower}#{PAY_TO.lower}"
        rows = self.table.get_many([f"{base}#{shard}" for shard in range(REVENUE_SHARDS)]).values()
        return sum(r["amount"] for r in rows), sum(r["payments"] for r in rows)

    def reconcile(self, seconds: float = 60.0) -> int:
        """One pass."""
        settling = Settling(self.payments, self.books, self.settles, self.clock, self.sleep, self.diary)
        visits = Visits(
            payments=self.payments,
            books=self.books,
            settling=settling,
            upfront=UpfrontVisits(self.payments, UpfrontLedger(self.table), self.clock, self.diary),
            refunds=RefundVisits(
                self.payments, RefundMarks(self.table), self.refunder, self.refunds_begin, self.clock, self.diary
            ),
            receipts=ReceiptCheck(self.discrepancies, self.receivers, self.clock, self.diary),
            chains=Chains(self.network, self.evm),
            clock=self.clock,
            new_token=self.new_token,
            journal=self.diary,
        )
        sweep = Sweep(WorkList(self.table, self.new_token), visits, self.clock, self.diary)
        return sweep.run(self.clock() + seconds)

    def compare(self, seconds: float = 60.0) -> None:
        """The other half of a pass: the chain's transfers against the books."""
        chains = Chains(self.network, self.evm)
        unexplained = Unexplained(self.discrepancies, chains, self.clock, self.diary)
        scan = Scan(self.discrepancies, self.receivers, unexplained, chains, self.clock, self.diary)
        scan.run(self.clock() + seconds)

    def submit(self, payment: dict[str, Any]) -> str:
        """Somebody else puts the payment on chain; returns the transaction's hash."""
        return self.chain.send(TRANSFER, *transfer_arguments(payment))

    def sent(self) -> int:
        """How many transactions the relayer has mined."""
        return self.chain.transaction_count(str(self.signer.address()))

    def close(self) -> None:
        """Stop the upstream."""
        self.upstream.stop()


@contextmanager
def a_world(aws_endpoint: str, chain: Chain, **kwargs: Any) -> Iterator[World]:
    """A world that is closed at the end."""
    world = World(aws_endpoint, chain, **kwargs)
    try:
        yield world
    finally:
        world.close()


def body_of(answer: Answer) -> dict[str, Any]:
    """The JSON body of an answer."""
    body: dict[str, Any] = json.loads(answer.body)
    return body


def receipt_of(answer: Answer) -> dict[str, Any]:
    """The decoded PAYMENT-RESPONSE of an answer."""
    header = answer.header("payment-response")
    assert header is not None
    return decode(header)
