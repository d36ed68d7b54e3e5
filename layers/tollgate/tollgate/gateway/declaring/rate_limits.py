"""``limit: {per_payer: 60/minute, per_route: 1000/minute}``: how often a route may be bought."""

import re

from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.tree import Kind, Node, fields_of, text_of
from tollgate.payment.rate_limits import RateLimit, RouteLimits

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(r"([1-9][0-9]{0,8})/(second|minute|hour|day)")
# All claims of a route with per_route write one row, one after the other.
MOST_PER_ROUTE_A_SECOND = 50


def read_limit(node: Node | None, findings: Findings) -> RouteLimits | None:
    """The limits; ``None`` without any, or after recording what is wrong with them."""
    if node is None:
        return None
    fields = fields_of(node, findings, (), ("per_payer", "per_route"))
    payer, route = _rate(fields.get("per_payer"), findings), _rate(fields.get("per_route"), findings)
    if node.kind is Kind.FIELDS and not node.fields:
        findings.add(node.line, node.at, "must say per_payer, per_route or both, such as {per_payer: 60/minute}")
    if route is not None and route.calls > MOST_PER_ROUTE_A_SECOND * route.seconds:
        place = fields["per_route"]
        findings.add(
            place.line,
            place.at,
            f"must be at most {MOST_PER_ROUTE_A_SECOND} a second on average: they are counted one after the other."
            " Above that the API's own throttle (ThrottleRate) is the limit",
        )
    return None if payer is None and route is None else RouteLimits(payer, route)


def rate(limit: RateLimit | None) -> str:
    """As it stands in a file."""
    if limit is None:
        return ""
    unit = next((name for name, seconds in _UNITS.items() if seconds == limit.seconds), f"{limit.seconds} s")
    return f"{limit.calls}/{unit}"


def _rate(node: Node | None, findings: Findings) -> RateLimit | None:
    text = text_of(node, findings)
    if node is None or text is None:
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        findings.add(node.line, node.at, f"must be a number of calls per {', '.join(_UNITS)}, such as 60/minute")
        return None
    return RateLimit(int(match[1]), _UNITS[match[2]])
