"""Tollgate's own endpoints, as ``/openapi.json`` lists them beside what is sold.

docs/openapi.yaml has the same with schemas and examples; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.gateway.catalogue import METHODS
from tollgate.gateway.discovery.query import MAX_LIMIT, MAX_QUERY

_BUG = {500: "A bug; if a payment was sent, send the same one again."}
_FILTERS = ("type", "payTo", "scheme", "network", "extensions")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``parameters`` are schemas by name: the path's where it names them, the headers' where ``headers`` does, else the
    query's; ``needed`` are required. ``keyed``: for sellers elsewhere."""

    path: str
    method: str
    id: str
    summary: str
    answers: Mapping[int, str]
    parameters: Mapping[str, Mapping[str, Any]]
    needed: frozenset[str] = frozenset()
    keyed: bool = False
    headers: frozenset[str] = frozenset()

    def place(self, name: str) -> str:
        """Where a parameter stands, in OpenAPI's words."""
        if f"{{{name}}}" in self.path:
            return "path"
        return "header" if name in self.headers else "query"


_LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 20}
_NUMBER = {"type": "integer", "minimum": 0, "maximum": 10**9, "default": 0}
_TEXT = {"type": "string"}
_KEYED = {200: "The verdict or the outcome.", 400: "Malformed.", 401: "No key.", 413: "Too large."} | _BUG
_SIGNED_IN = {400: "Malformed.", 403: "Not signed in.", 404: "None of yours.", 431: "Too large."} | _BUG
SIGN_IN_WITH_X = "SIGN-IN-WITH-X"

ENDPOINTS = (
    Endpoint(
        "/x402/challenge",
        "get",
        "challenge",
        "The offer of a route, for callers who ask first and for gateways that want only the 402.",
        {
            200: "It is free.",
            402: "The offer.",
            400: "Parameters.",
            404: "Not for sale.",
            405: "Another method.",
            503: "No gas.",
        }
        | _BUG,
        {
            "path": _TEXT,
            "method": {"type": "string", "enum": list(METHODS), "default": "GET"},
            "query": _TEXT,
            "value": _TEXT,
        },
        frozenset({"path"}),
    ),
    Endpoint(
        "/x402/executions",
        "post",
        "executions",
        "How a paid workflow ended, said by the workflow under the URL that it was given.",
        {
            200: "It is kept.",
            404: "Nobody was given this URL, or its day is over.",
            409: "Another end was said before.",
            413: "Too large.",
        }
        | _BUG,
        {
            "payment": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "token": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "outcome": {"type": "string", "enum": ["failed"]},
        },
        frozenset({"payment", "token"}),
    ),
    Endpoint(
        "/x402/results",
        "get",
        "results",
        "A paid result that was not ready at once, under the link that its buyer got.",
        {
            200: "The result.",
            202: "Not ready yet.",
            404: "Nobody was given this link.",
            410: "Past its day.",
            502: "The service gave no result.",
            503: "The payment behind it is not settled at the moment.",
            504: "The service gave none in time.",
        }
        | _BUG,
        {"token": {"type": "string", "pattern": "^[0-9a-f]{32}$"}},
        frozenset({"token"}),
    ),
    Endpoint(
        "/x402/payments",
        "get",
        "payments",
        "The payments of whoever signs in, as payer or as owner of routes, the newest first; as JSON or CSV.",
        {200: "A page of them.", 400: "Parameters.", 403: "Not signed in.", 431: "Too large."} | _BUG,
        {
            "as": {"type": "string", "enum": ["payer", "owner"], "default": "payer"},
            **dict.fromkeys(("status", "network", "route", "from", "to"), _TEXT),
            "transaction": {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
            "cursor": _TEXT,
            "format": {"type": "string", "enum": ["json", "csv"], "default": "json"},
            SIGN_IN_WITH_X: _TEXT,
        },
        headers=frozenset({SIGN_IN_WITH_X}),
    ),
    Endpoint(
        "/x402/analytics",
        "get",
        "analytics",
        "What the routes of whoever signs in earned - paid calls and revenue by route, day, network and token.",
        {200: "The sums.", 400: "Parameters.", 403: "Not signed in.", 431: "Too large."} | _BUG,
        {"from": _TEXT, "to": _TEXT, "by": _TEXT, SIGN_IN_WITH_X: _TEXT},
        headers=frozenset({SIGN_IN_WITH_X}),
    ),
    Endpoint(
        "/x402/payments/{id}",
        "get",
        "payment",
        "How a payment stands, for its payer.",
        {200: "The record."} | _SIGNED_IN,
        {"id": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, SIGN_IN_WITH_X: _TEXT},
        frozenset({"id"}),
        headers=frozenset({SIGN_IN_WITH_X}),
    ),
    Endpoint(
        "/x402/receipts/{transaction}",
        "get",
        "receipt",
        "The signed receipt of a payment, for its payer; anybody can verify it.",
        {200: "The receipt.", 409: "Not settled.", 503: "The chain cannot be asked."} | _SIGNED_IN,
        {
            "transaction": {"type": "string", "pattern": "^0x[0-9a-f]{64}$"},
            "check": {"type": "string", "enum": ["chain"]},
            SIGN_IN_WITH_X: _TEXT,
        },
        frozenset({"transaction"}),
        headers=frozenset({SIGN_IN_WITH_X}),
    ),
    Endpoint(
        "/x402/did.json",
        "get",
        "did",
        "Whose key signs receipts, as the DID document of did:web:<host>:x402.",
        {200: "The document.", 400: "Parameters."} | _BUG,
        {},
    ),
    Endpoint(
        "/x402/config",
        "get",
        "config",
        "Networks, tokens, lowest and highest price, facilitator, and versions of x402.",
        {200: "What this stack speaks and takes."} | _BUG,
        {},
    ),
    Endpoint(
        "/.well-known/x402",
        "get",
        "wellKnown",
        "The resources for sale, for crawlers and agents that know nothing but the domain.",
        {200: "The resources."} | _BUG,
        {},
    ),
    Endpoint(
        "/discovery/resources",
        "get",
        "discoveryResources",
        "The resources for sale, as the Bazaar lists them.",
        {200: "A page of them.", 400: "Parameters."} | _BUG,
        {**dict.fromkeys(_FILTERS, _TEXT), "limit": _LIMIT, "offset": _NUMBER},
    ),
    Endpoint(
        "/discovery/search",
        "get",
        "discoverySearch",
        "The resources for sale in whose path, description or declared names the words occur, the best match first.",
        {200: "A page of them.", 400: "Parameters."} | _BUG,
        {
            "query": {"type": "string", "minLength": 1, "maxLength": MAX_QUERY, "pattern": r"\S"},
            **dict.fromkeys(_FILTERS, _TEXT),
            "limit": _LIMIT,
            "cursor": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,8})$"},
        },
        frozenset({"query"}),
    ),
    Endpoint(
        "/x402/facilitator/verify",
        "post",
        "verify",
        "Would this payment settle now? Writes nothing.",
        _KEYED,
        {},
        keyed=True,
    ),
    Endpoint(
        "/x402/facilitator/settle",
        "post",
        "settle",
        "Bring a payment on chain, once, however often it is asked.",
        _KEYED,
        {},
        keyed=True,
    ),
    Endpoint(
        "/x402/facilitator/supported",
        "get",
        "supported",
        "Which payments this facilitator would settle now, and who signs its transactions.",
        {200: "Kinds and signers."} | _BUG,
        {},
    ),
    Endpoint(
        "/x402/facilitator/openapi.json",
        "get",
        "facilitatorOpenapi",
        "OpenAPI 3.1 of the facilitator alone, for sellers elsewhere.",
        {200: "The document."},
        {},
    ),
)
