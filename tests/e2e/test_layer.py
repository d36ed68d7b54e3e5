"""The functions run with the layer that is deployed and the runtime's boto3, and with nothing else of this checkout."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.build import built_template
from local.paths import ROOT

FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
# What a cold start must not pay for: the official SDK's stack, tracing, and what was dropped.
HEAVY = ("web3", "eth_account", "pydantic", "requests", "httpx", "aiohttp", "x402", "aws_xray_sdk", "Crypto", "numpy")
# In the Lambda runtime beside the layer, and therefore not in it. Source: AWS, "Runtime-included SDK versions".
RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
# powertools needs jmespath, wherever it comes from.
ABSENT = (*(set(RUNTIME) - {"jmespath"}), *HEAVY, "awslambdaric")
LARGEST = 30 * 1024 * 1024

_ALONE = """
import importlib.abc, importlib.machinery, json, os, sys
layer, code, site, runtime = json.loads(sys.argv[1])
sys.path[:] = [p for p in sys.path if "site-packages" not in p and p not in ("", os.getcwd())]
sys.path[:0] = [code, layer]
class Runtime(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if path is None and name in runtime:
            return importlib.machinery.PathFinder.find_spec(name, [site])
sys.meta_path.append(Runtime())
"""
_IMPORT = """
import http.client
untouched = http.client.HTTPConnection.request
import app
assert callable(app.handler)
assert http.client.HTTPConnection.request is untouched
print(json.dumps(sorted(sys.modules)))
"""
_RECOVER = """
import time
from coincurve import PrivateKey
from tollgate.schemes.secp256k1 import address_of_public_key, recover_address
import coincurve, sha3
key = PrivateKey(bytes(31) + b"\\x01")
signature = key.sign_recoverable(bytes(32), hasher=None)
signature = signature[:64] + bytes([27 + signature[64]])
owner = address_of_public_key(key.public_key.format(compressed=False)[1:])
fastest = 1.0
for _ in range(50):
    started = time.perf_counter()
    assert recover_address(bytes(32), signature) == owner
    fastest = min(fastest, time.perf_counter() - started)
files = [getattr(m, "__file__", None) or "" for m in list(sys.modules.values())]
native = sorted(f for f in files if f.startswith(layer) and f.endswith(".so"))
print(json.dumps([fastest, native]))
"""


def _layer() -> Path:
    (found,) = built_template().parent.glob("*Layer*/python")
    return found


def _run(function: str, program: str) -> Any:
    """What a program prints last, in a process that has the built layer, the function and the runtime's boto3."""
    code = built_template().parent / f"{function.capitalize()}Function"
    site = str(Path(boto3.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-I", "-c", _ALONE + program, json.dumps([str(_layer()), str(code), site, RUNTIME])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={
            "AWS_DEFAULT_REGION": "us-east-1",
            "LAMBDA_TASK_ROOT": "/var/task",
            "PATH": "/usr/bin:/bin",
            "POWERTOOLS_METRICS_NAMESPACE": "Tollgate",
            "POWERTOOLS_SERVICE_NAME": function,
        },
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_imports_with_only_its_built_layer(function: str) -> None:
    """A dependency that the layer lacks would only be missed in a real account; a heavy one at every cold start."""
    modules = {name.split(".")[0] for name in _run(function, _IMPORT)}
    assert not modules & set(HEAVY)


def test_the_layer_stays_small() -> None:
    """It is unpacked at every cold start: 30 MB at most, its bytecode included."""
    files = [path for path in _layer().rglob("*") if path.is_file()]
    assert any(path.suffix == ".pyc" for path in files)
    assert sum(path.stat().st_size for path in files) <= LARGEST


def test_the_layer_holds_neither_the_runtimes_sdk_nor_what_was_dropped() -> None:
    """boto3 is the runtime's, keccak is safe-pysha3's, and there is no tracing SDK."""
    names = {path.name for path in _layer().iterdir()}
    assert not names & set(ABSENT)
    distributions = {name.split("-")[0].lower() for name in names if name.endswith(".dist-info")}
    assert distributions == {"aws_lambda_powertools", "coincurve", "jmespath", "safe_pysha3", "typing_extensions"}


def test_signers_are_recovered_by_libsecp256k1_from_the_layer() -> None:
    """coincurve's own library of the layer, and native keccak: 0.1 ms a payment, where pure Python takes 10."""
    fastest, native = _run("verify", _RECOVER)
    assert any("_libsecp256k1" in name for name in native), native
    assert any("_pysha3" in name or "_sha3" in name for name in native), native
    assert fastest < 0.002
