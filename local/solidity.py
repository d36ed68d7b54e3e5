"""The token and the batch helper, compiled with npm's solc and kept by the hash of their sources."""

import hashlib
import json
import os
import subprocess
from functools import cache
from typing import Any

from local.paths import BUILD, NODE, ROOT

_SOURCES = ROOT / "local" / "contracts"


@cache
def compiled() -> dict[str, Any]:
    """``{"Token": {"abi", "bytecode"}, "Batch": ...}``. Raises ``RuntimeError`` with solc's messages."""
    digest = hashlib.sha256((ROOT / "package-lock.json").read_bytes())
    for source in sorted(_SOURCES.iterdir()):
        digest.update(source.read_bytes())
    kept = BUILD / f"contracts-{digest.hexdigest()[:16]}.json"
    if not kept.exists():
        command = [str(NODE), str(_SOURCES / "compile.cjs"), str(ROOT)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"the contracts do not compile:\n{done.stderr}")
        BUILD.mkdir(exist_ok=True)
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.write_text(done.stdout)
        fresh.rename(kept)
    contracts: dict[str, Any] = json.loads(kept.read_text())
    return contracts
