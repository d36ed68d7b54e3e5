"""Unpaid and paid calls, all sides in turn: what each takes at one caller, and how many go through with several."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import urllib3
from eth_account.signers.local import LocalAccount

from tests.bench.sides import Side, offer_of
from tests.support.buyer import decode, encode, sign

UNPAID, PAID = "unpaid", "paid"
# An unpaid call takes a small part of a paid one's time.
_UNPAID_EACH = 10
_STATUS = {UNPAID: 402, PAID: 200}
_Urlopen = Callable[..., object]


@dataclass
class Waits:
    """Seconds spent waiting for servers, by the names that ``servers`` gives to their host and port."""

    servers: Mapping[str, str]
    seconds: dict[str, float] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget."""
        self.seconds = dict.fromkeys(self.servers.values(), 0.0)

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """While this runs, every request of urllib3 (and so of botocore and requests) is timed."""
        pool = urllib3.connectionpool.HTTPConnectionPool
        urlopen: _Urlopen = pool.urlopen
        self.reset()

        def timed(connections: urllib3.HTTPConnectionPool, *arguments: object, **named: object) -> object:
            name = self.servers.get(f"{connections.host}:{connections.port}")
            started = time.perf_counter()
            try:
                return urlopen(connections, *arguments, **named)
            finally:
                if name is not None:
                    self.seconds[name] += time.perf_counter() - started

        pool.urlopen = timed  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            pool.urlopen = urlopen  # type: ignore[method-assign,assignment]


@dataclass
class Found:
    """Of one kind of call on one side: seconds per call, processor seconds per call in each round, and the seconds
    of each call that were spent waiting for a server."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    waits: list[dict[str, float]] = field(default_factory=list)


def one_at_a_time(
    sides: Mapping[str, Side], payer: LocalAccount, rounds: int, per_round: int, waits: Waits | None = None
) -> dict[str, dict[str, Found]]:
    """Side -> kind -> what was found; in each round every side has its turn, unpaid calls first."""
    found = {name: {kind: Found() for kind in _STATUS} for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            for kind, payments in _work(side, payer, per_round).items():
                _take_turn(side, kind, payments, found[name][kind], waits)
    return found


def _take_turn(side: Side, kind: str, payments: list[str | None], found: Found, waits: Waits | None) -> None:
    before = side.cpu_seconds()
    for payment in payments:
        if waits:
            waits.reset()
        found.seconds.append(_timed(side, kind, payment))
        if waits:
            found.waits.append(dict(waits.seconds))
    found.cpu.append((side.cpu_seconds() - before) / len(payments))


def together(
    sides: Mapping[str, Side], payer: LocalAccount, rounds: int, per_round: int, callers: int
) -> dict[str, dict[str, list[float]]]:
    """Side -> kind -> calls per second in each round, with ``callers`` at once."""
    found: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in _STATUS} for name in sides}
    with ThreadPoolExecutor(callers) as pool:
        for _ in range(rounds):
            for name, side in sides.items():
                for kind, payments in _work(side, payer, per_round).items():
                    started = time.perf_counter()
                    list(pool.map(lambda p, s=side, k=kind: _timed(s, k, p), payments))  # type: ignore[misc]
                    found[name][kind].append(len(payments) / (time.perf_counter() - started))
    return found


def _work(side: Side, payer: LocalAccount, count: int) -> dict[str, list[str | None]]:
    """Signed just before, outside of what is timed: a payment is valid for a minute."""
    required = decode(offer_of(side))
    return {UNPAID: [None] * (_UNPAID_EACH * count), PAID: [encode(sign(payer, required)) for _ in range(count)]}


def _timed(side: Side, kind: str, payment: str | None) -> float:
    started = time.perf_counter()
    reply = side.call(payment)
    seconds = time.perf_counter() - started
    if reply.status != _STATUS[kind]:
        raise RuntimeError(f"an {kind} call was answered {reply.status}: {reply.body[:500]!r}")
    return seconds
