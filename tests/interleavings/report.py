"""What was walked: printed, and kept in .build/prove/interleavings.json for docs/guarantees.md."""

import fcntl
import json
import os
import sys
from typing import Any

from tests.interleavings.explore import Figures
from tests.prove.stages import FIGURES

# Set to walk everything: `make interleavings`, and `make prove`.
FULL = bool(os.environ.get("TOLLGATE_INTERLEAVINGS"))
_FILE = FIGURES / "interleavings.json"


def publish(what: str, figures: Figures) -> None:
    """Print one walk's figures and add them to the file; several processes may."""
    sys.stdout.write(f"\n{what}: {figures}\n")
    if FULL:
        keep(what, figures.row())


def keep(what: str, row: dict[str, Any]) -> None:
    """Add a row to the file."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    with _FILE.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = json.loads(file.read() or "{}")
        known[what] = row
        file.seek(0)
        file.truncate()
        json.dump(known, file, indent=2, sort_keys=True)
