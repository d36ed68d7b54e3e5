"""Routes and network statuses as the JSON that the routes table holds.

Reading is strict: exactly the fields that writing makes. An item that anything else wrote is an
operator's problem and is never served from. What only some routes have is left out of the others, so that items
of earlier versions are read, and earlier versions refuse what they would sell wrongly.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

from tollgate.errors import ConfigurationError
from tollgate.payment.computed_price import ComputedPrice, FormerComputedPrice
from tollgate.payment.function_names import FunctionName
from tollgate.payment.price_choice import FormerChoice, PriceChoice, Tier, Where
from tollgate.payment.rate_limits import RateLimit, RouteLimits
from tollgate.payment.routes import (
    MAX_FEE_BPS,
    ApiTarget,
    FunctionTarget,
    NetworkStatus,
    PreviousPrice,
    Route,
    Target,
    UpstreamHeader,
    UpstreamHealth,
    UpstreamTarget,
)
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network, parse_atomic

FORMAT = 1


def routes_to_json(routes: Sequence[Route]) -> str:
    """The routes as one compact JSON text."""
    return json.dumps({"format": FORMAT, "routes": [_route_out(r) for r in routes]}, separators=(",", ":"))


def routes_from_json(text: str) -> tuple[Route, ...]:
    """Read ``routes_to_json`` back. Raises ``ConfigurationError`` on anything else."""
    try:
        document = _fields(_parse(text), "format", "routes")
        if document["format"] != FORMAT or isinstance(document["format"], bool):
            raise ValueError(f"format must be {FORMAT}")
        return tuple(_route_in(item) for item in _list(document["routes"], "routes"))
    except ValueError as error:
        raise ConfigurationError(f"the routes table holds routes that cannot be read: {error}") from error


def status_to_json(status: NetworkStatus) -> str:
    """A network's status as compact JSON."""
    document = {
        "network": str(status.network),
        "relayers": [str(address) for address in status.relayers],
        "hasGas": status.has_gas,
        "checkedAt": status.checked_at,
    }
    return json.dumps(document, separators=(",", ":"))


def status_from_json(text: str) -> NetworkStatus:
    """Read ``status_to_json`` back. Raises ``ConfigurationError``."""
    try:
        data = _fields(_parse(text), "network", "relayers", "hasGas", "checkedAt")
        return NetworkStatus(
            Network.parse(data["network"]),
            tuple(Address.parse(item) for item in _list(data["relayers"], "relayers")),
            _flag(data["hasGas"], "hasGas"),
            _whole(data["checkedAt"], "checkedAt"),
        )
    except ValueError as error:
        raise ConfigurationError(f"the routes table holds a status that cannot be read: {error}") from error


def health_to_json(health: Sequence[UpstreamHealth]) -> str:
    """What was seen of upstreams, as compact JSON."""
    seen = [{"url": h.url, "up": h.up, "why": h.why, "checkedAt": h.checked_at, "since": h.since} for h in health]
    return json.dumps(seen, separators=(",", ":"))


def health_from_json(text: str) -> tuple[UpstreamHealth, ...]:
    """Read ``health_to_json`` back. Raises ``ConfigurationError``."""
    try:
        items = [_fields(h, "url", "up", "why", "checkedAt", "since") for h in _list(_parse(text), "health")]
        return tuple(
            UpstreamHealth(
                _text(h["url"], "url"),
                _flag(h["up"], "up"),
                _text(h["why"], "why"),
                _whole(h["checkedAt"], "checkedAt"),
                _whole(h["since"], "since"),
            )
            for h in items
        )
    except ValueError as error:
        raise ConfigurationError(f"the routes table holds states of upstreams that cannot be read: {error}") from error


def _route_out(route: Route) -> dict[str, Any]:
    declared = {"input": route.input, "output": route.output}
    out: dict[str, Any] = {
        "id": route.id,
        "method": route.method,
        "pattern": route.pattern,
        "accepts": [r.to_json() for r in route.accepts],
        "previous": [{"requirements": p.requirements.to_json(), "until": p.until} for p in route.previous],
        "upstream": _target_out(route.upstream),
        "description": route.description,
        "mimeType": route.mime_type,
        "sourceAddressResends": route.source_address_resends,
        **{name: value for name, value in declared.items() if value is not None},
    }
    if route.free:
        out["free"] = True
    if route.choice is not None:
        out["choice"] = _choice_out(route.choice)
    if route.limits is not None:
        out["limits"] = {"perPayer": _rate_out(route.limits.per_payer), "perRoute": _rate_out(route.limits.per_route)}
    if route.owner is not None:
        out["owner"] = route.owner.lower
    if route.revision:
        out["revision"] = route.revision
    if route.fee_bps:
        out["feeBps"] = route.fee_bps
    if route.former:
        out["former"] = [{"choice": _choice_out(f.choice), "until": f.until} for f in route.former]
    if route.computed is not None:
        out["computed"] = _computed_out(route.computed)
    if route.former_computed:
        out["formerComputed"] = [
            {"computed": _computed_out(f.computed), "until": f.until} for f in route.former_computed
        ]
    return out


def _route_in(item: object) -> Route:
    data = _fields(
        item,
        "id", "method", "pattern", "accepts", "previous", "upstream", "description", "mimeType",
        "sourceAddressResends",
        optional=(
            "choice", "computed", "feeBps", "former", "formerComputed", "free", "input", "limits", "output", "owner",
            "revision",
        ),
    )  # fmt: skip
    previous = (_fields(p, "requirements", "until") for p in _list(data["previous"], "previous"))
    return Route(
        id=_text(data["id"], "id"),
        method=_text(data["method"], "method"),
        pattern=_text(data["pattern"], "pattern"),
        accepts=_accepts_in(data["accepts"], "accepts"),
        previous=tuple(
            PreviousPrice(_requirements_in(p["requirements"]), _whole(p["until"], "until")) for p in previous
        ),
        upstream=_target_in(data["upstream"]),
        description=_text(data["description"], "description"),
        mime_type=_text(data["mimeType"], "mimeType"),
        source_address_resends=_flag(data["sourceAddressResends"], "sourceAddressResends"),
        input=_declared(data, "input"),
        output=_declared(data, "output", "example"),
        free=_flag(data.get("free", False), "free"),
        limits=_limits_in(data["limits"]) if "limits" in data else None,
        choice=_choice_in(data["choice"]) if "choice" in data else None,
        owner=Address.parse(data["owner"]) if "owner" in data else None,
        revision=_whole(data.get("revision", 0), "revision"),
        fee_bps=_basis_points(data.get("feeBps", 0)),
        former=tuple(
            FormerChoice(_choice_in(f["choice"]), _whole(f["until"], "until"))
            for f in (_fields(item, "choice", "until") for item in _list(data.get("former", []), "former"))
        ),
        computed=_computed_in(data["computed"]) if "computed" in data else None,
        former_computed=tuple(
            FormerComputedPrice(_computed_in(f["computed"]), _whole(f["until"], "until"))
            for f in (_fields(f, "computed", "until") for f in _list(data.get("formerComputed", []), "formerComputed"))
        ),
    )


def _target_out(target: Target) -> dict[str, Any]:
    if isinstance(target, FunctionTarget):
        return {"function": target.function, "timeoutSeconds": target.timeout_seconds}
    if isinstance(target, ApiTarget):
        return {"api": target.url}
    out: dict[str, Any] = {"url": target.url, "timeoutSeconds": target.timeout_seconds, "secretHeader": None}
    if len(target.headers) == 1 and target.headers[0].secret is not None:
        out["secretHeader"] = {"name": target.headers[0].name, "secret": target.headers[0].secret}
    elif target.headers:
        out["headers"] = [_header_out(header) for header in target.headers]
    if target.webhook:
        out["webhook"] = True
    if target.health:
        out["health"] = target.health
    return out


def _target_in(item: object) -> Target:
    if isinstance(item, dict) and "function" in item:
        upstream = _fields(item, "function", "timeoutSeconds")
        function = FunctionName.parse(_text(upstream["function"], "function"))
        return FunctionTarget(str(function), _seconds(upstream["timeoutSeconds"]))
    if isinstance(item, dict) and "api" in item:
        return ApiTarget(_text(_fields(item, "api")["api"], "api"))
    upstream = _fields(item, "url", "timeoutSeconds", "secretHeader", optional=("headers", "health", "webhook"))
    headers = [_header_in(header, "value") for header in _list(upstream.get("headers", []), "headers")]
    if upstream["secretHeader"] is not None:
        headers.append(_header_in(upstream["secretHeader"]))
    return UpstreamTarget(
        _text(upstream["url"], "url"),
        _seconds(upstream["timeoutSeconds"]),
        tuple(headers),
        webhook=_flag(upstream.get("webhook", False), "webhook"),
        health=_text(upstream.get("health", ""), "health"),
    )


def _header_out(header: UpstreamHeader) -> dict[str, str]:
    if header.secret is not None:
        return {"name": header.name, "secret": header.secret}
    return {"name": header.name, "value": header.value}


def _header_in(item: object, *other: str) -> UpstreamHeader:
    """One with a secret's name, or with ``other`` fields in its place."""
    if isinstance(item, dict) and other and "secret" not in item:
        data = _fields(item, "name", *other)
        return UpstreamHeader(_text(data["name"], "name"), value=_text(data["value"], "value"))
    data = _fields(item, "name", "secret")
    return UpstreamHeader(_text(data["name"], "name"), secret=_text(data["secret"], "secret"))


def _rate_out(limit: RateLimit | None) -> dict[str, int] | None:
    return None if limit is None else {"calls": limit.calls, "seconds": limit.seconds}


def _limits_in(item: object) -> RouteLimits:
    data = _fields(item, "perPayer", "perRoute")
    return RouteLimits(_rate_in(data["perPayer"]), _rate_in(data["perRoute"]))


def _rate_in(item: object) -> RateLimit | None:
    if item is None:
        return None
    data = _fields(item, "calls", "seconds")
    limit = RateLimit(_whole(data["calls"], "calls"), _whole(data["seconds"], "seconds"))
    if not limit.calls or not limit.seconds:
        raise ValueError("calls and seconds must be over 0")
    return limit


def _choice_out(choice: PriceChoice) -> dict[str, Any]:
    return {
        "where": choice.where.value,
        "field": choice.field,
        "tiers": [{"value": t.value, "accepts": [r.to_json() for r in t.accepts]} for t in choice.tiers],
        "absent": choice.absent,
        "otherwise": [r.to_json() for r in choice.otherwise],
    }


def _choice_in(item: object) -> PriceChoice:
    data = _fields(item, "where", "field", "tiers", "absent", "otherwise")
    tiers = (_fields(t, "value", "accepts") for t in _list(data["tiers"], "tiers"))
    return PriceChoice(
        where=Where(data["where"]),
        field=_text(data["field"], "field"),
        tiers=tuple(Tier(_text(t["value"], "value"), _accepts_in(t["accepts"], "accepts")) for t in tiers),
        absent=None if data["absent"] is None else _text(data["absent"], "absent"),
        otherwise=_accepts_in(data["otherwise"], "otherwise"),
    )


def _computed_out(computed: ComputedPrice) -> dict[str, Any]:
    return {
        "function": computed.function,
        "low": [r.to_json() for r in computed.low],
        "high": [r.to_json() for r in computed.high],
        "fields": list(computed.fields),
        "validSeconds": computed.valid_seconds,
        "timeoutSeconds": computed.timeout_seconds,
    }


def _computed_in(item: object) -> ComputedPrice:
    data = _fields(item, "function", "low", "high", "fields", "validSeconds", "timeoutSeconds")
    low, high = _accepts_in(data["low"], "low"), _accepts_in(data["high"], "high")
    if not low or [replace(r, amount=0) for r in low] != [replace(r, amount=0) for r in high]:
        raise ValueError("low and high must be the same requirements, but for their amounts")
    return ComputedPrice(
        function=str(FunctionName.parse(_text(data["function"], "function"))),
        low=low,
        high=high,
        fields=tuple(_text(name, "fields") for name in _list(data["fields"], "fields")),
        valid_seconds=_whole(data["validSeconds"], "validSeconds"),
        timeout_seconds=_seconds(data["timeoutSeconds"]),
    )


def _accepts_in(value: object, name: str) -> tuple[Requirements, ...]:
    return tuple(_requirements_in(r) for r in _list(value, name))


def _requirements_in(item: object) -> Requirements:
    data = _fields(
        item, "scheme", "network", "amount", "asset", "payTo", "maxTimeoutSeconds", "extra"
    )  # fmt: skip
    if data["scheme"] != "exact":
        raise ValueError("scheme must be exact")
    amount = parse_atomic(data["amount"])
    if amount == 0:
        raise ValueError("amount must be over 0")
    extra = data["extra"]
    if not isinstance(extra, dict) or not all(isinstance(value, str) for value in extra.values()):
        raise ValueError("extra must be an object of strings")
    return Requirements(
        scheme="exact",
        network=Network.parse(data["network"]),
        amount=amount,
        asset=Address.parse(data["asset"]),
        pay_to=Address.parse(data["payTo"]),
        max_timeout_seconds=_whole(data["maxTimeoutSeconds"], "maxTimeoutSeconds"),
        extra=extra,
    )


def _parse(text: str) -> object:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise ValueError("a key stands there twice")
        return found

    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    parsed: object = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    return parsed


def _declared(data: dict[str, Any], name: str, *needed: str) -> dict[str, Any] | None:
    value = data.get(name)
    if name in data and not (isinstance(value, dict) and set(needed) <= set(value)):
        raise ValueError(f"{name} must be an object" + "".join(f" with {part}" for part in needed))
    return value


def _fields(data: object, *names: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(data, dict) or set(data) - set(optional) != set(names):
        raise ValueError(f"must be an object with exactly {', '.join(names)}")
    return data


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError("timeoutSeconds must be a number over 0")
    return float(value)


def _basis_points(value: object) -> int:
    points = _whole(value, "feeBps")
    if points > MAX_FEE_BPS:
        raise ValueError(f"feeBps must be at most {MAX_FEE_BPS}")
    return points


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} must be a whole number")
    return value


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    return value
