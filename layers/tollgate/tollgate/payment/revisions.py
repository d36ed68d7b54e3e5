"""Who changed which routes, and when: one revision for each version of the routes table.

A revision is written in the transaction that makes its version, so that neither stands without the other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.errors import ConfigurationError
from tollgate.wire.primitives import Address


@dataclass(frozen=True, slots=True)
class RouteChange:
    """What became of one route. ``kind`` is add, change or remove; ``fields`` are (field, before, after), as people
    read them.

    ``previous`` is the version in which its owner changed it before, 0 for none; ``declaration`` is what the owner
    sent, and ``None`` for what came from a file and for what was removed.
    """

    kind: str
    id: str
    route: str
    owner: Address | None
    fields: tuple[tuple[str, str, str], ...]
    previous: int = 0
    declaration: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of the routes table. ``at`` is Unix seconds; ``actor`` an owner's address, or whom AWS knows the
    operator as."""

    version: int
    at: int
    actor: str
    changes: tuple[RouteChange, ...]


def changes_to_json(changes: tuple[RouteChange, ...]) -> str:
    """The changes of a revision as compact JSON."""
    return json.dumps([_out(change) for change in changes], separators=(",", ":"))


def changes_from_json(text: str) -> tuple[RouteChange, ...]:
    """Read ``changes_to_json`` back. Raises ``ConfigurationError``."""
    try:
        return tuple(_in(item) for item in json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"the routes table holds a revision that cannot be read: {error}") from error


def _out(change: RouteChange) -> dict[str, Any]:
    out: dict[str, Any] = {
        "change": change.kind,
        "id": change.id,
        "route": change.route,
        "fields": [list(field) for field in change.fields],
    }
    if change.owner is not None:
        out["owner"] = change.owner.lower
    if change.previous:
        out["previous"] = change.previous
    if change.declaration is not None:
        out["declaration"] = change.declaration
    return out


def _in(item: Mapping[str, Any]) -> RouteChange:
    return RouteChange(
        kind=str(item["change"]),
        id=str(item["id"]),
        route=str(item["route"]),
        owner=Address.parse(item["owner"]) if "owner" in item else None,
        fields=tuple((str(name), str(before), str(after)) for name, before, after in item["fields"]),
        previous=int(item.get("previous", 0)),
        declaration=item.get("declaration"),
    )
