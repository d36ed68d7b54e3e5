"""Routes and revisions as their owner sees them, as JSON."""

from collections.abc import Mapping
from typing import Any

from tollgate.payment.revisions import Revision, RouteChange
from tollgate.payment.routes import Route


def route_view(route: Route, declaration: Mapping[str, Any] | None) -> dict[str, Any]:
    """A route. ``version`` is what If-Match wants; what an operator's file declares has none, and no declaration."""
    return {
        "id": route.id,
        "method": route.method,
        "path": route.pattern,
        "version": route.revision or None,
        "managedBy": "owner" if route.revision else "operator",
        "feeBps": route.fee_bps,
        "accepts": [terms.to_json() for terms in route.terms],
        "declaration": None if declaration is None else dict(declaration),
    }


def change_view(revision: Revision, change: RouteChange) -> dict[str, Any]:
    """One change of one route: who, what and when (Unix seconds)."""
    return {
        "version": revision.version,
        "at": revision.at,
        "by": revision.actor,
        "change": change.kind,
        "id": change.id,
        "route": change.route,
        "fields": [{"field": name, "before": before, "after": after} for name, before, after in change.fields],
        "declaration": None if change.declaration is None else dict(change.declaration),
    }
