"""YAML read as a tree that remembers its lines, and only the plain part of YAML.

No anchors, aliases, tags or merge keys, and no key twice: what a reader sees is what is there.
Scalars keep their text, so that ``010`` or ``1:30`` is never quietly another number.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

import yaml

from tollgate_cli.problems import Findings, Problem, WrongFile, did_you_mean

MAX_FILE_BYTES = 1_000_000
_MAX_DEPTH = 12
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?")


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


def read_yaml(text: str, file: str, findings: Findings) -> Node:
    """Parse the file. Raises ``WrongFile`` when it is no readable YAML; the rest goes to ``findings``."""
    try:
        _check_events(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except _Refused as refused:
        raise WrongFile(file, [refused.problem]) from refused
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        sentence = f"is not YAML: {error.problem or error.context}"
        raise WrongFile(file, [Problem(mark.line + 1 if mark else 1, "", sentence)]) from error
    except yaml.YAMLError as error:
        raise WrongFile(file, [Problem(1, "", f"is not YAML: {' '.join(str(error).split())}")]) from error
    if root is None:
        raise WrongFile(file, [Problem(1, "", "is empty; it starts with version: 1 and routes:")])
    return _node(root, "", findings)


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


class _Refused(Exception):
    def __init__(self, line: int, sentence: str) -> None:
        self.problem = Problem(line, "", sentence)


def _check_events(text: str) -> None:
    """Refuse what must not reach the composer: it recurses, and it expands aliases."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _Refused(line, "anchors and aliases (& and *) are not supported: write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise _Refused(line, "is nested too deeply")


def _node(raw: yaml.Node, at: str, findings: Findings) -> Node:
    line: int = raw.start_mark.line + 1
    kind = raw.tag.removeprefix("tag:yaml.org,2002:")
    if isinstance(raw, yaml.SequenceNode) and kind == "seq":
        items = tuple(_node(item, f"{at}[{index}]", findings) for index, item in enumerate(raw.value))
        return Node(line, at, Kind.LIST, items=items)
    if isinstance(raw, yaml.MappingNode) and kind == "map":
        return _mapping(raw, line, at, findings)
    if isinstance(raw, yaml.ScalarNode):
        return Node(line, at, _scalar_kind(raw, kind), text=raw.value)
    return Node(line, at, Kind.OTHER)


def _mapping(raw: yaml.MappingNode, line: int, at: str, findings: Findings) -> Node:
    fields: dict[str, Node] = {}
    lines: dict[str, int] = {}
    for key, value in raw.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        key_line = key.start_mark.line + 1
        place = f"{at}.{name}" if at else name
        if name in fields:
            findings.add(key_line, place, f"stands there twice; first on line {lines[name]}")
            continue
        lines[name] = key_line
        fields[name] = _node(value, place, findings)
    return Node(line, at, Kind.FIELDS, fields=fields, key_lines=lines)


def _scalar_kind(raw: yaml.ScalarNode, tag: str) -> Kind:
    if tag == "str":
        return Kind.TEXT
    if tag == "null":
        return Kind.EMPTY
    if tag in ("int", "float") and _NUMBER.fullmatch(raw.value):
        return Kind.NUMBER
    if tag == "bool" and raw.value in ("true", "false"):
        return Kind.FLAG
    return Kind.OTHER
