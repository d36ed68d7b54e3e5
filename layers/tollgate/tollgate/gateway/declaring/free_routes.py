"""``price: free``: what such a route may say, and that it is no way around a price."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.tree import Kind, Node
from tollgate.payment.function_names import FunctionName
from tollgate.payment.routes import FunctionTarget, Route

FREE = "free"
# Terms of a payment, which nobody makes there.
_UNUSED = ("networks", "payTo", "maxTimeoutSeconds", "flow", "irreversible", "slow", "sourceAddressResends")


def is_free(price: Node | None) -> bool:
    """Whether the price says ``free``."""
    return price is not None and price.kind is Kind.TEXT and price.text == FREE


def without_terms(fields: dict[str, Node], findings: Findings) -> dict[str, Node]:
    """The fields of a free route; a term of payment among them is a problem."""
    for name in _UNUSED:
        if name in fields:
            findings.add(fields[name].line, fields[name].at, "says how a payment is made, but the route is free")
    if (limit := fields.get("limit")) is not None:
        findings.add(
            limit.line, limit.at, "counts what is paid for, but the route is free: calls of it are not written down"
        )
    return {name: node for name, node in fields.items() if name not in (*_UNUSED, "limit")}


def check_reach(routes: Sequence[Route], nodes: Sequence[Node], findings: Findings) -> None:
    """No request to a free route may arrive where a priced one leads (threat 29).

    Upstreams differ in what they take for one path: letters of either case, a slash at the end. A param of the
    free route that could spell the priced upstream in any such way would give it away.
    """
    for route, node in zip(routes, nodes, strict=True):
        if not route.free:
            continue
        for other in routes:
            if not other.free and other.method == route.method and _meet(route, other):
                findings.add(
                    node.line,
                    node.inside("upstream"),
                    f"could be asked for what {other.method} {other.pattern} sells: give the two upstreams paths"
                    " that no request to the free route can spell alike",
                )


def _meet(one: Route, other: Route) -> bool:
    (host, path), (other_host, other_path) = _place(one), _place(other)
    return (
        host == other_host
        and len(path) == len(other_path)
        and all(a == b or "{" in a or "{" in b for a, b in zip(path, other_path, strict=True))
    )


def _place(route: Route) -> tuple[str, list[str]]:
    """Who is asked, and for which path: a function is asked for the route's own."""
    if isinstance(route.upstream, FunctionTarget):
        try:
            name = FunctionName.parse(route.upstream.function).name
        except ValueError:
            name = route.upstream.function
        return f"function {name}", route.pattern.lower().rstrip("/").split("/")
    parts = urlsplit(route.upstream.url.lower())
    return parts.netloc.removesuffix(".").removesuffix(":443").removesuffix(":80"), parts.path.rstrip("/").split("/")
