"""The handlers as Lambda loads them: short, and with nothing that could trace a secret."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))

_PROBE = """
import http.client, sys
untouched = (http.client.HTTPConnection.request, http.client.HTTPConnection.getresponse)
import app
assert untouched == (http.client.HTTPConnection.request, http.client.HTTPConnection.getresponse)
print(sorted(name for name in sys.modules if "xray" in name))
"""


def test_the_functions_are_these() -> None:
    """The tests below look at all of them."""
    assert FUNCTIONS == [
        "admin",
        "analytics",
        "authorizer",
        "challenge",
        "counter",
        "discovery",
        "origin",
        "proxy",
        "publisher",
        "reconcile",
        "records",
        "settle",
        "supported",
        "verify",
        "webhooks",
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a104_nothing_traces_what_a_handler_sends(function: str) -> None:
    """X-Ray's SDK patches http.client and records whole URLs: the RPC's holds its key."""
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
    assert run.stdout.strip() == "[]"


def test_a104_the_tracing_sdk_is_not_even_installed() -> None:
    """Tracing: Active traces the invocation; nothing in it can add to that."""
    assert importlib.util.find_spec("aws_xray_sdk") is None


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_stays_thin(function: str) -> None:
    """Parse, one use case, render."""
    lines = (ROOT / "functions" / function / "app.py").read_text().splitlines()
    assert sum(1 for line in lines if line.strip()) <= 60
