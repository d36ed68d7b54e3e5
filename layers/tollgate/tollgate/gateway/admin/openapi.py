"""The admin API as OpenAPI 3.1, as it is served at ``OPENAPI_PATH``."""

from collections.abc import Mapping
from typing import Any

from tollgate.gateway.admin.owned import MAX_BODY_BYTES
from tollgate.gateway.admin.sign_in import READ
from tollgate.gateway.catalogue import METHODS

OPENAPI_PATH = "/x402/admin/openapi.json"

_WHY = {
    400: "Malformed: the sign-in, the parameters or the JSON.",
    401: "Not signed in; details.signIn says what to sign.",
    403: "The sign-in does not fit this request, is not fresh, or is of a wallet that is no owner here.",
    404: "No such route of yours.",
    409: "Taken, full, used up, or the operator's; the code says which. Nothing was changed.",
    412: "It is another version by now; details.version says which. Nothing was changed.",
    413: f"Over {MAX_BODY_BYTES} bytes.",
    422: "Not a route that can be sold; details.problems say what to mend. Nothing was changed.",
    428: "No If-Match; details.version says which version there is.",
    429: "Too many changes within minutes; Retry-After says when.",
    431: "The sign-in is too large.",
    500: "A bug. Whether it was changed, reading the route tells.",
    503: "Others change routes at the same moment. Nothing was changed: sign and send it again.",
}
_READING = (400, 401, 403, 431, 500)
_CHANGING = (*_READING, 409, 429, 503)
_TEXT = {"type": "string"}
_VERSION = {"type": "integer", "minimum": 1}


def document(base_url: str) -> dict[str, Any]:
    """The document; ``base_url`` has no trailing slash."""
    routes, one = "/x402/admin/routes", "/x402/admin/routes/{id}"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tollgate admin",
            "version": "0.1.0",
            "description": "Owners register the routes that they sell here, see them and change them. Who may be an"
            " owner, below which path and on which terms, the operator says. A route is what it is in a routes.yaml,"
            " as JSON. Each request is signed with the owner's wallet (EIP-4361): a read with the request id"
            f" {READ}, good for all reads for five minutes; a change with a request id over all that it says,"
            " good for this change, once. An unsigned request is told what to sign. Buyers see a change within a"
            " minute, and a price of before stays payable for as long as somebody may hold an offer of it.",
        },
        "servers": [{"url": base_url}],
        "security": [{"wallet": []}],
        "paths": {
            routes: {
                "get": _operation("listRoutes", "Your routes.", {200: _json("Your routes.", "Routes")}, _READING),
                "post": _operation(
                    "createRoute",
                    "Register a route.",
                    {201: _json("It is registered.", "Route", "ETag", "Location")},
                    (*_CHANGING, 413, 422),
                    body=True,
                ),
            },
            one: {
                "parameters": [{"$ref": "#/components/parameters/id"}],
                "get": _operation(
                    "readRoute", "One of your routes.", {200: _json("The route.", "Route")}, (*_READING, 404)
                ),
                "put": _operation(
                    "replaceRoute",
                    "Put another declaration in the place of a route's.",
                    {200: _json("It is replaced.", "Route", "ETag")},
                    (*_CHANGING, 404, 412, 413, 422, 428),
                    body=True,
                    matched=True,
                ),
                "delete": _operation(
                    "deleteRoute",
                    "Take a route away.",
                    {204: {"description": "It is gone: nothing is sold there any more."}},
                    (*_CHANGING, 404, 412, 428),
                    matched=True,
                ),
            },
            one + "/versions": {
                "parameters": [{"$ref": "#/components/parameters/id"}, {"$ref": "#/components/parameters/before"}],
                "get": _operation(
                    "listVersions",
                    "What a route was before, the newest first.",
                    {200: _json("A page of versions.", "Versions")},
                    (*_READING, 404),
                ),
            },
            "/x402/admin/changes": {
                "parameters": [{"$ref": "#/components/parameters/before"}],
                "get": _operation(
                    "listChanges",
                    "Who changed which of your routes, and when, the newest first.",
                    {200: _json("A page of changes. It may be empty and yet have a next.", "Changes")},
                    _READING,
                ),
            },
            OPENAPI_PATH: {
                "get": _operation(
                    "openapi",
                    "This document.",
                    {200: {"description": "It.", "content": {"application/json": {"schema": {"type": "object"}}}}},
                    (400, 500),
                )
                | {"security": []},
            },
        },
        "components": _COMPONENTS,
    }


def _operation(
    id: str,
    summary: str,
    answers: Mapping[int, Mapping[str, Any]],
    errors: tuple[int, ...],
    *,
    body: bool = False,
    matched: bool = False,
) -> dict[str, Any]:
    refused = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(errors)}
    out: dict[str, Any] = {
        "operationId": id,
        "summary": summary,
        "responses": {**{str(status): dict(said) for status, said in answers.items()}, **refused},
    }
    if matched:
        out["parameters"] = [{"$ref": "#/components/parameters/ifMatch"}]
    if body:
        declared = {"application/json": {"schema": {"$ref": "#/components/schemas/Declaration"}}}
        out["requestBody"] = {"required": True, "content": declared}
    return out


def _json(what: str, schema: str, *sent: str) -> dict[str, Any]:
    out: dict[str, Any] = {
        "description": what,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }
    if sent:
        out["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in sent}
    return out


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _page(name: str) -> dict[str, Any]:
    items = {"type": "array", "items": {"$ref": "#/components/schemas/Change"}}
    return _object(
        **{name: items, "next": {"type": ["integer", "null"], "description": "before of the next page, if any."}}
    )


_COMPONENTS: Mapping[str, Any] = {
    "securitySchemes": {
        "wallet": {
            "type": "apiKey",
            "in": "header",
            "name": "SIGN-IN-WITH-X",
            "description": "A signed EIP-4361 message, as base64 of JSON (x402's extension sign-in-with-x).",
        }
    },
    "parameters": {
        "id": {
            "name": "id",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,47}$"},
        },
        "before": {
            "name": "before",
            "in": "query",
            "description": "The next of the page before.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 10**14},
        },
        "ifMatch": {
            "name": "If-Match",
            "in": "header",
            "description": "The version to change, in quotes: the ETag of the route. It is signed with the change.",
            "schema": {"type": "string", "pattern": '^"[1-9][0-9]*"$'},
        },
    },
    "headers": {
        "ETag": {"required": True, "description": "The version, in quotes.", "schema": _TEXT},
        "Location": {"required": True, "description": "Where the route is.", "schema": _TEXT},
    },
    "responses": {
        str(status): {
            "description": what,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status, what in _WHY.items()
    },
    "schemas": {
        "Declaration": {
            "type": "object",
            "description": "A route as in a routes.yaml, with these differences: id is needed to register one, the path"
            " is below your own, payTo is yours, price is not free, flow is authorization, secrets are those that the"
            " operator keeps for you, and input and output have examples but no schema.",
            "properties": {
                "id": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,47}$"},
                "method": {"type": "string", "enum": list(METHODS)},
                "path": _TEXT,
                "price": {"type": ["string", "object"]},
                "upstream": {"type": "object"},
            },
            "required": ["method", "path", "price", "upstream"],
        },
        "Route": _object(
            id=_TEXT,
            method={"type": "string", "enum": list(METHODS)},
            path=_TEXT,
            version={"type": ["integer", "null"], "description": "None for what the operator's file declares."},
            managedBy={"enum": ["owner", "operator"]},
            feeBps={
                "type": "integer",
                "minimum": 0,
                "maximum": 10_000,
                "description": "What of each payment you owe the operator, in hundredths of a percent.",
            },
            accepts={"type": "array", "items": {"type": "object"}},
            declaration={"type": ["object", "null"]},
        ),
        "Routes": _object(routes={"type": "array", "items": {"$ref": "#/components/schemas/Route"}}),
        "Change": _object(
            version=_VERSION,
            at={"type": "integer", "description": "Unix seconds."},
            by={"type": "string", "description": "An owner's address, or whom AWS knows the operator as."},
            change={"enum": ["add", "change", "remove"]},
            id=_TEXT,
            route=_TEXT,
            fields={"type": "array", "items": _object(field=_TEXT, before=_TEXT, after=_TEXT)},
            declaration={"type": ["object", "null"]},
        ),
        "Versions": _page("versions"),
        "Changes": _page("changes"),
        "Error": {
            "type": "object",
            "properties": {
                "error": {"type": "string", "minLength": 1},
                "code": {"type": "string", "pattern": "^[a-z0-9_]+$"},
                "details": {"type": "object"},
            },
            "required": ["error", "code"],
            "additionalProperties": False,
        },
    },
}
