"""Time of the world: it passes when somebody sleeps, and only then. Several processes take turns, one at a time.

``Clock.sleep`` is what the code under test gets. Alone, it moves time on; inside ``Clock.together`` it lets the
others run first. Which of several runnable processes goes on is decided by ``pick``, so that every run of a world
is the same run, and any schedule can be asked for.
"""

import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

# Of a test that waits for itself.
_STUCK_SECONDS = 60.0


@dataclass(slots=True, eq=False)
class Job:
    """One thread of a ``together``; ``result`` or ``error`` is how it ended. ``wake`` is Unix seconds."""

    name: str
    work: Callable[[], Any]
    wake: float
    # What it is about to do, for those who choose: (process, kind, detail) of its next step; "" while it sleeps.
    about_to: tuple[str, str, str] = ("", "", "")
    result: Any = None
    error: BaseException | None = None
    ended: bool = False
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


# Chooses one of the jobs, which are never empty and in the order in which they were given. When it raises, all end.
Pick = Callable[[Sequence[Job]], Job]


class Abandoned(BaseException):
    """This run of the world is of no interest any more."""


def first(runnable: Sequence[Job]) -> Job:
    """Whoever was named first."""
    return runnable[0]


class Clock:
    """Unix seconds, and what is to happen when."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._jobs: dict[int, Job] = {}
        self._back = threading.Semaphore(0)
        self._abandoned = False

    def __call__(self) -> float:
        """The time."""
        return self.now

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Let ``act`` happen at ``when`` (Unix seconds), whoever is asleep then."""
        heapq.heappush(self._timers, (when, next(self._order), act))

    def advance_to(self, when: float) -> None:
        """Pass time; whatever is due on the way happens, in order."""
        while self._timers and self._timers[0][0] <= when:
            at, _, act = heapq.heappop(self._timers)
            self.now = max(self.now, at)
            act()
        self.now = max(self.now, when)

    def sleep(self, seconds: float) -> None:
        """What a process calls to wait."""
        job = self._jobs.get(threading.get_ident())
        if job is None:
            self.advance_to(self.now + max(0.0, seconds))
            return
        job.wake = self.now + max(0.0, seconds)
        job.about_to = ("", "", "")
        self._give_way(job)

    def step(self, process: str, kind: str, detail: str) -> None:
        """A point where another job may go on instead; nothing outside of ``together``."""
        job = self._jobs.get(threading.get_ident())
        if job is None:
            return
        job.wake = self.now
        job.about_to = (process, kind, detail)
        self._give_way(job)

    def together(
        self, works: Sequence[tuple[str, Callable[[], Any]]], pick: Pick = first, *, stalls: bool = False
    ) -> list[Job]:
        """Run all, taking turns; returns how each ended. Errors are kept, not raised, ``Crash`` too.

        ``stalls``: ``pick`` may also choose one that sleeps. Time passes until it wakes, and whoever could have
        gone on meanwhile was slow, not dead.
        """
        jobs = [Job(name, work, self.now) for name, work in works]
        threads = [threading.Thread(target=self._run, args=(job,), daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        while open_ := [job for job in jobs if not job.ended]:
            runnable = [job for job in open_ if stalls or job.wake <= self.now]
            if not runnable:
                self.advance_to(min(job.wake for job in open_))
                continue
            try:
                chosen = pick(runnable)
            except Exception:
                self._abandon(open_, threads)
                raise
            self.advance_to(chosen.wake)
            self._let(chosen)
        for thread in threads:
            thread.join()
        return jobs

    def _let(self, job: Job) -> None:
        job.turn.release()
        if not self._back.acquire(timeout=_STUCK_SECONDS):
            raise TimeoutError("a job of this world neither ended nor slept")

    def _abandon(self, jobs: Sequence[Job], threads: Sequence[threading.Thread]) -> None:
        self._abandoned = True
        for job in jobs:
            self._let(job)
        for thread in threads:
            thread.join()

    def _run(self, job: Job) -> None:
        job.turn.acquire()
        self._jobs[threading.get_ident()] = job
        try:
            if self._abandoned:
                raise Abandoned
            job.result = job.work()
        except BaseException as error:
            job.error = error
        finally:
            del self._jobs[threading.get_ident()]
            job.ended = True
            self._back.release()

    def _give_way(self, job: Job) -> None:
        if not self._abandoned:
            self._back.release()
            job.turn.acquire()
        if self._abandoned:
            raise Abandoned
