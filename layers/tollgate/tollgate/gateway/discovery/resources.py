"""``/discovery/resources`` and ``/discovery/search``: the catalogue of the Bazaar, for this one seller.

Forms as PyPI ``x402`` 2.25.0 reads them (``extensions/bazaar/facilitator_client.py``).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.discovery.listing import Listed, listed
from tollgate.gateway.discovery.query import Filters, read_filters, read_page, read_parameters, read_search
from tollgate.wire import bazaar
from tollgate.wire.models import X402_VERSION

_WORD = re.compile(r"\w+")
# Shorter words are not looked for when there are longer ones; those of this length may stand inside another word.
_SHORTEST = 3


def resources(catalogue: Catalogue, base_url: str, raw_query: str) -> dict[str, Any]:
    """DiscoveryResourcesResponse. Raises ``BadRequest`` 400."""
    given = read_parameters(raw_query)
    page = read_page(given, "offset")
    found = _filtered(listed(catalogue), read_filters(given))
    shown = found[page.offset : page.offset + page.limit]
    return {
        "x402Version": X402_VERSION,
        "items": [item(one, base_url, catalogue.snapshot.applied_at) for one in shown],
        "pagination": {"limit": page.limit, "offset": page.offset, "total": len(found)},
    }


def search(catalogue: Catalogue, base_url: str, raw_query: str) -> dict[str, Any]:
    """SearchDiscoveryResourcesResponse: the best match first. Raises ``BadRequest`` 400.

    Words are looked for in path, method, description and declared names; there is no model behind it.
    """
    given = read_parameters(raw_query)
    words = _stems(read_search(given))
    page = read_page(given, "cursor")
    ranked = [(_matches(words, one), one) for one in _filtered(listed(catalogue), read_filters(given))]
    ranked.sort(key=lambda pair: -pair[0])
    found = [one for matches, one in ranked if matches]
    end = page.offset + page.limit
    return {
        "x402Version": X402_VERSION,
        "resources": [item(one, base_url, catalogue.snapshot.applied_at) for one in found[page.offset : end]],
        "partialResults": end < len(found),
        "pagination": {"limit": page.limit, "cursor": str(end) if end < len(found) else None},
    }


def item(one: Listed, base_url: str, applied_at: int) -> dict[str, Any]:
    """DiscoveryResource. ``applied_at`` is Unix seconds; a path's params are ``:name``, as catalogues have them."""
    out: dict[str, Any] = {
        "resource": base_url + bazaar.route_template(one.pattern),
        "type": "http",
        "x402Version": X402_VERSION,
        "accepts": [requirements.to_json() for requirements in one.accepts],
        "lastUpdated": datetime.fromtimestamp(applied_at, UTC).isoformat().replace("+00:00", "Z"),
        "extensions": one.extensions(),
    }
    if (depends := one.depends_on()) is not None:
        out["dependsOn"] = depends
    if (availability := one.availability()) is not None:
        out["availability"] = availability
    if one.description:
        out["description"] = one.description
    if one.mime_type:
        out["mimeType"] = one.mime_type
    return out


def _filtered(found: Iterable[Listed], filters: Filters) -> list[Listed]:
    return [one for one in found if _passes(one, filters)]


def _passes(one: Listed, filters: Filters) -> bool:
    if filters.type not in (None, "http"):
        return False
    if filters.extensions is not None and filters.extensions not in one.extensions():
        return False
    return any(
        filters.scheme in (None, requirements.scheme)
        and filters.network in (None, str(requirements.network))
        and (filters.pay_to is None or filters.pay_to.lower() == requirements.pay_to.lower)
        for requirements in one.accepts
    )


def _stems(query: str) -> set[str]:
    words = {word.casefold() for word in _WORD.findall(query)}
    longer = {word for word in words if len(word) >= _SHORTEST}
    return {word.removesuffix("s") if len(word) > _SHORTEST else word for word in longer or words}


def _matches(stems: set[str], one: Listed) -> int:
    text = {word.casefold() for word in _WORD.findall(_text(one))}
    return sum(1 for stem in stems if stem in text or (len(stem) >= _SHORTEST and any(stem in word for word in text)))


def _text(one: Listed) -> str:
    declared: Mapping[str, Any] = {"input": one.input, "output": one.output}
    return " ".join((one.method, one.pattern, one.description, one.mime_type, *_names(declared)))


def _names(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
    elif isinstance(value, str):
        yield value
