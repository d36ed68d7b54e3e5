"""What a change of the routes changes, as people read it: one entry per route, one line per field."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tollgate.errors import ConfigurationError
from tollgate.gateway.declaring.rate_limits import rate
from tollgate.gateway.pricing import format_dollars
from tollgate.payment.computed_price import ComputedPrice
from tollgate.payment.networks import network_info
from tollgate.payment.price_choice import PriceChoice
from tollgate.payment.revisions import RouteChange
from tollgate.payment.routes import ApiTarget, FunctionTarget, Route, Target, UpstreamTarget
from tollgate.wire.models import Requirements

# So many times dearer or cheaper, and a change of price is worth a second look.
JUMP = 10


@dataclass(frozen=True, slots=True)
class Change:
    """One route that is added, changed or removed; ``fields`` are (field, before, after)."""

    kind: str
    route: str
    fields: tuple[tuple[str, str, str], ...]

    def lines(self) -> list[str]:
        """The change for a terminal."""
        sign = {"add": "+", "change": "~", "remove": "-"}[self.kind]
        out = [f"{sign} {self.route}"]
        for name, before, after in self.fields:
            if self.kind == "change":
                out.append(f"    {name}: {before or 'none'} -> {after or 'none'}")
            elif self.kind == "add" and after:
                out.append(f"    {name}: {after}")
        return out

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        fields = [{"field": name, "before": before, "after": after} for name, before, after in self.fields]
        return {"change": self.kind, "route": self.route, "fields": fields}


def changes(current: Sequence[Route], wanted: Sequence[Route]) -> list[Change]:
    """The changes from one to the other, by method and path. Previous prices are not part of it."""
    before = {_name(route): route for route in current}
    after = {_name(route): route for route in wanted}
    found: list[Change] = []
    for name in sorted(before.keys() | after.keys()):
        if fields := fields_between(before.get(name), after.get(name)):
            kind = "add" if name not in before else "remove" if name not in after else "change"
            found.append(Change(kind, name, fields))
    return found


def fields_between(before: Route | None, after: Route | None) -> tuple[tuple[str, str, str], ...]:
    """What differs, as (field, before, after); a route that is not there has nothing."""
    old, new = ({} if route is None else _facts(route) for route in (before, after))
    return tuple(
        (field, old.get(field, ""), new.get(field, ""))
        for field in dict.fromkeys((*old, *new))
        if old.get(field, "") != new.get(field, "")
    )


def of_record(current: Sequence[Route], wanted: Sequence[Route]) -> tuple[RouteChange, ...]:
    """The same changes, as a revision keeps them."""
    before = {_name(route): route for route in current}
    after = {_name(route): route for route in wanted}
    found: list[RouteChange] = []
    for change in changes(current, wanted):
        route = after.get(change.route) or before[change.route]
        old = before.get(change.route)
        previous = 0 if old is None else old.revision
        found.append(RouteChange(change.kind, route.id, change.route, route.owner, change.fields, previous))
    return tuple(found)


def still_accepted(routes: Sequence[Route], now: int) -> list[str]:
    """One line for each previous price that buyers may still pay (rule 8)."""
    return (
        [
            f"{_name(route)}: {price(p.requirements)} on {network_info(p.requirements.network).name}"
            f" stays acceptable for {p.until - now} s"
            for route in routes
            for p in route.previous
        ]
        + [
            f"{_name(route)}: the prices by {f.choice.where.value}.{f.choice.field} of before"
            f" stay acceptable for {f.until - now} s"
            for route in routes
            for f in route.former
        ]
        + [
            f"{_name(route)}: what {f.computed.function} said before stays acceptable for up to {f.until - now} s"
            for route in routes
            for f in route.former_computed
        ]
    )


def jumps(current: Sequence[Route], wanted: Sequence[Route]) -> list[str]:
    """A sentence for each price that becomes ten times what it was or more, or a tenth or less: often a typo."""
    before = {_name(route): _amounts(route) for route in current}
    found: list[str] = []
    for route in wanted:
        for key, now in _amounts(route).items():
            old = before.get(_name(route), {}).get(key)
            if old is None or max(old.amount, now.amount) < JUMP * min(old.amount, now.amount):
                continue
            tier = f" of {key[0]}" if key[0] else ""
            network = network_info(now.network).name
            found.append(
                f"{_name(route)}: the price{tier} on {network} becomes {_times(old.amount, now.amount)}"
                f" what it was ({price(old)} -> {price(now)})"
            )
    return found


def _amounts(route: Route) -> dict[tuple[str, ...], Requirements]:
    """Each price by tier, network and token."""
    if route.computed is not None:
        tiers = {"min": route.computed.low, "max": route.computed.high}
    elif route.choice is None:
        tiers = {"": route.accepts}
    else:
        tiers = {t.value: t.accepts for t in route.choice.tiers} | {"any other value": route.choice.otherwise}
    return {(value, str(r.network), r.asset.lower): r for value, accepts in tiers.items() for r in accepts}


def _times(old: int, new: int) -> str:
    return f"{new / old:.3g} times" if new > old else f"1/{old / new:.3g} of"


def price(requirements: Requirements) -> str:
    """``$0.01 USDC`` where the token is known, else atomic units."""
    try:
        asset = network_info(requirements.network).asset(str(requirements.asset))
    except ConfigurationError:
        return f"{requirements.amount} of {requirements.asset}"
    return f"{format_dollars(requirements.amount, asset)} {asset.symbol}"


def _choice_facts(choice: PriceChoice) -> dict[str, str]:
    by = f"{choice.where.value}.{choice.field}"
    facts = {"price": f"by {by}", f"a call without {by}": choice.absent or "refused"}
    for tier in choice.tiers:
        facts |= {f"price of {tier.value} on {network_info(r.network).name}": price(r) for r in tier.accepts}
    if not choice.otherwise:
        facts[f"any other {by}"] = "refused"
    return facts | {f"any other {by} on {network_info(r.network).name}": price(r) for r in choice.otherwise}


def _computed_facts(computed: ComputedPrice) -> dict[str, str]:
    facts = {
        "price": f"computed by {computed.function}",
        "price from the body's": ", ".join(computed.fields),
        "price valid for": f"{computed.valid_seconds} s",
        "price timeout": f"{computed.timeout_seconds:g} s",
    }
    for what, terms in (("min", computed.low), ("max", computed.high)):
        facts |= {f"{what} price on {network_info(r.network).name}": price(r) for r in terms}
    return facts


def _name(route: Route) -> str:
    return f"{route.method} {route.pattern}"


def _facts(route: Route) -> dict[str, str]:
    facts = {"price": "free"} if route.free else {}
    if route.choice is not None:
        facts |= _choice_facts(route.choice)
    if route.computed is not None:
        facts |= _computed_facts(route.computed)
    facts["networks"] = ", ".join(dict.fromkeys(network_info(r.network).name for r in route.terms))
    for r in route.terms:
        network = network_info(r.network).name
        if route.choice is None and route.computed is None:
            facts[f"price on {network}"] = price(r)
        facts[f"paid to on {network}"] = str(r.pay_to)
        facts[f"token on {network}"] = f"{r.asset} {r.extra.get('name', '')} {r.extra.get('version', '')}"
        facts[f"maxTimeoutSeconds on {network}"] = str(r.max_timeout_seconds)
    upstream = route.upstream
    facts |= {
        "upstream": _upstream(upstream),
        "upstream timeout": f"{upstream.timeout_seconds:g} s",
        "upstream health": upstream.health if isinstance(upstream, UpstreamTarget) else "",
        **_headers(upstream),
        "flow": route.flow.value,
        "limit per payer": "" if route.limits is None else rate(route.limits.per_payer),
        "limit per route": "" if route.limits is None else rate(route.limits.per_route),
        "id": route.id,
        "owner": "" if route.owner is None else str(route.owner),
        "fee": f"{route.fee_bps} basis points" if route.fee_bps else "",
        "description": route.description,
        "mimeType": route.mime_type,
        "sourceAddressResends": "true" if route.source_address_resends else "false",
        "input": _json(route.input),
        "output": _json(route.output),
    }
    return facts


def _upstream(upstream: Target) -> str:
    if isinstance(upstream, FunctionTarget):
        return f"function {upstream.function}"
    if isinstance(upstream, ApiTarget):
        return f"api {upstream.url}"
    return f"webhook {upstream.url}" if upstream.webhook else upstream.url


def _headers(upstream: Target) -> dict[str, str]:
    headers = upstream.headers if isinstance(upstream, UpstreamTarget) else ()
    return {
        f"upstream header {header.name}": header.value if header.secret is None else f"from the secret {header.secret}"
        for header in headers
    }


def _json(value: Mapping[str, Any] | None) -> str:
    return "" if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)
