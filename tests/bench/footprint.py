"""What has to be loaded before the first request: time, memory, size; each in a fresh interpreter, with bytecode."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.build import built_template
from local.paths import ROOT
from tests.bench import sizes
from tests.bench.measure import typical

FUNCTIONS = tuple(sorted(path.parent.name for path in ROOT.glob("functions/*/app.py")))

# Seconds of import and tens of megabytes, for what a few hundred lines of ours do.
HEAVY = frozenset({
    "aiohttp", "eth_account", "eth_keyfile", "eth_keys", "httpx", "pydantic", "requests", "web3", "x402",
})  # fmt: skip

_OFFICIAL_SERVER = """
from x402 import x402ResourceServer
from x402.http import HTTPFacilitatorClient
from x402.http.middleware.fastapi import PaymentMiddlewareASGI
from x402.mechanisms.evm.exact import ExactEvmServerScheme
"""
_OFFICIAL_FACILITATOR = """
from x402 import x402Facilitator
from x402.mechanisms.evm.exact.facilitator import ExactEvmScheme
from x402.mechanisms.evm.signers import FacilitatorWeb3Signer
"""

# The paths come first; what follows is all that is measured. Linux tells a process its size in /proc.
_PROBE = """
import sys, time
sys.path[:0] = {paths!r}
def kilobytes(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what))
before, started = kilobytes("VmRSS"), time.perf_counter()
{code}
seconds = time.perf_counter() - started
rss, peak = kilobytes("VmRSS") - before, kilobytes("VmHWM")
modules = sorted({{name.split(".")[0] for name in sys.modules}})
import json
print(json.dumps({{"seconds": seconds, "rss": rss, "peak": peak, "modules": modules}}))
"""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Milliseconds to import, MB over the empty interpreter, MB at the peak, MB of files without bytecode, and
    which of ``HEAVY`` was loaded."""

    import_ms: float
    rss_mb: float
    peak_mb: float
    size_mb: float
    heavy: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    code: str
    paths: tuple[str, ...]
    size_mb: float
    own_packages_only: bool


def run(rounds: int) -> dict[str, Footprint]:
    """Every candidate in turn, ``rounds`` times after one that writes the bytecode."""
    with tempfile.TemporaryDirectory() as scratch:
        candidates = _candidates(Path(scratch))
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in candidates}
        for number in range(rounds + 1):
            for name, candidate in candidates.items():
                seen = _probe(candidate)
                if number:
                    found[name].append(seen)
    return {name: _footprint(found[name], candidates[name].size_mb) for name in candidates}


def layer_mb() -> float:
    """The built layer as it is shipped, bytecode included."""
    return sizes.of_directory(layer())


def layer() -> Path:
    """The built layer's ``python`` directory. Raises ``StopIteration`` when the template has no layer."""
    return next(built_template().parent.glob("*Layer*/python"))


def _candidates(scratch: Path) -> Mapping[str, _Candidate]:
    runtime = sizes.runtime_packages(scratch)
    built = built_template().parent
    shipped = sizes.of_directory(layer(), bytecode=False)
    out = {
        "boto3, as the Lambda runtime has it": _Candidate(
            "import boto3", (str(runtime),), sizes.of_distributions("boto3"), True
        )
    }
    for function in FUNCTIONS:
        code = built / f"{function.capitalize()}Function"
        paths = (str(code), str(layer()), str(runtime))
        out[f"tollgate: {function}"] = _Candidate("import app", paths, shipped, True)
    server = sizes.of_distributions("x402", "fastapi", extras={"x402": ("evm", "httpx")})
    facilitator = sizes.of_distributions("x402", extras={"x402": ("evm",)})
    out["official: resource server, FastAPI, httpx"] = _Candidate(_OFFICIAL_SERVER, (), server, False)
    out["official: facilitator, web3"] = _Candidate(_OFFICIAL_FACILITATOR, (), facilitator, False)
    return out


def _probe(candidate: _Candidate) -> dict[str, Any]:
    # -I -S leaves the standard library alone on the path; the official SDK gets the whole checkout's packages.
    flags = ("-I", "-S") if candidate.own_packages_only else ("-I",)
    run = subprocess.run(
        [sys.executable, *flags, "-W", "ignore", "-c", _PROBE.format(paths=list(candidate.paths), code=candidate.code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={
            "PATH": "/usr/bin:/bin",
            "AWS_DEFAULT_REGION": "us-east-1",
            "POWERTOOLS_METRICS_NAMESPACE": "Tollgate",
        },
    )
    if run.returncode != 0:
        raise RuntimeError(f"{candidate.code!r} does not load:\n{run.stderr[-2000:]}")
    seen: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return seen


def _footprint(seen: list[dict[str, Any]], size_mb: float) -> Footprint:
    return Footprint(
        import_ms=typical([s["seconds"] for s in seen]) * 1000,
        rss_mb=typical([s["rss"] for s in seen]) * 1024 / sizes.MB,
        peak_mb=typical([s["peak"] for s in seen]) * 1024 / sizes.MB,
        size_mb=size_mb,
        heavy=tuple(sorted(HEAVY & set(seen[0]["modules"]))),
    )
