"""``/.well-known/x402``: the resources for sale, for crawlers and agents that know nothing but the domain.

``version`` and ``resources`` are the form that x402scan's discovery reads (its docs/DISCOVERY.md, "fan-out"); ``items``
say the same with method and price. No specification of x402 fixes this document.
"""

from typing import Any

from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.discovery.listing import Listed, listed, price_of
from tollgate.wire.models import X402_VERSION


def well_known(catalogue: Catalogue, base_url: str) -> dict[str, Any]:
    """The document. Params of paths stand as ``{name}``; any value in their place gets the same offer."""
    found = listed(catalogue)
    return {
        "version": 1,
        "x402Version": X402_VERSION,
        "resources": list(dict.fromkeys(base_url + one.pattern for one in found)),
        "items": [_item(one, base_url) for one in found],
        "config": f"{base_url}/x402/config",
        "openapi": f"{base_url}/openapi.json",
        "llms": f"{base_url}/llms.txt",
        "discovery": f"{base_url}/discovery/resources",
    }


def _item(one: Listed, base_url: str) -> dict[str, Any]:
    out: dict[str, Any] = {
        "method": one.method,
        "url": base_url + one.pattern,
        "prices": [
            {
                "network": str(requirements.network),
                "asset": str(requirements.asset),
                "amount": str(requirements.amount),
                "price": price_of(requirements),
            }
            for requirements in one.accepts
        ],
    }
    if (depends := one.depends_on()) is not None:
        out["dependsOn"] = depends
    if (availability := one.availability()) is not None:
        out["availability"] = availability
    if one.description:
        out["description"] = one.description
    return out
