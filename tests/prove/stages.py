"""What `make prove` runs, one stage after the other; each is a pytest run whose figures are gathered."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from local.paths import BUILD, ROOT

# Where the suites leave their figures, one JSON object a file.
FIGURES = BUILD / "prove"


@dataclass(frozen=True, slots=True)
class Stage:
    """``pytest`` are its arguments, ``environment`` makes its suites run in full; ``in_test``: `make test` has it."""

    name: str
    what: str
    pytest: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    workers: int = 2
    in_test: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """How a stage ended. ``seconds`` is wall time."""

    stage: Stage
    tests: int
    failed: int
    skipped: int
    seconds: float
    ok: bool


STAGES: tuple[Stage, ...] = (
    Stage("attacks", "every threat's tests", ("tests/attacks",), in_test=True),
    Stage(
        "conformance",
        "the checks of x402-conformance, each with builds that it must catch",
        ("tests/conformance",),
        workers=3,
    ),
    # Each waits a good part of its time: for servers, for blocks.
    Stage("faults", "one-line sabotages, each caught by its test", ("tests/faults",), workers=4),
    Stage(
        "crash",
        "every effect killed before and after, alone and in pairs",
        ("tests/crash",),
        (("TOLLGATE_CRASH", "all"),),
    ),
    Stage(
        "interleavings",
        "requests stepped through every order of their effects",
        ("tests/interleavings",),
        (("TOLLGATE_INTERLEAVINGS", "all"),),
    ),
    Stage("kills", "SIGKILL at random moments of real paid calls", ("tests/kills",), workers=0),
    Stage("side by side", "the official SDK in the same situations", ("tests/prove/test_side_by_side.py",), workers=0),
)


def run(stage: Stage, workers: int) -> Ran:
    """Run one stage; its output goes where ours goes."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    report = FIGURES / f"{re.sub(r'[^a-z]+', '_', stage.name)}.xml"
    report.unlink(missing_ok=True)
    started = time.monotonic()
    count = min(workers, stage.workers)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", str(count), f"--junitxml={report}", *stage.pytest],
        cwd=ROOT,
        env={**os.environ, **dict(stage.environment)},
        check=False,
    )
    tests, failed, skipped = _counts(report)
    return Ran(stage, tests, failed, skipped, time.monotonic() - started, done.returncode == 0)


def _counts(report: Path) -> tuple[int, int, int]:
    if not report.exists():
        return 0, 0, 0
    suites: Sequence[ElementTree.Element] = ElementTree.parse(report).getroot().findall("testsuite")
    total = sum(int(suite.get("tests", 0)) for suite in suites)
    bad = sum(int(suite.get("failures", 0)) + int(suite.get("errors", 0)) for suite in suites)
    return total, bad, sum(int(suite.get("skipped", 0)) for suite in suites)
