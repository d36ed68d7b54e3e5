"""A JSON text as the tree that the checker reads, so that a request is held to what a file is held to."""

from typing import Any

from tollgate.gateway.declaring.tree import NUMBER, Kind, Node
from tollgate.wire import strict_json

MAX_DEPTH = 12


def read_json(data: bytes, *, max_bytes: int) -> Node:
    """Parse it. Raises ``BadRequest`` as ``strict_json.loads``."""
    return _node(strict_json.loads(data, max_bytes=max_bytes, max_depth=MAX_DEPTH, floats=True), "")


def _node(value: Any, at: str) -> Node:
    if isinstance(value, dict):
        fields = {name: _node(inner, f"{at}.{name}" if at else name) for name, inner in value.items()}
        return Node(1, at, Kind.FIELDS, fields=fields, key_lines=dict.fromkeys(fields, 1))
    if isinstance(value, list):
        return Node(1, at, Kind.LIST, items=tuple(_node(item, f"{at}[{index}]") for index, item in enumerate(value)))
    if value is None:
        return Node(1, at, Kind.EMPTY)
    if isinstance(value, bool):
        return Node(1, at, Kind.FLAG, text="true" if value else "false")
    if isinstance(value, str):
        return Node(1, at, Kind.TEXT, text=value)
    text = repr(value)
    return Node(1, at, Kind.NUMBER if NUMBER.fullmatch(text) else Kind.OTHER, text=text)
