"""All schedules of a few jobs that are stopped before every effect and read, walked without walking any part twice.

A *schedule* says who goes on at each stop; exactly one moves at a time. The walk is depth-first over the choices: a
run follows the choices made so far from a fresh world, takes a default at every further stop, and notes the
alternatives. It is reduced by states (stage.py): when a run comes to a state that was met before, by whatever
other order, everything that can follow was, or will be, walked from there, so it ends. That covers what sleep sets and
partial-order reduction do (a read, or a write to another item, commutes: both orders lead to one state, and only one
is walked on) and needs no claim about which effects are independent: the states are compared, not argued about.

``covered`` counts the schedules whose every step was so walked: the paths through the graph of states.

Bounds, for walks that would not end:

* ``stalls``: time passes only while all sleep, unless a job that could go on is *slow*: it stands still while others
  sleep and wake. So often may a job begin to stand still. It goes on again at any later stop.
* ``preemptions``: so often may a job be stopped although it could go on; ``None`` is without bound.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from tests.interleavings.stage import Stage
from tests.support.fakes.clock import Job

_END = 0


class Scene(Protocol):
    """A world, the jobs that run in it at once, and what must hold afterwards."""

    world: Stage

    def jobs(self) -> Sequence[Callable[[], Any]]:
        """What runs at once."""

    def end(self, jobs: Sequence[Job]) -> None:
        """Go on to the end of the story and check it. Raises what is broken."""


@dataclass(slots=True)
class Figures:
    """``walked``: schedules run to their end and checked. ``merged``: runs that came to a known state."""

    walked: int = 0
    merged: int = 0
    states: int = 0
    covered: int = 0

    def __str__(self) -> str:
        return f"{self.walked} walked, {self.merged} merged, {self.states} states, {self.covered} schedules covered"

    def row(self) -> dict[str, int]:
        """For the report."""
        return asdict(self)


class _Known(Exception):
    """This state was met before."""


@dataclass(slots=True)
class _Turn:
    """One run's way through the choices."""

    prefix: tuple[str, ...]
    stalls_left: int
    preemptions_left: int | None
    # The state in which the prefix's last choice was an alternative: another now means that runs differ by themselves.
    branched_at: int | None = None
    taken: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    stalled: set[str] = field(default_factory=set)
    last: str = ""
    parent: int = _END


class Explorer:
    """Walks every schedule of ``make()``'s jobs within the bounds."""

    def __init__(self, make: Callable[[], Scene], *, stalls: int = 0, preemptions: int | None = None) -> None:
        self._make = make
        self._stalls = stalls
        self._preemptions = preemptions
        self._children: dict[int, dict[str, int]] = {}
        self._root: int | None = None
        self.figures = Figures()

    def explore(self) -> Figures:
        """Walk. Raises what a scene's end raised, with the schedule in its notes."""
        open_: list[tuple[tuple[str, ...], int | None]] = [((), None)]
        while open_:
            prefix, branched_at = open_.pop()
            turn = _Turn(prefix, self._stalls, self._preemptions, branched_at)
            try:
                self._run(turn, lambda world, jobs, turn=turn: self._pick(world, jobs, turn, open_))
            except _Known:
                self.figures.merged += 1
            else:
                self.figures.walked += 1
                if turn.taken:
                    self._children[turn.parent][turn.taken[-1]] = _END
        self.figures.states = len(self._children)
        self.figures.covered = self._paths()
        return self.figures

    def sample(self, count: int, seed: int) -> Figures:
        """Walk so many random schedules, which may stall whom they like; the same for the same seed."""
        dice = random.Random(seed)
        for _ in range(count):
            turn = _Turn((), self._stalls, None)

            def pick(world: Stage, jobs: Sequence[Job], turn: _Turn = turn) -> Job:
                able = self._able(world, jobs, turn)
                # Mostly go on: a schedule that changes at every step never comes far with any job.
                stay = [job for job in able if job.name == turn.last and dice.random() < 0.6]
                return self._take(world, jobs, turn, stay[0] if stay else dice.choice(able))

            self._run(turn, pick)
            self.figures.walked += 1
        return self.figures

    def _run(self, turn: _Turn, pick: Callable[[Stage, Sequence[Job]], Job]) -> None:
        scene = self._make()
        world = scene.world
        try:
            jobs = world.together(*scene.jobs(), pick=lambda open_: pick(world, open_), stalls=self._stalls > 0)
            world.acting = ""
            if turn.stalls_left < self._stalls:
                # Who stands still is over his time.
                world.late.clear()
            scene.end(jobs)
        except _Known:
            raise
        except BaseException as error:
            error.add_note("schedule:\n  " + "\n  ".join(turn.steps))
            raise

    def _pick(
        self, world: Stage, jobs: Sequence[Job], turn: _Turn, open_: list[tuple[tuple[str, ...], int | None]]
    ) -> Job:
        depth = len(turn.taken)
        by_name = {job.name: job for job in jobs}
        if depth < len(turn.prefix) - 1:
            return self._take(world, jobs, turn, by_name[turn.prefix[depth]])
        key = self._key(world, jobs, turn)
        if depth == len(turn.prefix) - 1:
            if key != turn.branched_at:
                raise RuntimeError("the same choices led to another state: the world is not deterministic")
            turn.parent = key
            return self._take(world, jobs, turn, by_name[turn.prefix[depth]])
        if turn.taken:
            self._children[turn.parent][turn.taken[-1]] = key
        else:
            self._root = key
        turn.parent = key
        if key in self._children:
            raise _Known
        self._children[key] = {}
        able = self._able(world, jobs, turn)
        chosen = next((job for job in able if job.name == turn.last and job.wake <= world.clock.now), able[0])
        open_.extend(((*turn.taken, job.name), key) for job in able if job is not chosen)
        return self._take(world, jobs, turn, chosen)

    def _key(self, world: Stage, jobs: Sequence[Job], turn: _Turn) -> int:
        bounds: tuple[Any, ...] = ()
        if self._stalls:
            bounds += (turn.stalls_left, frozenset(turn.stalled))
        if self._preemptions is not None:
            bounds += (turn.preemptions_left, turn.last)
        return hash((world.state(jobs), bounds)) or 1

    def _able(self, world: Stage, jobs: Sequence[Job], turn: _Turn) -> list[Job]:
        """Whom the bounds admit; who needs no time to pass first."""
        able = [
            job
            for job in jobs
            if len(self._made_slow(world, jobs, turn, job)) <= turn.stalls_left
            and (turn.preemptions_left is None or turn.preemptions_left > 0 or not _preempts(world, jobs, turn, job))
        ]
        return sorted(able, key=lambda job: job.wake > world.clock.now)

    def _made_slow(self, world: Stage, jobs: Sequence[Job], turn: _Turn, chosen: Job) -> set[str]:
        """Who has to stand still for this choice and did not before."""
        if chosen.wake <= world.clock.now:
            return set()
        return {job.name for job in jobs if job.wake < chosen.wake} - turn.stalled

    def _take(self, world: Stage, jobs: Sequence[Job], turn: _Turn, chosen: Job) -> Job:
        slow = self._made_slow(world, jobs, turn, chosen)
        if turn.preemptions_left is not None and _preempts(world, jobs, turn, chosen):
            turn.preemptions_left -= 1
        turn.stalls_left -= len(slow)
        turn.stalled |= slow
        turn.stalled.discard(chosen.name)
        turn.taken.append(chosen.name)
        turn.last = chosen.name
        process, kind, detail = chosen.about_to
        turn.steps.append(f"{max(world.clock.now, chosen.wake):.2f} {chosen.name}: {process} {kind} {detail[:100]}")
        world.clock.advance_to(chosen.wake)
        world.act(chosen)
        return chosen

    def _paths(self) -> int:
        """How many ways lead from the first state to an end."""
        counts: dict[int, int] = {_END: 1}
        stack = [] if self._root is None else [self._root]
        while stack:
            key = stack[-1]
            if key in counts:
                stack.pop()
                continue
            missing = [child for child in self._children[key].values() if child not in counts]
            if missing:
                stack.extend(missing)
                continue
            counts[key] = sum(counts[child] for child in self._children[key].values())
            stack.pop()
        return 1 if self._root is None else counts[self._root]


def _preempts(world: Stage, jobs: Sequence[Job], turn: _Turn, chosen: Job) -> bool:
    """Whether somebody who could go on is stopped for this."""
    return chosen.name != turn.last and any(job.name == turn.last and job.wake <= world.clock.now for job in jobs)
