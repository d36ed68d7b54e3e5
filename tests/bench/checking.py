"""Checking one signed payment, side by side: one process with coincurve, one where nobody can import it.

Started by itself as ``python -m tests.bench.checking [--without-coincurve]``, it answers each line of its
input with one round's seconds per call, so that the two processes can take turns.
"""

import json
import subprocess
import sys
from typing import Any

from local.paths import ROOT
from tests.bench.measure import typical

_WITHOUT = "--without-coincurve"
_SUFFIX = ", without coincurve"
_TRANSPARENT = "-W", "ignore"


def run(rounds: int) -> dict[str, float]:
    """Median microseconds per check."""
    found: dict[str, list[float]] = {}
    contestants = [_Contestants(), _Contestants(_WITHOUT)]
    try:
        for _ in range(rounds):
            for process in contestants:
                for name, seconds in process.round().items():
                    found.setdefault(name, []).append(seconds)
    finally:
        for process in contestants:
            process.stop()
    return {name: typical(samples) * 1e6 for name, samples in found.items()}


class _Contestants:
    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *_TRANSPARENT, "-m", "tests.bench.checking", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def round(self) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that checks payments ended; its complaint is above")
        seconds: dict[str, float] = json.loads(line)
        return seconds

    def stop(self) -> None:
        self._process.communicate(timeout=10)


def _serve(*, without_coincurve: bool) -> None:
    if without_coincurve:
        blocked: dict[str, Any] = sys.modules
        blocked["coincurve"] = None
    from tests.bench import contestants  # noqa: PLC0415
    from tests.bench.measure import interleaved  # noqa: PLC0415
    from tests.bench.sample import a_sample  # noqa: PLC0415

    sample = a_sample()
    if without_coincurve:
        everyone = {name + _SUFFIX: once for name, once in contestants.official(sample).items()}
    else:
        everyone = contestants.limit(sample) | contestants.ours(sample) | contestants.official(sample)
    for _ in sys.stdin:
        found = interleaved(everyone, 1)
        sys.stdout.write(json.dumps({name: samples[0] for name, samples in found.items()}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(without_coincurve=_WITHOUT in sys.argv)
