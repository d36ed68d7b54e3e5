"""YAML read as a tree that remembers its lines, and only the plain part of YAML.

No anchors, aliases, tags or merge keys, and no key twice: what a reader sees is what is there.
Scalars keep their text, so that ``010`` or ``1:30`` is never quietly another number.
"""

import yaml

from tollgate.gateway.declaring.problems import Findings, Problem, WrongFile
from tollgate.gateway.declaring.tree import NUMBER, Kind, Node

MAX_FILE_BYTES = 1_000_000
_MAX_DEPTH = 12


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
    if tag in ("int", "float") and NUMBER.fullmatch(raw.value):
        return Kind.NUMBER
    if tag == "bool" and raw.value in ("true", "false"):
        return Kind.FLAG
    return Kind.OTHER
