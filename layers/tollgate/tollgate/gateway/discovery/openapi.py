"""``/openapi.json``: OpenAPI 3.1 of what is sold, made from the routes, with Tollgate's own endpoints beside it.

``x-payment-info`` is the convention of x402scan (Merit-Systems/x402scan, docs/DISCOVERY.md and pull request 761);
``x-x402`` holds the offers themselves.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.discovery.fixed import ENDPOINTS, Endpoint
from tollgate.gateway.discovery.listing import Listed, listed, token_of
from tollgate.gateway.path_pattern import PathPattern
from tollgate.gateway.pricing import format_dollars
from tollgate.wire import bazaar
from tollgate.wire.models import X402_VERSION, Requirements

_MEDIA = {"json": "application/json", "form-data": "multipart/form-data", "text": "text/plain"}
_BASE64 = {"type": "string", "pattern": "^[A-Za-z0-9+/]+={0,2}$"}
_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
_ERRORS = {
    "400": "A request or a payment that cannot be read.",
    "409": "The payment was used already, or its payment-identifier belongs to another one. No offer.",
    "413": "The body is too large. Not charged.",
    "415": "The price is in the body, which is not JSON. Not charged.",
    "429": "Too much under way for this payer. Nothing was charged.",
    "502": "The service answered nothing that can be delivered.",
    "503": "The outcome is not known yet, or nothing can be settled now: send the same payment again.",
    "504": "The service did not answer in time. Not charged.",
}
_PAYMENT_HEADERS = [
    {
        "name": "PAYMENT-SIGNATURE",
        "in": "header",
        "required": False,
        "description": "The payment (x402 v2): base64 of JSON that accepts and signs an offer. Without it: 402.",
        "schema": _BASE64,
    }
]


def openapi(catalogue: Catalogue, base_url: str) -> dict[str, Any]:
    """The document. A pattern's params stand in its path as they do in the seller's file."""
    found = listed(catalogue)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": urlsplit(base_url).netloc,
            "version": str(catalogue.snapshot.version),
            "description": "An HTTP API that is paid per call over x402 (HTTP 402 Payment Required). Whoever sends no "
            "payment gets a 402 with the offer; the offer counts, whatever a copy of this document says.",
        },
        "servers": [{"url": base_url}],
        "paths": _paths(found) | {endpoint.path: {endpoint.method: _own(endpoint)} for endpoint in ENDPOINTS},
        "components": _COMPONENTS,
        "x-discovery": {"llmsTxtUrl": f"{base_url}/llms.txt"},
    }


def _paths(found: Iterable[Listed]) -> dict[str, Any]:
    """OpenAPI takes two templates that differ in names only for one: the first route's names stand for all methods."""
    paths: dict[str, Any] = {}
    named: dict[object, tuple[str, tuple[str, ...]]] = {}
    for one in found:
        pattern = PathPattern.parse(one.pattern)
        path, params = named.setdefault(pattern.shape, (one.pattern, pattern.params))
        operation = _operation(one, dict(zip(pattern.params, params, strict=True)))
        paths.setdefault(path, {})[one.method.lower()] = operation
    return paths


def _operation(one: Listed, params: Mapping[str, str]) -> dict[str, Any]:
    given = one.input or {}
    described = given.get("pathParams", {}).get("properties", {})
    out: dict[str, Any] = {
        "operationId": re.sub(r"[^A-Za-z0-9]+", "_", f"{one.method.lower()}{one.pattern}").rstrip("_"),
        "summary": one.description or f"{one.method} {one.pattern}",
        "parameters": [
            *(
                {"name": public, "in": "path", "required": True, "schema": described.get(name, {"type": "string"})}
                for name, public in params.items()
            ),
            *([] if bazaar.takes_body(one.method) else _query(given)),
            *_PAYMENT_HEADERS,
        ],
        "responses": {
            "200": {**_delivered(one), "headers": {"PAYMENT-RESPONSE": {"$ref": "#/components/headers/Receipt"}}},
            "402": {"$ref": "#/components/responses/Offer"},
            **{status: {"$ref": f"#/components/responses/{status}"} for status in _ERRORS},
        },
        "x-payment-info": _payment_info(one.accepts),
        "x-x402": {"x402Version": X402_VERSION, "accepts": [r.to_json() for r in one.accepts]},
    }
    if (depends := one.depends_on()) is not None:
        out["x-x402"]["dependsOn"] = depends
    if bazaar.takes_body(one.method):
        out["requestBody"] = _body(one, given)
    return out


def _query(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    schema, example = given.get("schema", {}), given.get("example", {})
    properties, required = schema.get("properties", {}), schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": properties.get(name, {}),
            **({"example": example[name]} if name in example else {}),
        }
        for name in dict.fromkeys((*properties, *example))
    ]


def _body(one: Listed, given: Mapping[str, Any]) -> dict[str, Any]:
    if one.input is None:
        return {"content": {"*/*": {"schema": {}}}}
    said: dict[str, Any] = {"schema": given.get("schema", {})}
    if "example" in given:
        said["example"] = given["example"]
    return {"required": "schema" in given, "content": {_MEDIA[given.get("bodyType", bazaar.BODY_TYPES[0])]: said}}


def _delivered(one: Listed) -> dict[str, Any]:
    out: dict[str, Any] = {"description": "What was paid for, as the service answers it."}
    if one.output is not None:
        text = isinstance(one.output["example"], str)
        media = one.mime_type or ("text/plain" if text else "application/json")
        out["content"] = {media: {"schema": one.output.get("schema", {}), "example": one.output["example"]}}
    elif one.mime_type:
        out["content"] = {one.mime_type: {"schema": {}}}
    return out


def _payment_info(accepts: Sequence[Requirements]) -> dict[str, Any]:
    info: dict[str, Any] = {"protocols": [{"x402": {}}]}
    tokens = [token_of(r) for r in accepts]
    if any(token is None or not token.dollar for token in tokens):
        return info
    # All are dollars, perhaps of different decimals.
    amounts = [format_dollars(r.amount, token)[1:] for r, token in zip(accepts, tokens, strict=True) if token]
    low, high = min(amounts, key=_by_value), max(amounts, key=_by_value)
    price = {"mode": "fixed", "amount": low} if low == high else {"mode": "dynamic", "min": low, "max": high}
    return info | {"price": {"currency": "USD", **price}}


def _by_value(amount: str) -> tuple[int, str]:
    """Sorts decimal texts by value, without a float."""
    whole, _, fraction = amount.partition(".")
    return int(whole), fraction


def _own(endpoint: Endpoint) -> dict[str, Any]:
    out: dict[str, Any] = {
        "operationId": endpoint.id,
        "summary": endpoint.summary,
        "parameters": [
            {"name": name, "in": endpoint.place(name), "required": name in endpoint.needed, "schema": dict(schema)}
            for name, schema in endpoint.parameters.items()
        ],
        "responses": {str(status): {"description": what} for status, what in endpoint.answers.items()},
    }
    if endpoint.keyed:
        out["security"] = [{"sellerKey": []}]
        out["requestBody"] = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    return out


_COMPONENTS: Mapping[str, Any] = {
    "securitySchemes": {
        "sellerKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "Of a seller elsewhere whom this stack serves.",
        }
    },
    "headers": {
        "Receipt": {"description": "The receipt (x402 v2): base64 of JSON, with the transaction.", "schema": _BASE64}
    },
    "responses": {
        **{status: {"description": what, "content": _ERROR} for status, what in _ERRORS.items()},
        "Offer": {
            "description": "Payment required, or the payment was refused and nothing was charged; the error says why.",
            "headers": {
                "PAYMENT-REQUIRED": {
                    "description": "The offer (x402 v2): base64 of JSON.",
                    "required": True,
                    "schema": _BASE64,
                }
            },
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
    },
    "schemas": {
        "Error": {
            "type": "object",
            "properties": {
                "error": {"type": "string"},
                "code": {"type": "string"},
                "details": {"type": "object"},
            },
            "required": ["error", "code"],
        }
    },
}
