"""The handlers as Lambda loads them: short, and with tracing that cannot carry a secret."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))

_PROBE = """
import app
from aws_xray_sdk.core import patcher
print(sorted(patcher._PATCHED_MODULES))
"""


def test_there_are_three_functions() -> None:
    """The tests below look at all of them."""
    assert FUNCTIONS == ["proxy", "reconcile", "settle"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a104_tracing_sees_aws_calls_only(function: str) -> None:
    """X-Ray's patch of http.client records whole URLs: the RPC's holds its key."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROBE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT / "functions" / function), str(ROOT / "layers" / "tollgate")]),
            "AWS_DEFAULT_REGION": "us-east-1",
            "LAMBDA_TASK_ROOT": "/var/task",
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "POWERTOOLS_METRICS_NAMESPACE": "Tollgate",
            "POWERTOOLS_SERVICE_NAME": function,
        },
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "['botocore']"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_stays_thin(function: str) -> None:
    """Parse, one use case, render."""
    lines = (ROOT / "functions" / function / "app.py").read_text().splitlines()
    assert sum(1 for line in lines if line.strip()) <= 60
