"""Break each guarantee on purpose, in a copy, and see its named test fail."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from local.chain import Chain
from tests.faults.running import ROOT, Run, run
from tests.faults.sabotage import Sabotage
from tests.faults.sabotages import SABOTAGES

LAYER = ROOT / "layers" / "tollgate"
# pytest's exit code for "tests ran and some failed"; 2 to 5 are accidents, not catches.
TESTS_FAILED = 1
# Parts of the control, for the workers to share.
SHARES = 8


def _without(tests: Sequence[str]) -> list[str]:
    """Plugins that take a second to import, for each of hundreds of runs, where the tests do not need them."""
    plugins = ["cacheprovider", "xdist"]
    if not any(name in test for name in ("openapi", "discovery", "conformance", "interop") for test in tests):
        plugins += ["schemathesis", "x402", "anyio"]
    return [part for plugin in plugins for part in ("-p", f"no:{plugin}")]


def run_on(layer: Path, tests: Sequence[str], servers: dict[str, str], printed: Path, seconds: float) -> Run:
    """Run tests against the package in ``layer``."""
    # Modules are imported already: their assertions are not rewritten anew.
    options = ["-q", "-W", "ignore::pytest.PytestAssertRewriteWarning", "-o", f"pythonpath={layer} cli ."]
    return run([*options, *_without(tests), *tests], servers, printed, seconds)


@pytest.fixture(scope="module")
def servers(aws_endpoint: str, shared_chain: Chain) -> dict[str, str]:
    """The servers of this run, for the small runs to use."""
    return {"TOLLGATE_TEST_AWS": aws_endpoint, "TOLLGATE_TEST_CHAIN": shared_chain.url}


@pytest.mark.timeout(480)
@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda s: s.name.replace(" ", "-"))
def test_a_sabotage_is_caught_by_its_test(sabotage: Sabotage, servers: dict[str, str], tmp_path: Path) -> None:
    """The line still stands where the sabotage expects it, and breaking it turns the named test red."""
    # With what is compiled of it: only the file that is changed is read anew.
    shutil.copytree(LAYER / "tollgate", tmp_path / "tollgate")
    target = tmp_path / "tollgate" / sabotage.file
    source = target.read_text()
    assert source.count(sabotage.old) == 1, "the sabotaged line has changed: mend the sabotage"
    target.write_text(source.replace(sabotage.old, sabotage.new))
    # A race that a broken line opens is not lost every time: surviving means surviving each of three runs.
    for _ in range(3):
        ran = run_on(tmp_path, ["-x", "--timeout=100", sabotage.test], servers, tmp_path / "printed", 150)
        if ran.code != 0:
            break
    assert ran.code == TESTS_FAILED, f"survived, or could not run ({ran.code}):\n{ran.printed[-4000:]}"


@pytest.mark.timeout(320)
@pytest.mark.parametrize("share", range(SHARES))
def test_the_named_tests_pass_when_nothing_is_broken(share: int, servers: dict[str, str], tmp_path: Path) -> None:
    """The control, run in the same way: otherwise a test that always fails would catch everything.

    One of each file: that all of them pass is what `make test` and `make conformance` say; here it is whether they can
    in such a run at all.
    """
    of_file = {sabotage.test.partition("::")[0]: sabotage.test for sabotage in SABOTAGES}
    tests = sorted(of_file.values())[share::SHARES]
    ran = run_on(LAYER, tests, servers, tmp_path / "printed", 300)
    assert ran.code == 0, ran.printed[-4000:]
