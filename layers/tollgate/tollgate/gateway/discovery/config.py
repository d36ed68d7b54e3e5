"""``/x402/config``: what this stack speaks and takes, in one look."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.discovery.listing import Listed, listed, price_of, token_of
from tollgate.gateway.offers import extensions
from tollgate.payment.networks import NetworkInfo
from tollgate.payment.states import Flow
from tollgate.payment.terms import flow_of
from tollgate.payment.v1_names import V1_NAMES
from tollgate.wire import bazaar, v1
from tollgate.wire.models import X402_VERSION, Requirements

SCHEMES = ("exact",)


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What the operator chose. ``facilitators`` are the remote ones, or nothing for the stack's own."""

    base_url: str
    networks: Sequence[NetworkInfo]
    asset: str
    facilitators: tuple[str, ...]


def config(catalogue: Catalogue, facts: StackFacts) -> dict[str, Any]:
    """The document. Amounts are atomic units as decimal strings; a network that is not ``payable`` waits for gas."""
    found = listed(catalogue)
    offers = [requirements for one in found for requirements in one.accepts]
    out_of_gas = {status.network for status in catalogue.snapshot.networks if not status.has_gas}
    spoken = [X402_VERSION, v1.X402_VERSION] if any(n.network in V1_NAMES for n in facts.networks) else [X402_VERSION]
    own = f"{facts.base_url}/x402/facilitator"
    return {
        "x402Versions": sorted(spoken),
        "schemes": list(SCHEMES),
        "flows": [flow.value for flow in Flow],
        "extensions": [*extensions(), bazaar.EXTENSION],
        "networks": [_network(info, facts, offers, payable=info.network not in out_of_gas) for info in facts.networks],
        "routes": _routes(found),
        "facilitator": {
            "own": not facts.facilitators,
            "urls": list(facts.facilitators) or [own],
            "endpoints": {name: f"{own}/{name}" for name in ("verify", "settle", "supported")},
        },
        "documents": {
            "challenge": f"{facts.base_url}/x402/challenge",
            "resources": f"{facts.base_url}/discovery/resources",
            "search": f"{facts.base_url}/discovery/search",
            "wellKnown": f"{facts.base_url}/.well-known/x402",
            "openapi": f"{facts.base_url}/openapi.json",
            "llms": f"{facts.base_url}/llms.txt",
            "admin": f"{facts.base_url}/x402/admin/openapi.json",
        },
    }


def _network(info: NetworkInfo, facts: StackFacts, offers: Iterable[Requirements], *, payable: bool) -> dict[str, Any]:
    here = [requirements for requirements in offers if requirements.network == info.network]
    # The stack's own token, and those that single routes ask for.
    tokens = {asset.address: asset for r in here if (asset := token_of(r)) is not None}
    own = info.payable_asset(facts.asset)
    out: dict[str, Any] = {
        "network": str(info.network),
        "name": info.name,
        "testnet": info.testnet,
        "payable": payable,
        "tokens": [
            {
                "symbol": token.symbol,
                "address": str(token.address),
                "decimals": token.decimals,
                "domain": {"name": token.name, "version": token.version},
                "assetTransferMethod": token.transfer_method,
                **_bounds([r for r in here if r.asset == token.address]),
            }
            for token in ({own.address: own} | tokens).values()
        ],
    }
    if info.network in V1_NAMES:
        out["v1Name"] = V1_NAMES[info.network]
    return out


def _bounds(offers: Sequence[Requirements]) -> dict[str, Any]:
    """The lowest and the highest price among the routes; nothing where none is in this token."""
    if not offers:
        return {}
    low, high = min(offers, key=lambda r: r.amount), max(offers, key=lambda r: r.amount)
    return {
        "minimum": {"amount": str(low.amount), "price": price_of(low)},
        "maximum": {"amount": str(high.amount), "price": price_of(high)},
    }


def _routes(found: Sequence[Listed]) -> dict[str, Any]:
    used = {flow_of(one.accepts[0]) for one in found}
    return {"count": len(found), "flows": [flow.value for flow in Flow if flow in used]}
