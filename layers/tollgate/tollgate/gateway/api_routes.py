"""Which of the routes the proxy sells, and which the authorizer of a REST API: one table, and no route is both's.

What an authorizer sells it settles first, so terms of another flow, of before a route became the authorizer's, are not
taken there any more.
"""

from dataclasses import replace

from tollgate.payment.routes import ApiTarget, Route, Snapshot
from tollgate.payment.states import Flow
from tollgate.payment.terms import flow_of
from tollgate.wire.models import Requirements


def of_the_proxy(snapshot: Snapshot) -> Snapshot:
    """Without the authorizer's routes: to the proxy they are not for sale."""
    return replace(snapshot, routes=tuple(r for r in snapshot.routes if not isinstance(r.upstream, ApiTarget)))


def of_the_authorizer(snapshot: Snapshot) -> Snapshot:
    """The authorizer's routes, with those terms only that settle first."""
    own = tuple(r for r in snapshot.routes if isinstance(r.upstream, ApiTarget) and not r.free and not r.computed)
    return replace(snapshot, routes=tuple(_settled_first(route) for route in own))


def _settled_first(route: Route) -> Route:
    def first(requirements: Requirements) -> bool:
        return flow_of(requirements) is Flow.UPFRONT

    return replace(
        route,
        accepts=tuple(r for r in route.accepts if first(r)),
        previous=tuple(p for p in route.previous if first(p.requirements)),
        former=tuple(f for f in route.former if all(first(r) for r in f.choice.terms)),
        former_computed=(),
    )
