"""What a command ends with: one document for ``--json``, lines for people, an exit code."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Says what is being waited for, while it is being waited for.
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """``warnings`` go to standard error in either form, and into the document."""

    document: dict[str, Any]
    lines: list[str]
    warnings: list[str] = field(default_factory=list)
    code: int = 0
