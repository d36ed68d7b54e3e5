"""A whole stack in this process, in milliseconds: proxy, settle and reconcile as separate processes over the fakes."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.support.fakes.clock import Clock, Job, Pick, first
from tests.support.fakes.dynamo import FakeDynamo
from tests.support.fakes.effects import Crash, Effects, Plan
from tests.support.fakes.node import FakeNode
from tests.support.fakes.services import FakeLambda, FakeS3, FakeSigner, FakeUpstream
from tests.support.world import WEI, Diary, World
from tollgate.chain.evm import EvmChain
from tollgate.edge.answers import internal_error, render
from tollgate.errors import Refusal, TollgateError
from tollgate.facilitator.invoke import FunctionSettler
from tollgate.facilitator.settle import SettleService
from tollgate.gateway.messages import Answer, Request
from tollgate.gateway.serve import Gateway
from tollgate.ledger.dynamo import Item, Table, from_dynamo
from tollgate.ledger.payment_items import read_payment
from tollgate.ledger.settlement_items import Settlement, read_settlement
from tollgate.ledger.work import PARKED, WorkList
from tollgate.payment.networks import network_info
from tollgate.payment.record import Payment
from tollgate.payment.settlement import SettleRequest, outcome_to_json

START = 1_800_000_000
RELAYER_KEY = b"\x07" * 32
# What the stack's settle function is given, and a reconcile pass.
SETTLE_SECONDS = 6
RECONCILE_SECONDS = 60.0

# What API Gateway says when the function died, or did not answer in its 30 s; the client cannot tell more.
DIED = Answer(502, (("content-type", "application/json"),), b'{"message":"Internal Server Error"}')
TIMED_OUT = Answer(504, (("content-type", "application/json"),), b'{"message":"Endpoint request timed out"}')


class GatewayTimeout(Exception):
    """The front door's 30 s were over before the answer came."""


class FakeWorld(World):
    """A world of fakes under the same code as ``World``; see the package's docstring for how to use it."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.clock = Clock(START)  # type: ignore[assignment,method-assign]
        self.effects = Effects(plan or {}, lambda: self.clock.now - START)
        info = network_info("base-sepolia")
        asset = info.asset("USDC")
        self.node = FakeNode(self.clock, self.effects, info, str(asset.address))
        self.dynamo = FakeDynamo(self.effects)
        self.table = Table(self.dynamo, self.dynamo.create("payments"), self.clock.sleep, self._half)
        self.settlements = Table(self.dynamo, self.dynamo.create("settlements"), self.clock.sleep, self._half)
        self.s3_bucket = FakeS3(self.effects)
        self.bucket = "answers"
        self.upstream = self.fetches = FakeUpstream(self.effects, self.clock.sleep)
        self.upstream_url = "https://upstream.test"
        self.diary = Diary()
        self.signer = FakeSigner(RELAYER_KEY, self.effects)
        self.node.give_gas(str(self.signer.address()), WEI)
        self.sleep = self.clock.sleep
        self.jitter = self._half
        self._tokens = 0
        self.new_token = self._token
        # Every answer that left, with the request; what raised in a process, with the process's name.
        self.answers: list[tuple[Request, Answer]] = []
        self.failures: list[tuple[str, Exception]] = []
        # Invocations that were not over when their time was: (process, seconds over).
        self.late: list[tuple[str, float]] = []
        # Called with every answer as it leaves.
        self.on_answer: list[Callable[[Request, Answer], None]] = []
        self._read: list[Payment] = []
        self._read_at = -1
        # Warm instances: what a crash takes with it.
        self._gateways: list[Gateway] = []
        self._services: list[SettleService] = []
        self.evm = EvmChain(self.node, info)
        self.dynamo.observers.append(self._begins)
        self._assemble(info, asset)
        self.settles = FunctionSettler(self._lambda, "settle", SETTLE_SECONDS, self.diary)
        self.gateway = self.make_gateway()

    def _half(self) -> float:
        return 0.5

    def _token(self) -> str:
        self._tokens += 1
        return f"{self._tokens:032x}"

    def _make_s3(self) -> FakeS3:
        return self.s3_bucket

    def _lambda(self, read_timeout: float) -> FakeLambda:
        return FakeLambda(self.effects, self._settle, read_timeout)

    def cold(self) -> None:
        """All processes end; nothing is left in any memory."""
        self._gateways.clear()
        self._services.clear()

    def memories(self) -> list[object]:
        """How many warm gateways there are, and what each warm settle remembers of its relayer's nonces."""
        ledgers = [service._ledger for service in self._services]
        return [len(self._gateways), *((str(one._queues), str(one._above)) for one in ledgers)]  # type: ignore[attr-defined]

    def advance(self, seconds: float) -> None:
        """Pass time."""
        self.clock.advance_to(self.clock.now + seconds)

    def together(self, *works: Callable[[], Any], pick: Pick = first, stalls: bool = False) -> list[Job]:
        """Run several at once, taking turns at every sleep, or at every step too if ``pick`` is to choose."""
        if pick is not first:
            self.effects.gate = lambda process, kind, detail: self.clock.step(str(process), kind, detail)
        try:
            return self.clock.together([(f"job {n}", work) for n, work in enumerate(works)], pick, stalls=stalls)
        finally:
            self.effects.gate = None

    def _begins(self, _table: str, key: str, _old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        """Whoever moves a payment to a run is about to run it."""
        process = self.effects.current()
        if process and key.startswith("PAY#") and new and new["state"]["S"] in ("EXECUTING", "EXECUTING_PAID"):
            process.runs = key.removeprefix("PAY#")

    # Processes.

    def handle(self, request: Request, deadline: float) -> Answer:
        """One invocation of the proxy behind API Gateway, as functions/proxy does it."""
        left: list[Answer] = []

        def leave(answer: Answer) -> None:
            left.append(answer)
            self.answers.append((request, answer))
            for watcher in self.on_answer:
                watcher(request, answer)

        with self.effects.process("proxy") as process:
            gateway = self._gateways.pop() if self._gateways else self._cold_gateway()
            try:
                answer = self._answer(gateway, request, deadline)
                self._in_time(str(process), deadline)
                if "payment-signature" in request.headers:
                    self.effects.perform("answer", str(answer.status), lambda: leave(answer), _gateway_timeout)
                else:
                    # Nobody's payment is in it: losing it is asking again.
                    leave(answer)
            except Crash:
                return left[0] if left else DIED
            except GatewayTimeout:
                self._gateways.append(gateway)
                return TIMED_OUT
            self._gateways.append(gateway)
            return answer

    def _in_time(self, process: str, deadline: float) -> None:
        if self.clock.now > deadline:
            self.late.append((process, self.clock.now - deadline))

    def _answer(self, gateway: Gateway, request: Request, deadline: float) -> Answer:
        try:
            return render(gateway.handle(request, deadline))
        except Exception as error:
            self.failures.append(("proxy", error))
            return internal_error()

    def _cold_gateway(self) -> Gateway:
        self.evm = EvmChain(self.node, self.info)
        return self.make_gateway()

    def _settle(self, event: dict[str, Any], timeout: float) -> dict[str, Any] | None:
        """One invocation of settle, as functions/settle does it; ``None`` when it failed or died."""
        with self.effects.process("settle") as process:
            if self._services:
                service = self._services.pop()
            else:
                self.evm = EvmChain(self.node, self.info)
                service = self.make_service()
            try:
                deadline = self.clock.now + min(SETTLE_SECONDS, timeout)
                outcome = self._serve(service, event, deadline)
                self._in_time(str(process), deadline)
            except Crash:
                return None
            self._services.append(service)
            return outcome

    def _serve(self, service: SettleService, event: dict[str, Any], deadline: float) -> dict[str, Any] | None:
        try:
            return outcome_to_json(service.settle(SettleRequest.from_json(event["request"]), deadline))
        except Refusal as refused:
            return {"outcome": "refused", "reason": refused.reason.value}
        except Exception as error:
            self.failures.append(("settle", error))
            return None

    def reconcile(self, seconds: float = RECONCILE_SECONDS) -> int:
        """One invocation of reconcile; how many payments it visited, 0 when it failed or died."""
        with self.effects.process("reconcile"):
            try:
                return super().reconcile(seconds)
            except Crash:
                return 0
            except Exception as error:
                self.failures.append(("reconcile", error))
                return 0

    # Looking, which is no effect.

    def rows(self, prefix: str, table: str = "payments") -> list[Item]:
        """Every item whose key starts so."""
        return [from_dynamo(item) for key, item in self.dynamo.tables[table].items() if key.startswith(prefix)]

    def all_payments(self) -> list[Payment]:
        """Every payment in the ledger."""
        if self._read_at != self.dynamo.changes:
            self._read, self._read_at = [read_payment(item) for item in self.rows("PAY#")], self.dynamo.changes
        return self._read

    def all_settlements(self) -> list[Settlement]:
        """Every settlement in the ledger."""
        return [read_settlement(item) for item in self.rows("STL#", "settlements")]

    def next_due(self) -> int | None:
        """When the next payment is due (Unix seconds), if any is on the work list; other lists wait for people."""
        due = [int(item["due"]["N"]) for item in self._waiting() if item["work"]["S"] in WorkList.shards]
        return min(due) if due else None

    def parked(self) -> list[str]:
        """Keys of the payments that reconcile gave up looking at."""
        return [item["pk"]["S"] for item in self._waiting() if item["work"]["S"] == PARKED]

    def _waiting(self) -> list[dict[str, Any]]:
        items = self.dynamo.tables["payments"].items()
        return [item for key, item in items if key.startswith("PAY#") and "work" in item]

    def expected(self, error: Exception) -> bool:
        """Whether a failure is one of those that code may let pass: ours, or AWS's."""
        return isinstance(error, (TollgateError, BotoCoreError, ClientError))


def _gateway_timeout(_fault: str) -> Exception:
    return GatewayTimeout()
