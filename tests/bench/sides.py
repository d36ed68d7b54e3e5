"""Who sells in a comparison of calls: Tollgate and the official SDK, each in this process and as it is deployed."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import urllib3

from tests.bench.lanes import Lanes
from tests.bench.proc import cpu_seconds
from tests.support.lambda_events import Reply

Event = Callable[[Mapping[str, str]], dict[str, Any]]
_OFFER, _SIGNATURE = "payment-required", "payment-signature"


class Side(Protocol):
    """Sells one thing for $0.01."""

    def call(self, payment: str | None) -> Reply:
        """Ask for it, with the value of a PAYMENT-SIGNATURE header or without."""

    def cpu_seconds(self) -> float:
        """Processor time that its processes took so far."""


@dataclass(frozen=True, slots=True)
class Handler:
    """The proxy's handler, called directly; ``invoke`` takes the event."""

    event: Event
    invoke: Callable[[dict[str, Any]], dict[str, Any]]

    def call(self, payment: str | None) -> Reply:
        """See ``Side``."""
        return Reply.of(self.invoke(self.event(_headers(payment))))

    def cpu_seconds(self) -> float:
        """See ``Side``: of this process."""
        return time.process_time()


@dataclass(frozen=True, slots=True)
class Runtimes:
    """The proxy on Lambda runtimes."""

    event: Event
    lanes: Lanes

    def call(self, payment: str | None) -> Reply:
        """See ``Side``."""
        event = json.dumps(self.event(_headers(payment))).encode()
        return Reply.of(json.loads(self.lanes.call(event)))

    def cpu_seconds(self) -> float:
        """See ``Side``: of the interpreters."""
        return self.lanes.cpu_seconds()


class AsgiApp:
    """An ASGI application, called directly: no server, no socket. One thread only."""

    def __init__(self, app: Any, path: str) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._path = path

    def call(self, payment: str | None) -> Reply:
        """See ``Side``."""
        return self._loop.run_until_complete(self._call(payment))

    def cpu_seconds(self) -> float:
        """See ``Side``: of this process."""
        return time.process_time()

    def close(self) -> None:
        """End its event loop."""
        self._loop.close()

    async def _call(self, payment: str | None) -> Reply:
        sent = {"host": "api.example", "accept": "application/json", **_headers(payment)}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": self._path,
            "raw_path": self._path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": ("192.0.2.1", 40_000),
            "server": ("api.example", 443),
        }
        said: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        await self._app(scope, receive, send)
        headers = {name.decode().lower(): value.decode() for name, value in said[0]["headers"]}
        return Reply(said[0]["status"], headers, b"".join(message.get("body", b"") for message in said[1:]))


class Served:
    """An HTTP server elsewhere, which works together with the processes ``pids``."""

    def __init__(self, url: str, pids: Iterable[int] = ()) -> None:
        self._url = url
        self._pids = tuple(pids)
        self._http = urllib3.PoolManager(maxsize=16, retries=False, timeout=urllib3.Timeout(60))

    def call(self, payment: str | None) -> Reply:
        """See ``Side``."""
        answer = self._http.request("GET", self._url, headers={"accept": "application/json", **_headers(payment)})
        return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)

    def cpu_seconds(self) -> float:
        """See ``Side``."""
        return cpu_seconds(self._pids)


def offer_of(side: Side) -> str:
    """The PAYMENT-REQUIRED header of its 402. Raises ``RuntimeError`` when it answers anything else."""
    reply = side.call(None)
    if reply.status != 402 or _OFFER not in reply.headers:
        raise RuntimeError(f"no offer but {reply.status}: {reply.body[:500]!r}")
    return reply.headers[_OFFER]


def _headers(payment: str | None) -> dict[str, str]:
    return {} if payment is None else {_SIGNATURE: payment}
