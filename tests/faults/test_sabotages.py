"""Break each guarantee on purpose, in a copy, and see its named test fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.chain import Chain
from tests.faults.sabotage import Sabotage
from tests.faults.sabotages import SABOTAGES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "tollgate" / "tollgate"
# pytest's exit code for "tests ran and some failed"; 2 to 5 are accidents, not catches.
TESTS_FAILED = 1
# Parts of the control, for the workers to share.
SHARES = 8


def _without(test: str) -> list[str]:
    """Plugins that take a second to import, for each of hundreds of runs, where the test does not need them."""
    plugins = ["cacheprovider", "xdist"]
    if not any(name in test for name in ("openapi", "discovery", "conformance", "interop")):
        plugins += ["schemathesis", "x402", "anyio"]
    return [part for plugin in plugins for part in ("-p", f"no:{plugin}")]


def run(test: str, layer: Path, servers: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one test against the package in ``layer``."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            *_without(test),
            "-o",
            f"pythonpath={layer} cli .",
            "--timeout=100",
            test,
        ],
        cwd=ROOT,
        env={**os.environ, **servers, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.fixture(scope="module")
def servers(aws_endpoint: str, shared_chain: Chain) -> dict[str, str]:
    """The servers of this run, for the small runs to use."""
    return {"TOLLGATE_TEST_AWS": aws_endpoint, "TOLLGATE_TEST_CHAIN": shared_chain.url}


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda s: s.name.replace(" ", "-"))
def test_a_sabotage_is_caught_by_its_test(sabotage: Sabotage, servers: dict[str, str], tmp_path: Path) -> None:
    """The line still stands where the sabotage expects it, and breaking it turns the named test red."""
    # With what is compiled of it: only the file that is changed is read anew.
    shutil.copytree(PACKAGE, tmp_path / "tollgate")
    target = tmp_path / "tollgate" / sabotage.file
    source = target.read_text()
    assert source.count(sabotage.old) == 1, "the sabotaged line has changed: mend the sabotage"
    target.write_text(source.replace(sabotage.old, sabotage.new))
    result = run(sabotage.test, tmp_path, servers)
    assert result.returncode == TESTS_FAILED, f"survived:\n{result.stdout[-3000:]}\n{result.stderr[-1000:]}"


@pytest.mark.timeout(320)
@pytest.mark.parametrize("share", range(SHARES))
def test_the_named_tests_pass_when_nothing_is_broken(share: int, servers: dict[str, str]) -> None:
    """The control: otherwise a test that always fails would catch everything."""
    tests = sorted({sabotage.test for sabotage in SABOTAGES})[share::SHARES]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**os.environ, **servers},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]
