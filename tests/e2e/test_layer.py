"""The functions run with the layer that is deployed and boto3, and with nothing else of this checkout."""

import json
import subprocess
import sys

import pytest

from local.build import built_template
from local.paths import ROOT

# What Lambda's own Python runtime brings along.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six")
HEAVY = ("web3", "eth_account", "pydantic", "requests", "httpx", "x402")

_PROBE = """
import importlib.machinery, importlib.util, json, os, sys
allowed, layer, function, site = json.loads(sys.argv[1])
sys.path[:] = [p for p in sys.path if "site-packages" not in p and p not in ("", os.getcwd())]
sys.path[:0] = [function, layer]

class FromTheRuntime:
    def find_spec(self, name, path=None, target=None):
        if path is None and name in allowed:
            return importlib.machinery.PathFinder.find_spec(name, [site])
        return None

sys.meta_path.append(FromTheRuntime())
import app
assert callable(app.handler)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("function", ["proxy", "settle", "reconcile"])
def test_a_handler_imports_with_only_its_built_layer_and_boto3(function: str) -> None:
    """A dependency that the layer lacks would only be missed in a real account."""
    built = built_template().parent
    layer = next(built.glob("*Layer*/python"))
    code = built / f"{function.capitalize()}Function"
    site = next(p for p in sys.path if p.endswith("site-packages"))
    run = subprocess.run(
        [sys.executable, "-I", "-c", _PROBE, json.dumps([RUNTIME, str(layer), str(code), site])],
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
