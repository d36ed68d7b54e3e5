"""A shop on real Lambda runtimes that are killed: proxy, settle and reconcile, each a pool, on a schedule of its own.

The front turns a request into an API Gateway event; the proxies' and reconcile's Invoke is answered by a server that
forwards to the settles. DynamoDB, KMS, S3 and Secrets Manager are the local AWS's, the chain is anvil.
"""

import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from local.chain import Chain
from tests.bench import sizes
from tests.kills.environments import Died, Environments, Failed
from tests.kills.killer import Killer
from tests.support.functions import HOST, Functions
from tests.support.lambda_events import InvokeServer, Reply, http_event
from tests.support.upstream import CountingUpstream, Handler
from tollgate.ledger.dynamo import ConditionFailed, Item, Table, Update, from_dynamo
from tollgate.ledger.payment_items import payment_key
from tollgate.ledger.settlement_items import settlement_key
from tollgate.payment.identity import PaymentId
from tollgate.payment.settlement import SettleRequest
from tollgate.wire.parse import parse_payment

# Shorter lives than the template gives them, in the same order: settle < proxy. A lease ends 5 s after its invocation.
PROXY_SECONDS = 12
SETTLE_SECONDS = 8
RECONCILE_SECONDS = 20
PROXIES, SETTLES, RECONCILES = 16, 8, 3
SCHEDULE_SECONDS = 1.0
BIG_BYTES = 70_000
# Names the signed payment to the upstream, so that it can count its runs for each.
MARK = "x-signed"
LOST = Reply(500, {}, b'{"message":"Internal Server Error"}')


class Shop:
    """What buyers, the schedule and the audit see of it."""

    def __init__(self, functions: Functions, killer: Killer, runtime: Path, logs: Path) -> None:
        self.functions = functions
        self.chain: Chain = functions.chain
        self.upstream = CountingUpstream()
        self.upstream.behave(_serve)
        dynamo = functions.client("dynamodb")
        self._payments = Table(dynamo, functions.resource("PaymentsTable"))
        self._settlements = Table(dynamo, functions.resource("SettlementsTable"))
        self._invoke = InvokeServer(lambda _name, event: self.settles.invoke(event))
        told = {"AWS_ENDPOINT_URL_LAMBDA": self._invoke.url, "TOLLGATE_SETTLE_TIMEOUT": str(SETTLE_SECONDS)}

        def pool(name: str, states: Any, count: int, seconds: int) -> Environments:
            variables = {**functions.loaded[name].environment, **told}
            return Environments(
                name, variables, killer, states, count=count, seconds=seconds, runtime=runtime, logs=logs
            )

        self.proxies = pool("proxy", self._state_of_request, PROXIES, PROXY_SECONDS)
        self.settles = pool("settle", self._state_of_settlement, SETTLES, SETTLE_SECONDS)
        self.reconciles = pool("reconcile", lambda _: "a pass", RECONCILES, RECONCILE_SECONDS)
        self.passes = 0
        self._schedule_over = threading.Event()
        self._passing = ThreadPoolExecutor(RECONCILES)

    def start(self) -> None:
        """Everything up; the schedule runs."""
        self._invoke.start()
        for pool in (self.settles, self.proxies, self.reconciles):
            pool.start()
        threading.Thread(target=self._schedule, daemon=True).start()

    def stop(self) -> None:
        """Everything down."""
        self._schedule_over.set()
        self._passing.shutdown(wait=True, cancel_futures=True)
        for pool in (self.proxies, self.reconciles, self.settles):
            pool.stop()
        self._invoke.stop()
        self.upstream.stop()

    def request(self, url: str, headers: Mapping[str, str], source: str) -> Reply:
        """One request, as API Gateway hands it on; a function that died is its 500."""
        event = http_event("GET", url, headers, b"", source, route_key="$default", host=HOST)
        try:
            return Reply.of(self.proxies.invoke(event, mortal="payment-signature" in headers))
        except (Died, Failed):
            return LOST
        except queue.Empty:
            return Reply(503, {}, b'{"message":"Service Unavailable"}')

    def reconcile(self) -> None:
        """One pass, of the schedule or beside it."""
        with suppress(Died, Failed, queue.Empty):
            self.reconciles.invoke({})
            self.passes += 1

    @property
    def failures(self) -> list[str]:
        """What functions ended with that were not killed."""
        return [one for pool in (self.proxies, self.settles, self.reconciles) for one in pool.failures]

    def runs(self) -> Counter[str]:
        """How often the upstream ran for each signed payment, by nonce."""
        marks = ({name.lower(): value for name, value in headers.items()} for _, _, headers, _ in self.upstream.seen)
        return Counter(mark[MARK] for mark in marks)

    def rows(self, logical: str) -> list[Item]:
        """Every item of a table of the template."""
        pages = self.functions.client("dynamodb").get_paginator("scan")
        found = pages.paginate(TableName=self.functions.resource(logical), ConsistentRead=True)
        return [from_dynamo(item) for page in found for item in page["Items"]]

    def bring_forward(self, payment: Item) -> None:
        """Have the next pass look at a payment whose turn a back-off has put off: the work list is no truth."""
        with suppress(ConditionFailed):
            update = "SET due = :now"
            values = {":now": int(time.time()), ":state": payment["state"]}
            self._payments.write(Update(payment["pk"], update, "#state = :state", values, {"#state": "state"}))

    def _schedule(self) -> None:
        while not self._schedule_over.wait(SCHEDULE_SECONDS):
            with suppress(RuntimeError):  # the executor was shut down meanwhile
                self._passing.submit(self.reconcile)

    def _state_of_request(self, event: Any) -> str:
        id = PaymentId.of(parse_payment(event["headers"]["payment-signature"]))
        return _state(self._payments.get(payment_key(id)))

    def _state_of_settlement(self, event: Any) -> str:
        if event["op"] != "settle":
            return str(event["op"])
        return _state(self._settlements.get(settlement_key(SettleRequest.from_json(event["request"]).payment_id)))


@contextmanager
def killed_shop(aws_endpoint: str, chain: Chain, killer: Killer, scratch: Path, logs: Path) -> Iterator[Shop]:
    """A shop that sells ``/weather/{city}``, and ``/report/{city}`` settled first; it is known that there is gas."""
    runtime = scratch / "runtime"
    runtime.mkdir()
    with ExitStack() as closing:
        functions = closing.enter_context(Functions(aws_endpoint, chain))
        chain.give_gas(functions.relayer(), 10**21)
        shop = Shop(functions, killer, sizes.runtime_packages(runtime), logs)
        closing.callback(shop.stop)
        # Long enough for an authorization to outlive a whole run, whatever the chain's clock does in it.
        functions.sell("GET", "/weather/{city}", f"{shop.upstream.url}/weather/{{city}}", seconds=600)
        functions.sell("GET", "/report/{city}", f"{shop.upstream.url}/report/{{city}}", seconds=600, upfront=True)
        functions.invoke("reconcile", {})
        shop.start()
        yield shop


def _state(item: Item | None) -> str:
    return str(item["state"]) if item else "not known"


_moods = random.Random(402)


def _serve(handler: Handler) -> None:
    """What is sold: an answer in a moment; one in ten is big, one in ten is a 404."""
    time.sleep(0.3 * _moods.random())
    city = handler.path.rpartition("/")[2]
    if city.startswith("nowhere"):
        return handler.answer(404, b"no such city")
    more = "." * BIG_BYTES if city.startswith("big") else ""
    return handler.answer(200, json.dumps({"city": city, "more": more}).encode(), {"Content-Type": "application/json"})
