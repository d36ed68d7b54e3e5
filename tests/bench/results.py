"""Everything that a run found, and where: what the tables are made of, and what is kept as JSON."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from local.paths import BUILD
from tests.bench.calls import Found
from tests.bench.counts import Count
from tests.bench.footprint import Footprint
from tests.bench.serving import Deployed

_VERSIONS = ("x402", "web3", "eth-account", "fastapi", "coincurve", "boto3")


@dataclass
class Results:
    """A section that was not run is empty."""

    quick: bool
    where: dict[str, str]
    checking: dict[str, float] = field(default_factory=dict)
    footprint: dict[str, Footprint] = field(default_factory=dict)
    layer_mb: float = 0.0
    counts: dict[str, Count] = field(default_factory=dict)
    in_process: dict[str, dict[str, Found]] = field(default_factory=dict)
    deployed: Deployed | None = None

    def keep(self, *, whole: bool) -> Path:
        """Write the raw numbers down; returns where. Only a whole run replaces those of the page."""
        raw = BUILD / ("bench.json" if whole else "bench-part.json")
        raw.parent.mkdir(exist_ok=True)
        raw.write_text(json.dumps(asdict(self), indent=1, default=str) + "\n")
        return raw


def where() -> dict[str, str]:
    """The machine and the moment."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores of {_processor()}, {platform.system()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {version}" for name in _VERSIONS if (version := _version(name))),
    }


def _processor() -> str:
    info: dict[str, Any] = {}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        info = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
    model = next((value.strip() for key, value in info.items() if key.strip() == "model name"), "")
    return f"{model} ({platform.machine()})" if model else platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
