"""JSON-RPC over HTTP to one or several endpoints of the same network.

An endpoint's URL usually holds its API key, so no exception text, no exception context and no log
line made here has it (threat 86). Anything but a well-formed answer is ``ChainUnavailable``: HTTP
status other than 200, redirect, HTML, too large, too late, wrong ids.
"""

import itertools
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as HttpTimeout

from tollgate.errors import BadRequest, ChainUnavailable, ConfigurationError
from tollgate.wire import strict_json

MAX_ANSWER = 2 * 1024 * 1024
# A connection idle for longer than this may be dead without us knowing: Lambda freezes in between.
MAX_IDLE_SECONDS = 20.0
CONNECT_SECONDS = 2.0
_CHUNK = 65536
_BUSY_CODES = frozenset({-32005, -32097, 429})
_BUSY = ("rate limit", "too many requests", "limit exceeded", "capacity", "timed out", "timeout")

Call = tuple[str, list[Any]]


@dataclass(frozen=True, slots=True)
class RpcError:
    """An ``error`` member, as a value: a revert is an answer too. The message is the node's own text
    and may quote an URL: it decides, but is never shown."""

    code: int
    message: str = field(repr=False)


def is_busy(error: RpcError) -> bool:
    """Whether an error is about the node's load (or a provider's quota), not about the question."""
    text = error.message.lower()
    return error.code in _BUSY_CODES or any(words in text for words in _BUSY)


class AnswerTimedOut(ChainUnavailable):
    """The request was sent, no answer came in time: the node may well have acted on it."""


class RpcClient:
    """Posts batches of calls; keeps connections alive, follows no redirect, retries nothing.

    ``urls`` are tried in order, beginning with the one that last worked.
    """

    def __init__(self, urls: Sequence[str], monotonic: Callable[[], float] = time.monotonic) -> None:
        if not urls or not all(u.startswith(("https://", "http://")) for u in urls):
            raise ConfigurationError("an RPC endpoint must be an http(s) URL; the secret holds none or another")
        self._urls = tuple(urls)
        self._preferred = 0
        self._alone: tuple[RpcClient, ...] | None = None
        self._monotonic = monotonic
        self._last_use = monotonic()
        self._ids = itertools.count(1)
        self._pools = urllib3.PoolManager(num_pools=len(urls), maxsize=4, retries=False)
        # At DEBUG, and for malformed headers at WARNING, urllib3 logs the path, which is the API key.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    @property
    def alone(self) -> tuple["RpcClient", ...]:
        """Each endpoint by itself: a client that asks nobody else. Made when first needed."""
        if self._alone is None:
            self._alone = tuple(RpcClient([url], self._monotonic) for url in self._urls)
        return self._alone

    def batch(self, calls: Sequence[Call], timeout: float, *, fail_over: bool = True) -> list[Any]:
        """The results of ``calls`` in their order, from one POST; a failed call's is an ``RpcError``.

        ``timeout`` (seconds) covers everything; with several endpoints each gets an equal share of
        what is left. ``fail_over`` tries the next endpoint when one has no usable answer, or is too busy for
        some of the calls (providers say so with HTTP 200): such an answer is given only when no endpoint has
        a better one. Raises ``ChainUnavailable``; its subclass ``AnswerTimedOut`` when the last one tried kept
        silent.
        """
        deadline = self._monotonic() + timeout
        if self._monotonic() - self._last_use > MAX_IDLE_SECONDS:
            self._pools.clear()
        self._last_use = self._monotonic()
        count = len(self._urls) if fail_over else 1
        failure: ChainUnavailable = ChainUnavailable("no time left to ask the RPC endpoint")
        busy: list[Any] | None = None
        for tried in range(count):
            left = deadline - self._monotonic()
            if left <= 0:
                break
            index = (self._preferred + tried) % len(self._urls)
            answer = self._post(self._urls[index], calls, left / (count - tried))
            if isinstance(answer, ChainUnavailable):
                failure = answer
            elif any(isinstance(result, RpcError) and is_busy(result) for result in answer):
                busy = busy or answer
            else:
                self._preferred = index
                return answer
        if busy is not None:
            return busy
        raise failure

    def _post(self, url: str, calls: Sequence[Call], timeout: float) -> list[Any] | ChainUnavailable:
        """One POST to one endpoint. Failures are returned, not raised: an exception raised while
        another is handled carries that one, and urllib3's name the host and path."""
        requests: list[dict[str, Any]] = [
            {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params} for method, params in calls
        ]
        body = json.dumps(requests[0] if len(requests) == 1 else requests, separators=(",", ":"))
        try:
            status, data = self._exchange(url, body.encode(), timeout)
        except (ConnectTimeoutError, NewConnectionError):
            return ChainUnavailable("the RPC endpoint cannot be reached")
        except HttpTimeout:
            return AnswerTimedOut("the RPC endpoint did not answer in time")
        except _TooLarge:
            return ChainUnavailable("the RPC endpoint's answer is too large")
        except (HTTPError, OSError):
            return ChainUnavailable("the connection to the RPC endpoint broke")
        if status != 200:
            return ChainUnavailable(f"the RPC endpoint answered HTTP {status}")
        try:
            return _results(strict_json.loads(data, max_bytes=MAX_ANSWER), [r["id"] for r in requests])
        except (ValueError, BadRequest):
            return ChainUnavailable("the RPC endpoint's answer is not the JSON-RPC answer to what was asked")

    def _exchange(self, url: str, body: bytes, timeout: float) -> tuple[int, bytes]:
        deadline = self._monotonic() + timeout
        response = self._pools.request(
            "POST",
            url,
            body=body,
            headers={"content-type": "application/json"},
            timeout=urllib3.Timeout(total=timeout, connect=min(timeout, CONNECT_SECONDS)),
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        data = bytearray()
        try:
            # Read piece by piece: urllib3's timeout is per read, and a slow drip would never end.
            while chunk := response.read1(_CHUNK):
                data += chunk
                if len(data) > MAX_ANSWER:
                    raise _TooLarge
                if self._monotonic() > deadline:
                    raise HttpTimeout
        finally:
            # A fully read answer has already given its connection back; only an abandoned one is closed.
            response.close()
        return response.status, bytes(data)


class _TooLarge(Exception):
    """More bytes than MAX_ANSWER."""


def _results(answer: Any, ids: Sequence[int]) -> list[Any]:
    """The results in the order of ``ids``. Raises ``ValueError`` unless every id is answered exactly once."""
    items = [answer] if len(ids) == 1 else answer
    if not isinstance(items, list) or len(items) != len(ids):
        raise ValueError("wrong number of answers")
    found: dict[int, Any] = {}
    for item in items:
        if not isinstance(item, dict) or item.get("jsonrpc") != "2.0" or type(item.get("id")) is not int:
            raise ValueError("not a JSON-RPC answer")
        found[item["id"]] = _result(item)
    if set(found) != set(ids):
        raise ValueError("ids differ")
    return [found[i] for i in ids]


def _result(item: dict[str, Any]) -> Any:
    error = item.get("error")
    if error is None:
        if "result" not in item:
            raise ValueError("neither result nor error")
        return item["result"]
    if not isinstance(error, dict) or type(error.get("code")) is not int or item.get("result") is not None:
        raise ValueError("malformed error")
    return RpcError(error["code"], str(error.get("message", "")))
