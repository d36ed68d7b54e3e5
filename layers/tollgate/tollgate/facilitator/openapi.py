"""The facilitator's API as OpenAPI 3.1, for sellers elsewhere, as it is served at ``OPENAPI_PATH``.

docs/openapi.yaml has the same with examples, beside the gateway's; a test holds the two together.
"""

from collections.abc import Mapping
from typing import Any

from tollgate.wire.reasons import Reason

OPENAPI_PATH = "/x402/facilitator/openapi.json"
_JSON = "application/json"
_REASON = {"$ref": "#/components/schemas/Reason"}
_ADDRESS = {"$ref": "#/components/schemas/Address"}
_WORDS = {"type": "string", "minLength": 1}
_BUG = {"$ref": "#/components/responses/Bug"}


def document() -> dict[str, Any]:
    """The document. Its server is relative: the host that it was read from."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tollgate facilitator",
            "version": "0.1.0",
            "description": "Verifies and settles x402 payments for sellers elsewhere who have a key, as the official"
            " SDKs speak it. Whatever concerns the payment is a 200: those SDKs lose the reason of any other answer.",
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/x402/facilitator/verify": {"post": _post("verify", _VERIFY, "VerifyResponse", _VERDICT)},
            "/x402/facilitator/settle": {
                "post": _post("settle", _SETTLE, "SettleResponse", _OUTCOME) | {"description": _AGAIN}
            },
            "/x402/facilitator/supported": {
                "get": {
                    "operationId": "supported",
                    "summary": "Which payments this facilitator would settle now, and who signs its transactions.",
                    "responses": {
                        "200": _answer("Only networks whose relayers have gas are listed.", "SupportedResponse"),
                        "500": _BUG,
                    },
                }
            },
        },
        "components": _COMPONENTS,
    }


_VERIFY = "Would this payment settle now? Writes nothing."
_VERDICT = "The verdict; there is a reason exactly when it is not valid."
_SETTLE = "Bring a payment on chain, once, however often it is asked."
_OUTCOME = "The outcome; success is said only of a transaction of this facilitator that is mined."
_AGAIN = (
    "The same seller asking again on the same terms gets the same outcome. settlement_pending means that nobody can"
    " tell yet: ask again, before offering anything anew. An answer comes within 20 seconds."
)


def _answer(what: str, schema: str) -> dict[str, Any]:
    return {"description": what, "content": {_JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def _post(id: str, summary: str, schema: str, what: str) -> dict[str, Any]:
    refused = {"400": "Malformed", "401": "Unauthorized", "413": "TooLarge"}
    return {
        "operationId": id,
        "summary": summary,
        "security": [{"sellerKey": []}],
        "requestBody": {"$ref": "#/components/requestBodies/Envelope"},
        "responses": {
            "200": _answer(what, schema),
            **{status: {"$ref": f"#/components/responses/{name}"} for status, name in refused.items()},
            "500": _BUG,
        },
    }


_COMPONENTS: Mapping[str, Any] = {
    "securitySchemes": {
        "sellerKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key that `tollgate seller add` printed. It is checked before the body is read.",
        }
    },
    "requestBodies": {
        "Envelope": {
            "required": True,
            "description": "At most 65,536 bytes, with no key given twice.",
            "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Envelope"}}},
        }
    },
    "responses": {
        "Malformed": _answer("The envelope cannot be read; nothing was looked at.", "Error"),
        "Unauthorized": {
            **_answer("No key, or none of this facilitator's; nothing else was looked at.", "Error"),
            "headers": {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}},
        },
        "TooLarge": _answer("The body is over the limit.", "Error"),
        "Bug": _answer(
            "Something went wrong here. Of a settlement it says nothing; ask for the same one again.", "Error"
        ),
    },
    "schemas": {
        "Error": {
            "type": "object",
            "required": ["error", "code"],
            "properties": {
                "error": {**_WORDS, "description": "A sentence for people."},
                "code": {"type": "string", "pattern": "^[a-z0-9_]+$"},
                "details": {"type": "object"},
            },
            "additionalProperties": False,
        },
        "Envelope": {
            "type": "object",
            "required": ["x402Version", "paymentPayload", "paymentRequirements"],
            "properties": {
                "x402Version": {
                    "type": "integer",
                    "description": "1 or 2, the same as in the payment; with any other the payment is refused.",
                },
                "paymentPayload": {"type": "object", "description": "A PaymentPayload of that version."},
                "paymentRequirements": {
                    "type": "object",
                    "description": "PaymentRequirements of that version, from the seller's own configuration. The"
                    " seller's key has to cover its payTo, asset, network and amount.",
                    "required": ["network"],
                    "properties": {
                        "network": {
                            **_WORDS,
                            "maxLength": 64,
                            "description": "A CAIP-2 id in v2, a name in v1.",
                        }
                    },
                },
            },
        },
        "VerifyResponse": {
            "type": "object",
            "required": ["isValid"],
            "properties": {
                "isValid": {"type": "boolean"},
                "invalidReason": _REASON,
                "invalidMessage": _WORDS,
                "payer": _ADDRESS,
            },
            "additionalProperties": False,
            "if": {"properties": {"isValid": {"const": False}}},
            "then": {"required": ["invalidReason", "invalidMessage"]},
            "else": {"required": ["payer"], "properties": {"invalidReason": False, "invalidMessage": False}},
        },
        "SettleResponse": {
            "type": "object",
            "required": ["success", "transaction", "network"],
            "properties": {
                "success": {"type": "boolean"},
                "transaction": {
                    "type": "string",
                    "pattern": "^(0x[0-9a-f]{64})?$",
                    "description": "Empty when nothing was sent.",
                },
                "network": {**_WORDS, "maxLength": 64, "description": "As the request spells it."},
                "payer": _ADDRESS,
                "amount": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "Atomic units."},
                "errorReason": _REASON,
                "errorMessage": _WORDS,
            },
            "additionalProperties": False,
            "if": {"properties": {"success": {"const": False}}},
            "then": {"required": ["errorReason", "errorMessage"], "properties": {"amount": False}},
            "else": {
                "required": ["payer", "amount"],
                "properties": {"transaction": {"minLength": 66}, "errorReason": False, "errorMessage": False},
            },
        },
        "SupportedResponse": {
            "type": "object",
            "required": ["kinds", "extensions", "signers"],
            "properties": {
                "kinds": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["x402Version", "scheme", "network"],
                        "properties": {
                            "x402Version": {"enum": [1, 2]},
                            "scheme": {"const": "exact"},
                            "network": {"type": "string"},
                        },
                        "additionalProperties": False,
                    },
                },
                "extensions": {"type": "array", "items": {"type": "string"}},
                "signers": {
                    "type": "object",
                    "required": ["eip155:*"],
                    "properties": {"eip155:*": {"type": "array", "items": _ADDRESS}},
                    "additionalProperties": False,
                },
            },
            "additionalProperties": False,
        },
        "Address": {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"},
        "Reason": {
            "type": "string",
            "description": "A reason of the x402 specification where there is one, else of the official SDK, else"
            " Tollgate's own. Treat those that you do not know as opaque.",
            "enum": [reason.value for reason in Reason],
        },
    },
}
