"""What is wrong with a routes file: all of it at once, each with its line and field."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tollgate.errors import TollgateError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to mend. ``line`` counts from 1; ``field`` is ``routes[0].price``, or "" for the file."""

    line: int
    field: str
    sentence: str

    def text(self, file: str) -> str:
        """``routes.yaml:12: routes[0].price: must be ...``."""
        where = f"{file}:{self.line}: "
        return where + (f"{self.field}: {self.sentence}" if self.field else self.sentence)

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        return {"line": self.line, "field": self.field, "problem": self.sentence}


@dataclass(slots=True)
class Findings:
    """Problems and notes as they are found; a note does not stop anything."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def add(self, line: int, field: str, sentence: str) -> None:
        """Record a problem."""
        self.problems.append(Problem(line, field, sentence))

    def note(self, line: int, field: str, sentence: str) -> None:
        """Record a note."""
        self.notes.append(Problem(line, field, sentence))


class WrongFile(TollgateError):
    """The file cannot be used; ``problems`` has every reason, in the file's order."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(problem.text(file) for problem in self.problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean price?)``, or "" when nothing is near."""
    near = difflib.get_close_matches(word.lower(), {k.lower(): k for k in known}, n=1, cutoff=0.6)
    spelled = {k.lower(): k for k in known}
    return f" (did you mean {spelled[near[0]]}?)" if near else ""
