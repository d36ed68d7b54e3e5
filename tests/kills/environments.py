"""The execution environments of one function: real Lambda runtimes, each with one call at a time, some killed in it."""

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import urllib3

from local.build import built_template
from local.processes import StartFailed
from tests.bench.emulator import Emulator
from tests.bench.footprint import layer
from tests.kills.killer import Killer

_WAIT_SECONDS = 60.0
_STARTS = 4


class Died(Exception):
    """The process ended before it answered: Lambda says ``Runtime.ExitError``, and a caller knows nothing."""


class Failed(Exception):
    """The function raised: a bug, which ``failures`` keeps."""


class _Environment:
    def __init__(self, make: Callable[[], Emulator]) -> None:
        self._make = make
        self.emulator = make()
        self.cold = True
        # Of the interpreter, once it is known: looking for it takes longer than many a call.
        self.pids: list[int] = []
        self.call = 0
        self.lock = threading.Lock()

    def begin(self) -> None:
        """Start it. Ports that were taken since they were chosen make it another one. Raises ``StartFailed``."""
        for attempt in range(_STARTS):
            self.emulator = self._make()
            try:
                self.emulator.start()
            except StartFailed:
                if attempt == _STARTS - 1:
                    raise
                continue
            return

    def kill(self, call: int) -> None:
        """End the process, if that call is still under way."""
        with self.lock:
            if self.call == call:
                self.emulator.kill(self.pids)

    def forget(self) -> None:
        """The next call is a cold start."""
        self.cold, self.pids = True, []

    def lives(self) -> None:
        """A call was answered."""
        self.cold = False
        self.pids = self.pids or self.emulator.interpreters()


class Environments:
    """``count`` of them. ``states`` says how the payment of an event stands: it is asked when a process died of it."""

    def __init__(
        self,
        function: str,
        variables: Mapping[str, str],
        killer: Killer,
        states: Callable[[Any], str],
        *,
        count: int,
        seconds: int,
        runtime: Path,
        logs: Path,
    ) -> None:
        self.function = function
        self.failures: list[str] = []
        self._killer = killer
        self._states = states
        code = built_template().parent / f"{function.capitalize()}Function"

        def make() -> Emulator:
            return Emulator(function, [code, layer(), runtime], variables, logs, seconds)

        self._all = [_Environment(make) for _ in range(count)]
        self._idle: queue.SimpleQueue[_Environment] = queue.SimpleQueue()

    def start(self) -> None:
        """Raises ``StartFailed``."""
        for environment in self._all:
            environment.begin()
            self._idle.put(environment)

    def stop(self) -> None:
        """End them all."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda e: e.emulator.stop(), self._all))

    def invoke(self, event: Any, *, mortal: bool = True) -> Any:
        """The function's answer. Raises ``Died``, ``Failed``; and ``queue.Empty`` when no environment comes free.

        A call that is not ``mortal`` is never killed.
        """
        environment = self._idle.get(timeout=_WAIT_SECONDS)
        try:
            return self._invoke(environment, event, mortal)
        finally:
            self._idle.put(environment)

    def _invoke(self, environment: _Environment, event: Any, mortal: bool) -> Any:
        cold = environment.cold
        moment = self._killer.moment(self.function, cold=cold) if mortal else None
        with environment.lock:
            environment.call += 1
        started = time.monotonic()
        executioner = None
        if moment is not None:
            executioner = threading.Timer(moment, environment.kill, [environment.call])
            executioner.start()
        try:
            said = environment.emulator.invoke(json.dumps(event).encode())
        except urllib3.exceptions.HTTPError as gone:
            # The emulator itself may panic at a death: then the whole machine is gone, and another takes its place.
            environment.emulator.stop()
            environment.begin()
            environment.forget()
            raise Died(self.function) from gone
        finally:
            if executioner is not None:
                executioner.cancel()
            with environment.lock:
                environment.call += 1
        answer = _read(said)
        died = isinstance(answer, dict) and answer.get("errorType") == "Runtime.ExitError"
        if died:
            environment.forget()
            # One that was killed in the instant of its answer is missed by the next call; that one does not count.
            if moment is not None and time.monotonic() - started >= moment:
                self._killer.died(self.function, self._states(event))
            raise Died(self.function)
        if isinstance(answer, dict) and str(answer.get("errorType")).startswith("Sandbox."):
            # Its time ran out, or the emulator was still about the death before.
            environment.forget()
            raise Died(self.function)
        if isinstance(answer, dict) and "errorType" in answer:
            self.failures.append(f"{self.function} raised {answer}"[:1000])
            raise Failed(self.function)
        if moment is None and mortal:
            self._killer.lived(self.function, time.monotonic() - started, cold=cold)
        environment.lives()
        return answer


def _read(said: bytes) -> Any:
    if not said:
        # What the emulator has to say of a runtime that died before it took its first call.
        return {"errorType": "Runtime.ExitError"}
    if said.startswith(b"Task timed out"):
        return {"errorType": "Sandbox.Timedout"}
    return json.loads(said)
