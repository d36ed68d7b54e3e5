"""Timing that survives a busy machine: the contestants take turns, and medians are compared."""

import time
from collections.abc import Callable, Mapping
from statistics import median

Once = Callable[[], object]

_SLICE_SECONDS = 0.005


def interleaved(contestants: Mapping[str, Once], rounds: int) -> dict[str, list[float]]:
    """Seconds per call, one figure per round and contestant; each round runs everyone for a short slice.

    A slice is long enough for the clock and short enough that a busy moment hits all of them alike.
    """
    repeats = {name: _repeats(once) for name, once in contestants.items()}
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, once in contestants.items():
            found[name].append(_seconds(once, repeats[name]))
    return found


def typical(samples: list[float]) -> float:
    """The median, in the samples' own unit."""
    return median(samples)


def tail(samples: list[float], share: float = 0.95) -> float:
    """The sample below which ``share`` of them lie."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _repeats(once: Once) -> int:
    once()
    return max(1, int(_SLICE_SECONDS / max(_seconds(once, 3), 1e-9)))


def _seconds(once: Once, repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        once()
    return (time.perf_counter() - started) / repeats
