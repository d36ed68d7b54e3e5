"""What somebody declares, as a tree that remembers its lines: of a routes.yaml, or of a request's JSON.

Scalars keep their text, so that ``010`` or ``1:30`` is never quietly another number.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from tollgate.gateway.declaring.problems import Findings, did_you_mean

# What counts as a number, as it is written.
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?")


class Kind(StrEnum):
    """What a node is, in the words of an error message."""

    TEXT = "text"
    NUMBER = "a number"
    FLAG = "true or false"
    EMPTY = "nothing"
    LIST = "a list"
    FIELDS = "a set of fields"
    OTHER = "something else"


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``line`` counts from 1, ``text`` is a scalar as written, ``at`` is ``routes[0].price``."""

    line: int
    at: str
    kind: Kind
    text: str = ""
    items: tuple["Node", ...] = ()
    fields: dict[str, "Node"] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)

    def inside(self, name: str) -> str:
        """The place of a field of this node."""
        return f"{self.at}.{name}" if self.at else name


def fields_of(
    node: Node, findings: Findings, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Node]:
    """The known fields of a node; missing and unknown ones become problems."""
    known = required + optional
    if node.kind is not Kind.FIELDS:
        findings.add(node.line, node.at, f"must be a set of fields ({', '.join(known)}), not {node.kind.value}")
        return {}
    for name, line in node.key_lines.items():
        if name not in known:
            hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
            findings.add(line, node.inside(name), f"is not a known field{hint}")
    for name in required:
        if name not in node.fields:
            findings.add(node.line, node.inside(name), "is missing")
    return {name: node.fields[name] for name in known if name in node.fields}


def text_of(node: Node | None, findings: Findings, *, longest: int = 2000) -> str | None:
    """A scalar's text; ``None`` after recording why it is none."""
    if node is None:
        return None
    if node.kind is not Kind.TEXT:
        quote = f': quote it ("{node.text}")' if node.kind in (Kind.NUMBER, Kind.FLAG) else ""
        findings.add(node.line, node.at, f"must be text, not {node.kind.value}{quote}")
        return None
    if len(node.text) > longest or not node.text.isprintable():
        findings.add(node.line, node.at, f"must be one line of at most {longest} printable characters")
        return None
    return node.text


def number_of(node: Node | None, findings: Findings, low: float, high: float, default: float) -> float:
    """A number within bounds, or the default after recording why not."""
    if node is None:
        return default
    if node.kind is not Kind.NUMBER or not low <= float(node.text) <= high:
        findings.add(node.line, node.at, f"must be a number of seconds from {low:g} to {high:g}")
        return default
    return float(node.text)
