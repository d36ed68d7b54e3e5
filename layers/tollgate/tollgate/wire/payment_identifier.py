"""The ``payment-identifier`` extension, and the rule for echoes of what an offer advertises.

Both as in PyPI ``x402`` 2.25.0 (``extensions/payment_identifier``, and ``validate_extensions`` in
``server_base.py``). The identifier is a secret of the buyer: never logged, never sent upstream.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from tollgate.errors import BadRequest, Refusal
from tollgate.wire.models import PaymentPayload
from tollgate.wire.reasons import Reason

EXTENSION = "payment-identifier"

# Rule 6: below this a stranger could guess the identifier, so it opens nothing.
SECRET_BITS = 128
_MIN_DISTINCT = 10

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{16,128}")
_DASHED_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_HEX = re.compile(r"[0-9a-f]+")

# Fields that an extension makes anew in each offer, so that an echo may be older than ours.
_FRESH_FIELDS = {"sign-in-with-x": frozenset({"nonce", "issuedAt", "expirationTime"})}
# Fields that only a server may declare, even where this one declares nothing.
_SERVER_FIELDS = {"builder-code": frozenset({"a"})}


def declaration() -> dict[str, Any]:
    """What an offer's ``extensions`` holds under ``EXTENSION``."""
    return {
        "info": {"required": False},
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "required": {"type": "boolean"},
                "id": {
                    "type": "string",
                    "minLength": 16,
                    "maxLength": 128,
                    "pattern": "^[a-zA-Z0-9_-]+$",
                },
            },
            "required": ["required"],
        },
    }


def identifier_of(payment: PaymentPayload) -> str | None:
    """The identifier that the buyer added to the echo, if any.

    Raises ``BadRequest`` 400 ``invalid_payment_identifier`` when there is one that is not 16 to 128
    letters, digits, ``_`` or ``-``.
    """
    extension = payment.extensions.get(EXTENSION)
    info = extension.get("info") if isinstance(extension, dict) else None
    identifier = info.get("id") if isinstance(info, dict) else None
    if identifier is None:
        return None
    if not isinstance(identifier, str) or _IDENTIFIER.fullmatch(identifier) is None:
        raise BadRequest(
            400,
            "invalid_payment_identifier",
            "A payment-identifier must be 16 to 128 letters, digits, underscores or hyphens.",
        )
    return identifier


def is_secret(identifier: str) -> bool:
    """Whether the identifier has room for 128 bits of chance, so that showing it proves something.

    An upper bound from its length and alphabet. Known shapes that look longer than they are (ULIDs,
    dashed UUIDs with a clock in them) and few distinct characters do not count. 32 hex digits do:
    the official client makes a UUID of that form, with 122 random bits.
    """
    body = identifier.removeprefix("pay_")
    if len(set(body)) < _MIN_DISTINCT or _ULID.fullmatch(body.upper()):
        return False
    uuid = _DASHED_UUID.fullmatch(body.lower())
    if uuid is not None and uuid.group(1) != "4":
        return False
    plain = body.replace("-", "").replace("_", "")
    mixed = plain != plain.lower() and plain != plain.upper()
    if _HEX.fullmatch(plain.lower()):
        bits = math.log2(10 if plain.isdecimal() else 16) * len(plain)
    elif mixed:
        bits = 6 * len(body)
    else:
        bits = math.log2(36) * len(plain)
    return bits >= SECRET_BITS


def check_echo(advertised: Mapping[str, Any], echoed: Mapping[str, Any]) -> None:
    """Of each extension that we advertised and the client echoes, our info is there unchanged.

    The client may add fields, add extensions, and leave echoes out. Raises ``Refusal`` with
    ``extension_echo_mismatch``.
    """
    for key, value in echoed.items():
        ours, theirs = _info(advertised.get(key)), _info(value)
        fresh = _FRESH_FIELDS.get(key, frozenset())
        if key in advertised and not _contains(_without(ours, fresh), _without(theirs, fresh)):
            raise _mismatch(key)
        if isinstance(theirs, dict):
            declared = ours if isinstance(ours, dict) else {}
            for name in _SERVER_FIELDS.get(key, frozenset()) & theirs.keys():
                if name not in declared or declared[name] != theirs[name]:
                    raise _mismatch(key)


def _info(value: Any) -> Any:
    return value["info"] if isinstance(value, dict) and "info" in value else value


def _without(value: Any, names: frozenset[str]) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: v for k, v in value.items() if k not in names}


def _contains(expected: Any, actual: Any) -> bool:
    if not isinstance(expected, dict):
        return bool(expected == actual)
    if not isinstance(actual, dict):
        return False
    return all(_contains(value, actual[key]) if key in actual else value is None for key, value in expected.items())


def _mismatch(key: str) -> Refusal:
    known = key if key in (EXTENSION, *_FRESH_FIELDS, *_SERVER_FIELDS) else "an extension"
    return Refusal(Reason.EXTENSION_ECHO_MISMATCH, f"The echo of {known} differs from the offer.")
