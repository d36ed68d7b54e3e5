"""What processes do to the outside, counted, so that any of it can be the last thing that a process does.

An *effect* changes something that outlives the process: a DynamoDB write, a signature, a broadcast, an
upstream run, an S3 put, an invocation of settle, an answer that leaves. Each has an index. A *plan* says
what goes wrong at which index:

    before  the process dies just before the effect        after   just after it, before it learns so
    echo    done, the answer is lost, and botocore sends it again (DynamoDB writes only)
    lost    done, but the process is told of an error       refuse  not done, and told of an error

Reads are *steps*, not effects: between its last effect and a read a process has changed nothing, so dying
at a read is dying after that effect. Interleavings stop at both: ``gate`` is called before every step.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

CRASHES = ("before", "after")


class Crash(BaseException):
    """The process is gone: nothing that only catches ``Exception`` may see it."""


@dataclass(slots=True)
class Process:
    """One invocation of a function; dead ones do nothing any more, not even in ``finally``."""

    name: str
    number: int
    alive: bool = True
    # The payment that it runs the upstream for, if it does: its digest. A second payment may end the first one.
    runs: str = ""

    def __str__(self) -> str:
        return f"{self.name}/{self.number}"


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect: ``kind`` is dynamo, sign, send, fetch, s3, invoke or answer; ``detail`` says which."""

    index: int
    process: str
    kind: str
    detail: str
    at: float

    def __str__(self) -> str:
        return f"#{self.index} +{self.at:.2f}s {self.process} {self.kind} {self.detail}"


Plan = Mapping[int, str]
Gate = Callable[[Process, str, str], None]
Watcher = Callable[[str, Effect], None]


class Effects:
    """Counts, and lets go wrong what the plan says. ``elapsed`` is seconds since the world began."""

    def __init__(self, plan: Plan, elapsed: Callable[[], float]) -> None:
        self.plan = dict(plan)
        # What goes wrong by itself in this world, plan or not: at the n-th effect of a kind, or at all of them.
        self.script: dict[tuple[str, int], str] = {}
        self.always: dict[str, str] = {}
        self.log: list[Effect] = []
        self.fired: dict[int, str] = {}
        self._kinds: dict[str, int] = {}
        # Called before every effect and read, in the process's own thread: where interleavings are stepped.
        self.gate: Gate | None = None
        # Called with ("before" | "after", effect): where scenarios put the acts of others.
        self.watchers: list[Watcher] = []
        self.counting = True
        self._elapsed = elapsed
        self._local = threading.local()
        self._numbers: dict[str, int] = {}

    @contextmanager
    def process(self, name: str) -> Iterator[Process]:
        """Everything inside is done by a new process of that name."""
        self._numbers[name] = self._numbers.get(name, 0) + 1
        made = Process(name, self._numbers[name])
        stack = self._stack()
        stack.append(made)
        try:
            yield made
        finally:
            stack.pop()

    def current(self) -> Process | None:
        """The process whose code runs in this thread."""
        stack = self._stack()
        return stack[-1] if stack else None

    def _stack(self) -> list[Process]:
        stack: list[Process] | None = getattr(self._local, "stack", None)
        if stack is None:
            stack = self._local.stack = []
        return stack

    def step(self, kind: str, detail: str) -> None:
        """A read: others may come first, and the dead read nothing."""
        process = self.current()
        if process is None:
            return
        if not process.alive:
            raise Crash(str(process))
        if self.gate is not None:
            self.gate(process, kind, detail)

    def perform(
        self,
        kind: str,
        detail: str,
        action: Callable[[], T],
        error: Callable[[str], Exception] | None = None,
    ) -> T:
        """Do ``action`` as the current process's next effect. ``error`` makes what *lost* and *refuse* raise."""
        process = self.current()
        if process is None or not self.counting:
            return action()
        if not process.alive:
            raise Crash(str(process))
        if self.gate is not None:
            self.gate(process, kind, detail)
        effect = Effect(len(self.log), str(process), kind, detail, self._elapsed())
        self.log.append(effect)
        nth = self._kinds.get(kind, 0)
        self._kinds[kind] = nth + 1
        fault = self.plan.get(effect.index) or self.script.get((kind, nth)) or self.always.get(kind)
        if fault is not None:
            self.fired[effect.index] = fault
        if fault == "before":
            self._kill(process, effect)
        if fault == "refuse":
            raise _error(error, fault, effect)
        self._watch("before", effect)
        result = action()
        self._watch("after", effect)
        if fault == "after":
            self._kill(process, effect)
        if fault == "lost":
            raise _error(error, fault, effect)
        if fault == "echo":
            # The same request once more: what it now meets is its own success.
            return action()
        return result

    def _watch(self, phase: str, effect: Effect) -> None:
        for watcher in self.watchers:
            watcher(phase, effect)

    def _kill(self, process: Process, effect: Effect) -> None:
        process.alive = False
        raise Crash(str(effect))

    def story(self) -> str:
        """The effects with what went wrong, one a line."""
        return "\n".join(f"{e}{'   <== ' + self.fired[e.index] if e.index in self.fired else ''}" for e in self.log)


def _error(error: Callable[[str], Exception] | None, fault: str, effect: Effect) -> Exception:
    if error is None:
        raise ValueError(f"{effect} cannot fail that way: the plan is wrong")
    return error(fault)
