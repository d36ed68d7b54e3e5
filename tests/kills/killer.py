"""Who dies, and when: drawn from one seed."""

import random
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

_REMEMBERED = 40
# A moment is drawn from a little more than what such a call usually takes: its last steps have their turn, too.
_BEYOND = 1.1
# One moment in three is among a call's first steps, one in three any, and one in three any of a long call's: one
# that waits for a block, or takes over.
_EARLY = 0.25
# Cold starts are let live more often: what dies while it loads its code has not begun to work.
_COLD = 0.4


@dataclass(frozen=True, slots=True)
class Habit:
    """How often calls of a function are meant to die, until ``quota`` did. Seconds: what a call takes while no other
    is known, and what one takes that has a lot to do."""

    quota: int
    share: float
    usual: float
    long: float


class Killer:
    """Draws the moments, learns how long calls take, and counts the dead."""

    def __init__(self, seed: int, habits: Mapping[str, Habit]) -> None:
        self.seed = seed
        self._chance = random.Random(seed)
        self._habits = habits
        self._lock = threading.Lock()
        self._took: dict[tuple[str, bool], deque[float]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self._over = threading.Event()
        self.dead: Counter[str] = Counter()
        # function -> state of the payment when its process was dead -> how often
        self.moments: dict[str, Counter[str]] = defaultdict(Counter)

    def moment(self, function: str, *, cold: bool) -> float | None:
        """Seconds from a call's begin to its death; ``None`` lets it live."""
        habit = self._habits[function]
        with self._lock:
            share = habit.share * (_COLD if cold else 1)
            if self._over.is_set() or self.dead[function] >= habit.quota or self._chance.random() >= share:
                return None
            took = self._took[function, cold]
            seconds = median(took) if took else habit.usual
            seconds = self._chance.choice((seconds * _EARLY, seconds, max(seconds, habit.long)))
            return self._chance.random() * _BEYOND * seconds

    def lived(self, function: str, seconds: float, *, cold: bool) -> None:
        """A call that was let live took so long."""
        with self._lock:
            self._took[function, cold].append(seconds)

    def died(self, function: str, state: str) -> None:
        """A call ended by our hand; its payment stood there."""
        with self._lock:
            self.dead[function] += 1
            self.moments[function][state] += 1

    def stop(self) -> None:
        """Let everybody live from now on."""
        self._over.set()

    @property
    def stopped(self) -> bool:
        """Whether everybody lives now."""
        return self._over.is_set()

    @property
    def done(self) -> bool:
        """Whether every quota is met."""
        with self._lock:
            return all(self.dead[name] >= habit.quota for name, habit in self._habits.items())

    @property
    def total(self) -> int:
        """How many died."""
        with self._lock:
            return self.dead.total()
