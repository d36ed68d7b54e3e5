"""The checks of x402-conformance: P over a priced route's 402, S over the facilitator's /supported.

Every check is named here with its severity, so that one that was skipped, renamed or weakened is noticed.
Its S0 is reported only when it fails, and S5 drives the tool's own doubles.
"""

import json
import os
import subprocess
from typing import Any

import pytest

from local.paths import TOOLS
from local.stack import LocalStack

RESOURCE = {
    "P1": "error",
    "P2": "error",
    "P3": "error",
    "P4": "error",
    "P5": "error",
    "P6": "warning",
    "P7": "warning",
}
LIVE = {"S1": "error", "S2": "error", "S3": "error", "S4": "info"}  # S4 looks at Solana kinds, of which there are none


def checked(mode: str, url: str) -> tuple[int, dict[str, Any]]:
    """Run the command line on one URL; its exit code and the one result."""
    run = subprocess.run(
        [str(TOOLS / "x402conf"), mode, "--fail-on-error", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ.get("PATH", "")},
    )
    assert run.stdout, run.stderr
    (result,) = json.loads(run.stdout)["results"]
    return run.returncode, result


def severities(result: dict[str, Any]) -> dict[str, str]:
    """The severity of each check that passed, by its id; the text of those that did not."""
    return {c["check"].split()[0]: c["severity"] if c["pass"] else str(c) for c in result["checks"]}


@pytest.mark.parametrize("path", ["/weather/oslo", "/x402/challenge?method=GET&path=/weather/oslo"])
def test_the_402_of_a_route_passes_every_check(stack: LocalStack, path: str) -> None:
    """The route's own 402, and the challenge endpoint's that gateways would use."""
    code, result = checked("resource", stack.api_url + path)
    assert severities(result) == RESOURCE
    assert (code, result["http"]) == (0, 402)


def test_a_page_without_a_price_fails_the_check(stack: LocalStack) -> None:
    """The tool is able to fail here: without this the test above would prove little."""
    code, result = checked("resource", f"{stack.api_url}/nowhere")
    assert list(severities(result)) == ["P1"]
    assert (code, result["http"]) == (1, 404)


def test_the_facilitator_passes_every_check(stack: LocalStack) -> None:
    """/supported names version 2 kinds (and version 1's beside them)."""
    code, result = checked("live", f"{stack.api_url}/x402/facilitator")
    assert severities(result) == LIVE
    assert (code, result["http"]) == (0, 200)
    kinds = next(c["detail"] for c in result["checks"] if c["check"].startswith("S2"))
    assert kinds == {"v2_kinds": 1, "v1_kinds": 1, "non_caip2": []}
