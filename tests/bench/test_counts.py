"""The aims that can be counted: what a call may cost in requests, and what may be loaded to serve it."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tollgate
from local.chain import Chain
from local.paths import ROOT
from tests.bench.counts import Count, count_everything
from tests.bench.footprint import HEAVY, layer_mb
from tests.bench.shop import a_shop

# Powertools remarks on a call without metrics, such as one that is told how to prove who it is.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

_PACKAGE = Path(tollgate.__file__).parent

_IMPORT_EVERYTHING = """
import importlib.util, json, pkgutil, sys
import tollgate
for module in pkgutil.walk_packages(tollgate.__path__, "tollgate."):
    importlib.import_module(module.name)
for number, app in enumerate(sys.argv[1:]):
    spec = importlib.util.spec_from_file_location(f"app{number}", app)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


@pytest.fixture(scope="module")
def counts(aws_endpoint: str, shared_chain: Chain) -> dict[str, Count]:
    """Every kind of call, once."""
    with a_shop(aws_endpoint, shared_chain) as functions:
        return count_everything(functions)


def test_every_call_was_answered_as_meant(counts: dict[str, Count]) -> None:
    """Else the counts below would be those of failures."""
    assert {name: one.status for name, one in counts.items()} == {
        name: 402 if name.startswith("unpaid") else 200 for name in counts
    }


def test_an_unpaid_call_writes_nothing_and_once_warm_reads_nothing(counts: dict[str, Count]) -> None:
    """Whoever only asks for the price costs the seller a Lambda call and nothing else."""
    assert counts["unpaid, cold"].writes == 0
    assert counts["unpaid, warm"].operations == ()


@pytest.mark.parametrize("call", ["paid", "paid, with a payment-identifier"])
def test_a_paid_call_makes_few_requests(counts: dict[str, Count], call: str) -> None:
    """Claim, hold, reserve and store before the broadcast; conclude and book after it. One look at the chain each."""
    paid = counts[call]
    assert paid.before_broadcast["dynamodb"] <= 4, paid.operations
    assert paid.all["dynamodb"] <= 6, paid.operations
    assert paid.before_broadcast["rpc"] <= 2, paid.operations
    assert paid.all["kms"] <= 1, paid.operations
    assert paid.all["s3"] == 0, paid.operations


def test_limits_cost_one_read_and_only_where_there_are_any(counts: dict[str, Count]) -> None:
    """Both are read at once, and counted in the claim's own transaction."""
    plain, limited = counts["paid"], counts["paid, on a route with limits"]
    more = list(limited.operations)
    for operation in plain.operations:
        more.remove(operation)
    assert more == ["proxy: dynamodb.BatchGetItem"]
    assert limited.writes == plain.writes


@pytest.mark.parametrize("call", ["resend", "resend, by payment-identifier", "resend, by fresh signature"])
def test_a_resend_makes_at_most_three_requests(counts: dict[str, Count], call: str) -> None:
    """And needs neither the relayer's key nor settle."""
    resend = counts[call]
    assert resend.all["dynamodb"] <= 3, resend.operations
    assert resend.all["s3"] == resend.all["kms"] == resend.all["lambda"] == 0, resend.operations


def test_only_an_answer_over_64_kb_costs_a_request_to_s3(counts: dict[str, Count]) -> None:
    """One to put it, one to read it back; DynamoDB is asked no more often than for a small one."""
    paid, resend = counts["paid, over 64 kB"], counts["resend, over 64 kB"]
    assert paid.all["s3"] == 1, paid.operations
    assert paid.all["dynamodb"] <= 6, paid.operations
    assert resend.all["s3"] == 1, resend.operations
    assert resend.all["dynamodb"] <= 3, resend.operations


def test_the_request_path_loads_no_heavy_library() -> None:
    """Neither directly nor through another, in any function or module that is deployed."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _IMPORT_EVERYTHING, *map(str, ROOT.glob("functions/*/app.py"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(_PACKAGE.parent)},
    )
    assert run.returncode == 0, run.stderr
    assert not HEAVY & set(json.loads(run.stdout))


@pytest.mark.parametrize("function", ["proxy", "settle"])
def test_what_a_buyer_waits_for_loads_no_document(function: str) -> None:
    """A cold start compiles all that it imports; descriptions, lists and sums are for those who ask for them."""
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'functions' / function)!r}); import app;"
        " print(*(name for name in sys.modules if name.startswith('tollgate.')))"
    )
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(_PACKAGE.parent)}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60, check=True, env=env
    )
    loaded = run.stdout.split()
    assert "tollgate.edge.json_api" in loaded or "tollgate.edge.http_api" in loaded
    assert not [name for name in loaded if name.endswith(("openapi", ".history", ".tally", ".tallies", "_csv"))]


def test_the_layer_is_small() -> None:
    """Every cold start unpacks it; a quarter of Lambda's limit would be too much."""
    assert 0 < layer_mb() <= 30


def test_no_function_imports_a_heavy_library_later() -> None:
    """An import inside of a function would only show at the first call that gets there."""
    folders = (ROOT / "functions", _PACKAGE)
    imported = {(str(path), name) for folder in folders for path in folder.rglob("*.py") for name in _imported(path)}
    assert {name for _, name in imported} >= {"boto3", "tollgate"}
    assert not {(path, name) for path, name in imported if name in HEAVY}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
