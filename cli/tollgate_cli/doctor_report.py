"""What the doctor finds: one line each, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is: all is well, good to know, or must be mended."""

    OK = "ok"
    NOTE = "note"
    MEND = "mend"


@dataclass(frozen=True, slots=True)
class Finding:
    """``check`` is what was looked at, ``todo`` what to do, "" when there is nothing to do."""

    check: str
    level: Level
    sentence: str
    todo: str = ""

    def lines(self) -> list[str]:
        """The finding for a terminal."""
        first = f"{self.level.value:<5} {self.check:<12} {self.sentence}"
        return [first, f"{'':18} -> {self.todo}"] if self.todo else [first]

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        return {"check": self.check, "level": self.level.value, "finding": self.sentence, "todo": self.todo}


@dataclass(slots=True)
class Report:
    """Findings in the order of the checks."""

    findings: list[Finding] = field(default_factory=list)

    def ok(self, check: str, sentence: str) -> None:
        """All is well."""
        self.findings.append(Finding(check, Level.OK, sentence))

    def note(self, check: str, sentence: str, todo: str = "") -> None:
        """Good to know, or could not be looked at."""
        self.findings.append(Finding(check, Level.NOTE, sentence, todo))

    def mend(self, check: str, sentence: str, todo: str) -> None:
        """Something does not work, or soon will not."""
        self.findings.append(Finding(check, Level.MEND, sentence, todo))

    @property
    def to_mend(self) -> list[Finding]:
        """What must be mended."""
        return [finding for finding in self.findings if finding.level is Level.MEND]


def listed(words: Iterable[object]) -> str:
    """``a, b or c``."""
    *most, last = [str(word) for word in words]
    return f"{', '.join(most)} or {last}" if most else last
