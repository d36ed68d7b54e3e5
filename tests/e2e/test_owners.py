"""An owner registers a route on the deployed stack with the example's script; it is sold, and then taken away."""

import json
import os
import subprocess
import sys
from pathlib import Path

from eth_account.signers.local import LocalAccount

from local.paths import ROOT
from local.stack import LocalStack
from tests.e2e.http import get, signed

EXAMPLE = ROOT / "examples" / "owner"


def test_an_owner_registers_a_route_that_is_bought(stack: LocalStack, buyer: LocalAccount, tmp_path: Path) -> None:
    """Through the front door and the function's own process: registered, changed, bought, owed for, and taken away."""
    owner = stack.funded_account()
    declared = json.loads((EXAMPLE / "route.json").read_text())
    declared["upstream"] = {"url": stack.upstream.url + "/weather/{kind}"}
    file = tmp_path / "route.json"
    file.write_text(json.dumps(declared))

    def register() -> tuple[int, dict[str, object]]:
        run = subprocess.run(
            [sys.executable, str(EXAMPLE / "register.py"), stack.api_url, str(file)],
            env={"OWNER_KEY": owner.key.to_0x_hex(), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return run.returncode, json.loads(run.stdout)

    stack.tollgate("owner", "set", owner.address, "--path", "/acme", "--fee-bps", "250")
    try:
        (code, made), (again, changed) = register(), register()
        assert (code, again, changed["version"]) == (0, 0, int(str(made["version"])) + 1)
        # Otherwise it is seen within half a minute.
        stack.kill_runtimes(stack.deployed.proxy_function)
        payment = signed(stack, buyer, "/acme/tea/green")
        assert payment["accepted"]["payTo"] == owner.address
        assert get(stack, "/acme/tea/green", payment).status == 200
        assert "fees so far: $0.00025 USDC" in stack.tollgate("owner", "list")
    finally:
        stack.tollgate("owner", "remove", owner.address)
    assert "- GET /acme/tea/{kind}" in stack.tollgate("routes", "history", "--limit", "1")
