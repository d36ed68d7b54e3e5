"""The 402 and the paid call, of Tollgate and of the official SDK, in this process and as they are deployed."""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.chain import Chain
from local.progress import step
from tests.bench import sizes
from tests.bench.calls import PAID, UNPAID, Found, Waits, one_at_a_time, together
from tests.bench.lanes import Lanes
from tests.bench.official_app import PATH, official_app
from tests.bench.proc import started_with
from tests.bench.shop import SMALL, a_shop
from tests.bench.sides import AsgiApp, Handler, Runtimes, Served
from tests.support.buyer import decode, encode, sign
from tests.support.functions import HERE, HOST, PAY_TO, Functions
from tests.support.lambda_events import Reply, http_event
from tests.support.official import Official

TOLLGATE, OFFICIAL = "tollgate", "official"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    rounds: int
    per_round: int
    callers: int
    cold_starts: int


@dataclass
class Deployed:
    """Seconds of first calls; calls one at a time; calls per second with ``callers`` at once; the largest runtimes."""

    callers: int
    cold: dict[str, list[float]]
    alone: dict[str, dict[str, Found]]
    together: dict[str, dict[str, list[float]]]
    peak_mb: dict[str, float]


def in_process(aws_endpoint: str, chain: Chain, scale: Scale) -> dict[str, dict[str, Found]]:
    """Handlers called directly; what is waited for (the local AWS, the chain) is told apart."""
    with a_shop(aws_endpoint, chain) as functions:
        app = AsgiApp(official_app(chain, PAY_TO), PATH)
        servers = {"local AWS": aws_endpoint, "chain": chain.url}
        waits = Waits({url.removeprefix("http://"): name for name, url in servers.items()})
        sides = {TOLLGATE: Handler(_event, lambda event: _answer(functions, event)), OFFICIAL: app}
        try:
            one_at_a_time(sides, chain.funded_account(), 1, 3)
            with waits.measuring():
                return one_at_a_time(sides, chain.funded_account(), scale.rounds, scale.per_round, waits)
        finally:
            app.close()


def deployed(aws_endpoint: str, chain: Chain, scale: Scale) -> Deployed:
    """Lambda runtimes against the official server on uvicorn with a facilitator of its own beside it."""
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as closing:
        logs, runtime = Path(scratch) / "logs", Path(scratch) / "runtime"
        runtime.mkdir()
        functions = closing.enter_context(a_shop(aws_endpoint, chain))
        environments = {name: functions.loaded[name].environment for name in ("proxy", "settle")}
        lanes = Lanes(environments, sizes.runtime_packages(runtime), logs)
        closing.callback(lanes.stop)
        with step(f"cold starts of {scale.cold_starts} runtimes"):
            cold = _cold_starts(lanes, chain, scale.cold_starts)
        with step(f"{scale.callers} warm runtimes, and the official server"):
            lanes.add(scale.callers)
            sides = {TOLLGATE: Runtimes(_event, lanes), OFFICIAL: closing.enter_context(_official_seller(chain, logs))}
            payer = chain.funded_account()
            # Every lane has to be warm, settle and its next nonce too.
            together(sides, payer, 2, 3 * scale.callers, scale.callers)
        with step("calls, one at a time"):
            alone = one_at_a_time(sides, payer, scale.rounds, scale.per_round)
        with step(f"calls, {scale.callers} at a time"):
            crowd = together(sides, payer, scale.rounds, scale.per_round * scale.callers, scale.callers)
        return Deployed(scale.callers, cold, alone, crowd, lanes.peak_mb())


def _cold_starts(lanes: Lanes, chain: Chain, count: int) -> dict[str, list[float]]:
    """Seconds of first calls: interpreter, imports, clients, and the call itself."""
    found: dict[str, list[float]] = {f"{UNPAID}, proxy cold": [], f"{PAID}, settle cold": [], f"{PAID}, both cold": []}
    payer = chain.funded_account()
    unpaid = json.dumps(_event({})).encode()
    for _ in range(count):
        lane = lanes.make()
        try:
            seconds, reply = _call(lane.proxy.invoke, unpaid)
            found[f"{UNPAID}, proxy cold"].append(seconds)
            required = decode(reply.headers["payment-required"])
            seconds, _reply = _call(lane.proxy.invoke, _paying(encode(sign(payer, required))), 200)
            found[f"{PAID}, settle cold"].append(seconds)
        finally:
            lane.stop()
        lane = lanes.make()
        try:
            seconds, _reply = _call(lane.proxy.invoke, _paying(encode(sign(payer, required))), 200)
            found[f"{PAID}, both cold"].append(seconds)
        finally:
            lane.stop()
    return found


@contextlib.contextmanager
def _official_seller(chain: Chain, logs: Path) -> Iterator[Served]:
    """Facilitator and seller are two processes, as the SDK's examples have them."""
    from eth_account import Account  # noqa: PLC0415 - only here is a key needed

    account = Account.create()
    chain.give_gas(account.address)
    network, key = str(chain.info.network), "0x" + account.key.hex().removeprefix("0x")
    facilitator = Official(
        "official_facilitator",
        {"rpc": chain.url, "network": network, "key": key, "authorization": "Bearer bench", "wait": 15},
        logs,
    )
    facilitator.start()
    try:
        settings = {"facilitator": facilitator.url, "key": "bench", "network": network, "pay_to": PAY_TO}
        seller = Official("official_seller", {**settings, "framework": "fastapi"}, logs)
        seller.start()
        try:
            yield Served(seller.url + PATH, [*_pids(facilitator), *_pids(seller)])
        finally:
            seller.stop()
    finally:
        facilitator.stop()


def _pids(official: Official) -> list[int]:
    """Its processes: the port stands in their settings."""
    return started_with(f'"port": {official.url.rpartition(":")[2]}}}')


def _event(headers: Mapping[str, str]) -> dict[str, Any]:
    return http_event("GET", SMALL, headers, b"", HERE, route_key="$default", host=HOST)


def _paying(payment: str) -> bytes:
    return json.dumps(_event({"payment-signature": payment})).encode()


def _answer(functions: Functions, event: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = functions.invoke("proxy", event)
    return answer


def _call(invoke: Any, event: bytes, status: int = 402) -> tuple[float, Reply]:
    started = time.perf_counter()
    answer = invoke(event)
    seconds = time.perf_counter() - started
    reply = Reply.of(json.loads(answer))
    if reply.status != status:
        raise RuntimeError(f"{reply.status} instead of {status}: {reply.body[:500]!r}")
    return seconds, reply
