"""A pool of real Lambda runtimes, a proxy and its settle in each lane; one call at a time on a lane.

The proxy's Invoke goes straight to the settle beside it: the emulator answers Lambda's own path, and knows its
function as ``function``. Nothing of the local AWS's Lambda takes part.
"""

import queue
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.build import built_template
from tests.bench.emulator import Emulator
from tests.bench.footprint import layer

# What an emulator calls the only function that it has.
_FUNCTION = "function"
_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Lane:
    """A proxy and a settle."""

    proxy: Emulator
    settle: Emulator

    def stop(self) -> None:
        """End both."""
        self.proxy.stop()
        self.settle.stop()


class Lanes:
    """``environments`` are what template.yaml gives ``proxy`` and ``settle``, with the local AWS's address."""

    def __init__(self, environments: Mapping[str, Mapping[str, str]], runtime: Path, logs: Path) -> None:
        self._environments = environments
        self._runtime = runtime
        self._logs = logs
        self._lanes: list[Lane] = []
        self._idle: queue.LifoQueue[Lane] = queue.LifoQueue()

    def add(self, count: int) -> None:
        """Have ``count`` more lanes, still cold. Raises ``StartFailed``."""
        for _ in range(count):
            lane = self.make()
            self._lanes.append(lane)
            self._idle.put(lane)

    def make(self) -> Lane:
        """A cold lane that is the caller's to stop."""
        settle = self._emulator("settle", {})
        more = {"AWS_ENDPOINT_URL_LAMBDA": settle.url, "TOLLGATE_SETTLE_FUNCTION": _FUNCTION}
        lane = Lane(self._emulator("proxy", more), settle)
        lane.settle.start()
        lane.proxy.start()
        return lane

    def call(self, event: bytes) -> bytes:
        """One call of a proxy, on the lane that was used last: the others stay as cold as they are."""
        lane = self._idle.get(timeout=_WAIT_SECONDS)
        try:
            return lane.proxy.invoke(event)
        finally:
            self._idle.put(lane)

    def cpu_seconds(self) -> float:
        """Processor time of every interpreter so far."""
        return sum(lane.proxy.cpu_seconds() + lane.settle.cpu_seconds() for lane in self._lanes)

    def peak_mb(self) -> dict[str, float]:
        """The largest interpreters so far."""
        return {
            "proxy": max(lane.proxy.memory_mb() for lane in self._lanes),
            "settle": max(lane.settle.memory_mb() for lane in self._lanes),
        }

    def stop(self) -> None:
        """End every runtime."""
        with ThreadPoolExecutor(4) as stoppers:
            list(stoppers.map(Lane.stop, self._lanes))

    def _emulator(self, name: str, more: Mapping[str, str]) -> Emulator:
        code = built_template().parent / f"{name.capitalize()}Function"
        paths = [code, layer(), self._runtime]
        return Emulator(name, paths, {**self._environments[name], **more}, self._logs)
