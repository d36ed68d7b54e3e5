"""A forwarder between the functions and the chain, whose behaviour tests switch while it runs.

Rules look at JSON-RPC methods; a batch counts as every method in it. ``calls`` counts what the
functions asked for, per method; ``broadcasts`` keeps the raw transactions in order of arrival.
"""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import urllib3

from local.http_base import Handler, Server

SEND = ("eth_sendRawTransaction", "eth_sendRawTransactionSync")
_LONGEST_HOLD = 120.0  # seconds


class Act(Enum):
    """What happens to a request that a rule meets."""

    HOLD = "hold the request back until released, then pass it, if its sender still lives"
    HOLD_ANSWER = "pass the request, hold its answer back until released"
    DROP = "close the connection without passing the request"
    DROP_ANSWER = "pass the request, then close the connection without an answer"
    ERROR = "answer a JSON-RPC error for the method, pass the rest of a batch"


@dataclass
class Rule:
    """A rule that is in force until ``release`` or, with ``times``, until it met that many requests."""

    methods: tuple[str, ...]
    act: Act
    times: int | None = None
    error: dict[str, Any] = field(default_factory=dict)
    met: int = 0
    _arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _released: threading.Event = field(default_factory=threading.Event)

    def wait_met(self, seconds: float = 30) -> None:
        """Return when a request has met the rule (with an act of ..ANSWER: when the node has answered it)."""
        if not self._arrived.acquire(timeout=seconds):
            raise TimeoutError(f"no {'/'.join(self.methods)} within {seconds:.0f} s")

    def release(self) -> None:
        """Let go what is held, and end the rule."""
        self._released.set()

    @property
    def over(self) -> bool:
        return self._released.is_set() or (self.times is not None and self.met >= self.times)

    def arrive(self) -> None:
        self._arrived.release()

    def wait_released(self) -> None:
        self._released.wait(_LONGEST_HOLD)


class RpcGate(Server):
    """Forwards to ``target``; it passes everything until told otherwise."""

    def __init__(self, target: str) -> None:
        super().__init__(_Handler)
        self.target = target
        self.http = urllib3.PoolManager(maxsize=32, retries=False, timeout=urllib3.Timeout(60))
        self.calls: Counter[str] = Counter()
        self.broadcasts: list[str] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def rule(self, act: Act, methods: str | Iterable[str], times: int | None = None, **error: Any) -> Rule:
        """Add a rule; with ``Act.ERROR`` also ``code=`` and ``message=``."""
        wanted = (methods,) if isinstance(methods, str) else tuple(methods)
        rule = Rule(wanted, act, times, error)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """End all rules, let go what is held, forget the counts."""
        with self._lock:
            for rule in self._rules:
                rule.release()
            self._rules.clear()
            self.calls.clear()
            self.broadcasts.clear()

    def meet(self, asked: list[dict[str, Any]]) -> Rule | None:
        """Count the calls and find the rule for them."""
        methods = [str(call.get("method")) for call in asked]
        with self._lock:
            self.calls.update(methods)
            self.broadcasts += [call["params"][0] for call in asked if call.get("method") in SEND]
            for rule in self._rules:
                if not rule.over and set(rule.methods) & set(methods):
                    rule.met += 1
                    return rule
        return None


class _Handler(Handler):
    server: RpcGate

    def do_POST(self) -> None:
        body = self.read_body(10_000_000) or b""
        said = json.loads(body)
        asked = said if isinstance(said, list) else [said]
        rule = self.server.meet(asked)
        if rule is not None and rule.act is Act.ERROR:
            self._answer_error(rule, asked, isinstance(said, list))
            return
        if rule is not None and rule.act in (Act.HOLD, Act.DROP):
            rule.arrive()
            if rule.act is Act.DROP:
                self._hang_up()
                return
            rule.wait_released()
            if self._caller_is_gone():
                self.close_connection = True
                return
        answer = self._forward(body)
        if rule is not None and rule.act in (Act.HOLD_ANSWER, Act.DROP_ANSWER):
            rule.arrive()
            if rule.act is Act.DROP_ANSWER:
                self._hang_up()
                return
            rule.wait_released()
        self.answer(200, answer, [("Content-Type", "application/json")])

    def _answer_error(self, rule: Rule, asked: list[dict[str, Any]], batch: bool) -> None:
        passed = [call for call in asked if call.get("method") not in rule.methods]
        answers = json.loads(self._forward(json.dumps(passed).encode())) if passed else []
        answers += [
            {"jsonrpc": "2.0", "id": call.get("id"), "error": rule.error}
            for call in asked
            if call.get("method") in rule.methods
        ]
        rule.arrive()
        self.answer_json(200, answers if batch else answers[0])

    def _forward(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        return self.server.http.request("POST", self.server.target, body=body, headers=headers).data

    def _caller_is_gone(self) -> bool:
        """Whether whoever asked was killed meanwhile: what it asked for then never reaches the node."""
        try:
            return bool(self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"")
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _hang_up(self) -> None:
        self.close_connection = True
