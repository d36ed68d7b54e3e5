"""``tollgate routes list``: what a stack sells, for how much, and whether what is behind it answered last."""

from typing import Any

from tollgate.gateway.declaring.changes import price
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.health import health_url
from tollgate.payment.routes import FunctionTarget, Route, Snapshot, UpstreamHealth
from tollgate_cli.ages import age
from tollgate_cli.aws import Aws
from tollgate_cli.result import Result
from tollgate_cli.stack import read_stack

# Method and path, price, upstream, health.
Row = tuple[str, str, str, str]


def list_routes(stack_name: str, aws: Aws, now: int) -> Result:
    """One line a route, in the file's order."""
    stack = read_stack(aws.cloudformation, stack_name)
    snapshot = RoutesTable(aws.dynamodb, stack.routes_table, ()).load_with_health()
    lines, routes = described(snapshot, now)
    document = {"stack": stack.name, "version": snapshot.version, "routes": routes}
    return Result(document, lines or [f"{stack.name} sells nothing: run tollgate routes apply with a routes.yaml"])


def described(snapshot: Snapshot, now: int) -> tuple[list[str], list[dict[str, Any]]]:
    """For people and for programs. ``now`` is Unix seconds."""
    rows = [_row(route, snapshot, now) for route in snapshot.routes]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return [_line(row, widths) for row in rows], [_document(route, snapshot) for route in snapshot.routes]


def health_of(route: Route, snapshot: Snapshot) -> UpstreamHealth | None:
    """What was last seen of a route's upstream."""
    url = health_url(route)
    return next((health for health in snapshot.health if health.url == url), None)


def said(health: UpstreamHealth, now: int) -> str:
    """``up for 2 h`` or ``down for 5 min (status_503)``."""
    return f"up for {age(now - health.since)}" if health.up else f"down for {age(now - health.since)} ({health.why})"


def _line(row: Row, widths: list[int]) -> str:
    padded = (text.ljust(width) for text, width in zip(row[:3], widths, strict=True))
    return "  ".join((*padded, row[3])).rstrip()


def _row(route: Route, snapshot: Snapshot, now: int) -> Row:
    upstream = route.upstream.function if isinstance(route.upstream, FunctionTarget) else route.upstream.url
    health = health_of(route, snapshot)
    state = "" if health_url(route) is None else "not looked at yet" if health is None else said(health, now)
    return f"{route.method} {route.pattern}", _price(route), upstream, state


def _price(route: Route) -> str:
    if route.free:
        return "free"
    amounts = sorted({(r.amount, price(r)) for r in route.terms})
    return amounts[0][1] if len(amounts) == 1 else f"{amounts[0][1]} to {amounts[-1][1]}"


def _document(route: Route, snapshot: Snapshot) -> dict[str, Any]:
    health = health_of(route, snapshot)
    return {
        "id": route.id,
        "method": route.method,
        "path": route.pattern,
        "owner": None if route.owner is None else str(route.owner),
        "price": _price(route),
        "upstream": route.upstream.function if isinstance(route.upstream, FunctionTarget) else route.upstream.url,
        "health": None
        if health is None
        else {"up": health.up, "why": health.why, "checkedAt": health.checked_at, "since": health.since},
    }
