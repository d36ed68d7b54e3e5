"""The functions run with the layer that is deployed, and with nothing else of this checkout."""

import json
import subprocess
import sys

import pytest

from local.build import built_template
from local.paths import ROOT

HEAVY = ("web3", "eth_account", "pydantic", "requests", "httpx", "x402")

_PROBE = """
import json, os, sys
layer, function = json.loads(sys.argv[1])
sys.path[:] = [p for p in sys.path if "site-packages" not in p and p not in ("", os.getcwd())]
sys.path[:0] = [function, layer]
import app
assert callable(app.handler)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("function", ["proxy", "settle", "reconcile"])
def test_a_handler_imports_with_only_its_built_layer(function: str) -> None:
    """A dependency that the layer lacks would only be missed in a real account; a heavy one at every cold start."""
    built = built_template().parent
    layer = next(built.glob("*Layer*/python"))
    code = built / f"{function.capitalize()}Function"
    run = subprocess.run(
        [sys.executable, "-I", "-c", _PROBE, json.dumps([str(layer), str(code)])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={"AWS_DEFAULT_REGION": "us-east-1", "PATH": "/usr/bin:/bin"},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    modules = set(json.loads(run.stdout.splitlines()[-1]))
    assert not modules & set(HEAVY)
