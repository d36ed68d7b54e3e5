"""The figures of docs/guarantees.md: what the suites left in .build/prove, as one table."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from local.paths import ROOT
from tests.attacks.table import LAST, numbered
from tests.faults.sabotages import SABOTAGES
from tests.prove.stages import FIGURES, Ran

PAGE = ROOT / "docs" / "guarantees.md"
_BLOCK = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)


def table(ran: Sequence[Ran], where: str) -> str:
    """A Markdown table: what each stage did, and what its suite counted."""
    lines = ["| what | figure |", "|---|---:|"]
    for stage in ran:
        if stage.tests == 0 and not stage.ok:
            lines.append(f"| {stage.stage.what} | did not run |")
            continue
        end = "all passed" if stage.ok else f"**{stage.failed} failed**"
        skipped = f", {stage.skipped} skipped" if stage.skipped else ""
        passed = f"{stage.tests - stage.skipped:,} tests, {end}{skipped}, {stage.seconds:.0f} s"
        lines.append(f"| **{stage.stage.name}**: {stage.stage.what} | {passed} |")
        lines += [f"| {what} | {figure} |" for what, figure in _own(stage.stage.name)]
    return "\n".join(lines) + f"\n\nMeasured {where}.\n"


def renew(page: str, figures: str) -> str:
    """The page with these figures."""
    return _BLOCK.sub(lambda found: f"{found[1]}{figures}{found[2]}", page)


def _own(stage: str) -> Iterator[tuple[str, str]]:
    """What the stage's suite wrote down itself, and what can be counted without running it."""
    if stage == "attacks":
        yield "threats with a test, of " + str(LAST), str(len(numbered()))
    if stage == "faults":
        yield "sabotages", str(len(SABOTAGES))
    file = FIGURES / f"{stage.replace(' ', '_')}.json"
    if file.exists():
        yield from _flat(json.loads(file.read_text()))


def _flat(found: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in found.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, dict):
            yield from _flat(value, f"{name}: ")
        elif isinstance(value, bool):
            yield name, "yes" if value else "no"
        elif isinstance(value, int | float):
            yield name, f"{value:,}"
        elif isinstance(value, str):
            yield name, value
