"""One run of pytest on a changed copy of the package, forked from a process that has imported what others wrote.

Half of a small run's time would go into imports, hundreds of times over. Nothing of our own is imported before the
fork: each run takes the package from the copy it is given.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What cannot be imported is left out, and then only costs its time in every run.
PRELOADED = (
    "pytest",
    "_pytest.legacypath",
    "hypothesis",
    "pytest_timeout",
    "xdist.plugin",
    "eth_account",
    "eth_abi",
    "web3",
    "pydantic",
    "boto3",
    "botocore.session",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "coincurve",
    "aws_lambda_powertools",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.typing",
    "pyrevm",
    "yaml",
    "http.server",
    "http.client",
)
HUNG = -1
# Added to pytest's exit code: the 1 of a failed test is also that of a process that could not begin, or that
# pytest-timeout ended.
_ENDED = 64


@dataclass(frozen=True, slots=True)
class Run:
    """How it ended: pytest's exit code, ``HUNG`` when pytest came to no end; and what it printed."""

    code: int
    printed: str


def run(arguments: Sequence[str], environment: Mapping[str, str], printed: Path, seconds: float) -> Run:
    """Run pytest with ``arguments`` at the project's root; it is ended after ``seconds``."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    child = context.Process(target=_pytest, args=(tuple(arguments), dict(environment), printed))
    child.start()
    child.join(seconds)
    if child.exitcode is None:
        child.kill()
        child.join()
    code = HUNG if child.exitcode is None or child.exitcode < _ENDED else child.exitcode - _ENDED
    child.close()
    return Run(code, printed.read_text(errors="replace") if printed.exists() else "")


def _pytest(arguments: Sequence[str], environment: Mapping[str, str], printed: Path) -> None:
    with printed.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(ROOT)
    os.environ.update(environment)
    sys.dont_write_bytecode = True
    code = pytest.main(list(arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    # Not through the interpreter's end: threads of servers that the test left would hold it up.
    os._exit(_ENDED + int(code))
