"""schemathesis reads docs/openapi.yaml and tries to break the JSON endpoints of the deployed stack with it.

Its examples are the same in every run. What it may not find: a 5xx, a status, header or body that the
document does not name, bad data accepted, a method answered that is not there.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.paths import ROOT, TOOLS
from local.stack import LocalStack
from tests.interop.sellers import add_seller

DOCUMENT = ROOT / "docs" / "openapi.yaml"
OPERATIONS = 18
# They take no parameters: tests/contract/test_openapi.py has all their answers.
WITHOUT = ("/x402/config", "/x402/facilitator/openapi[.]json", "/[.]well-known/x402", "/openapi[.]json", "/llms[.]txt")
# challenge, payments, payment, receipt, did, verify, settle, supported; nothing made up gets through the others
FUZZED = 8
EXAMPLES = 10  # per operation and phase
# The methods of API Gateway's HTTP APIs: what it does with another one, such as TRACE, is not ours.
# For challenge a 402 is success; a made-up path has no offer, or no one meaning. A made-up payment is
# nobody's, and nobody guesses a link.
# A parameter that discovery does not know is let through: newer clients may send more.
CONFIG = """\
[[operations]]
include-path = "/x402/challenge"
checks.positive_data_acceptance.expected-statuses = [402, 400, 404, 405]

[[operations]]
include-path-regex = "/x402/(payments|receipts|analytics)"
checks.positive_data_acceptance.expected-statuses = [400, 403, 404, 431]

[[operations]]
include-path-regex = "/x402/(results|executions)"
checks.positive_data_acceptance.expected-statuses = [404]

[[operations]]
include-path-regex = "^/(x402/results|x402/executions|discovery)"
phases.fuzzing.enabled = false

[phases.coverage]
unexpected-methods = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"]
"""


def schemathesis(stack: LocalStack, scratch: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """Run the command line; what it printed and its report."""
    report, config = scratch / "report.json", scratch / "schemathesis.toml"
    config.write_text(CONFIG)
    run = subprocess.run(
        [
            *(str(TOOLS / "schemathesis"), "--config-file", str(config)),
            *("run", str(DOCUMENT), "--url", stack.api_url),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--generation-deterministic"),
            *("--request-timeout", "30", "--continue-on-failure", "--no-color"),
            *("--report", "json", "--report-json-path", str(report), *options),
        ],
        cwd=scratch,
        env={
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(scratch),
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.interop.openapi_checks",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert report.exists(), run.stdout + run.stderr
    return run.stdout, json.loads(report.read_text())


def found_nothing(printed: str, report: dict[str, Any]) -> None:
    """No finding, and everything was really tried."""
    assert report["exit_code"] == 0, printed
    assert report["operations"] == {
        "total": OPERATIONS,
        "selected": report["operations"]["tested"],
        "tested": report["operations"]["tested"],
        "errored": 0,
        "skipped": 0,
        "skip_reasons": [],
    }
    assert report["errors"] == []
    assert report["complete"] is True
    assert report["test_cases"]["generated"] >= EXAMPLES * min(FUZZED, report["operations"]["tested"])


def test_with_a_key_nothing_is_found(stack: LocalStack, tmp_path: Path) -> None:
    """All endpoints; nothing that it makes up is ever broadcast."""
    stack.reconcile()
    key = add_seller(stack)
    printed, report = schemathesis(
        stack,
        tmp_path,
        *("--header", f"Authorization: Bearer {key}", "--checks", "all"),
        *("--exclude-checks", "nobody_comes_in_without_a_key", "--exclude-path-regex", f"^({'|'.join(WITHOUT)})$"),
    )
    found_nothing(printed, report)
    assert report["operations"]["tested"] == OPERATIONS - len(WITHOUT)
    assert stack.gate.broadcasts == []


@pytest.mark.parametrize("key", ["", "Bearer tg_schemathesis_" + "A" * 43], ids=["none", "wrong"])
def test_a61_without_a_key_everything_is_401(stack: LocalStack, tmp_path: Path, key: str) -> None:
    """verify and settle, whatever is sent: 401, and the chain is not asked once."""
    header = ("--header", f"Authorization: {key}") if key else ()
    asked: set[str] = set()
    # Reconcile's minute may fall into it, with a payment that another test left open: never into each of three.
    for _ in range(3):
        stack.gate.clear()
        printed, report = schemathesis(
            stack,
            tmp_path,
            *("--include-path-regex", "/(verify|settle)$", *header),
            *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
            *("--checks", "response_schema_conformance,errors_have_one_form,nobody_comes_in_without_a_key"),
        )
        found_nothing(printed, report)
        assert report["operations"]["tested"] == 2
        asked = {"eth_call", "eth_estimateGas", "eth_sendRawTransaction"} & set(stack.gate.calls)
        if not asked:
            break
    assert not asked
