"""How many worlds a run visited: one line at its end, and .build/prove/crash.json for docs/guarantees.md."""

import json
from typing import Any

from local.paths import BUILD

FILE = BUILD / "prove" / "crash.json"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Add up what every crash test recorded, whichever worker it ran in."""
    rows = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "crash" and getattr(report, "when", "") == "call"
    ]
    if not rows:
        return
    figures: dict[str, int] = {
        "scenarios": len({(flow, name) for flow, name, *_ in rows}),
        "worlds visited": sum(crashes + faults + pairs for *_, crashes, faults, pairs in rows),
        "with one crash": sum(row[2] for row in rows),
        "with another fault": sum(row[3] for row in rows),
        "with two crashes": sum(row[4] for row in rows),
    }
    terminalreporter.write_line("crash enumeration: " + ", ".join(f"{n:,} {what}" for what, n in figures.items()))
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(figures, indent=1) + "\n")
