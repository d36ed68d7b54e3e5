"""PAYMENT-SIGNATURE to values: what is not exactly a v2 ``exact`` payment by EIP-3009 stops here.

Unknown extra keys are tolerated (threat 15), a wrong type or spelling of a known one is not. What
cannot be read is a ``BadRequest``; what can be read but is not served here is a ``Refusal``.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tollgate.errors import BadRequest, Refusal
from tollgate.wire import headers
from tollgate.wire.models import (
    X402_VERSION,
    Authorization,
    ExactPayload,
    PaymentPayload,
    Requirements,
)
from tollgate.wire.primitives import Address, Bytes32, Network, parse_atomic, parse_hex
from tollgate.wire.reasons import Reason

_T = TypeVar("_T")
_CAIP2 = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")
_SIGNATURE_BYTES = 65


def parse_payment(value: str) -> PaymentPayload:
    """Parse the value of a PAYMENT-SIGNATURE header.

    Raises ``BadRequest`` (400, or 431 over the cap) when it is malformed; ``Refusal`` with
    ``invalid_x402_version``, ``unsupported_scheme``, ``invalid_network``, ``invalid_payload``
    (Permit2 and other transfer methods) or the signature's reason (not 65 bytes: contract wallets).
    """
    message = headers.decode(value)
    if not isinstance(message, dict):
        raise _malformed("the payment", "must be a JSON object")
    version = message.get("x402Version")
    if type(version) is not int or version != X402_VERSION:
        raise Refusal(Reason.INVALID_X402_VERSION, "x402Version must be the number 2.")
    accepted = _requirements(_object(message, "accepted"))
    payload = _object(message, "payload")
    if accepted.extra.get("assetTransferMethod", "eip3009") != "eip3009" or ("permit2Authorization" in payload):
        raise Refusal(Reason.INVALID_PAYLOAD, "Pay by EIP-3009: no other transfer method is served.")
    return PaymentPayload(
        accepted=accepted,
        payload=_exact_payload(payload),
        resource_url=_resource_url(message),
        extensions=_object(message, "extensions", optional=True),
    )


def _requirements(accepted: Mapping[str, Any]) -> Requirements:
    scheme = _string(accepted, "scheme", "accepted.scheme")
    if scheme != "exact":
        raise Refusal(Reason.UNSUPPORTED_SCHEME, "The only scheme served here is exact.")
    network = accepted.get("network")
    if isinstance(network, str) and _CAIP2.fullmatch(network) is not None and not network.startswith("eip155:"):
        raise Refusal(Reason.INVALID_NETWORK, "Only networks of the eip155 namespace are served.")
    seconds = accepted.get("maxTimeoutSeconds")
    if type(seconds) is not int or seconds <= 0:
        raise _malformed("accepted.maxTimeoutSeconds", "must be a positive integer")
    return Requirements(
        scheme=scheme,
        network=_field(Network.parse, accepted, "network", "accepted"),
        amount=_field(_positive, accepted, "amount", "accepted"),
        asset=_field(Address.parse, accepted, "asset", "accepted"),
        pay_to=_field(Address.parse, accepted, "payTo", "accepted"),
        max_timeout_seconds=seconds,
        extra=_object(accepted, "extra", "accepted.extra", optional=True),
    )


def _exact_payload(payload: Mapping[str, Any]) -> ExactPayload:
    where = "payload.authorization"
    a = _object(payload, "authorization", where)
    authorization = Authorization(
        from_=_field(Address.parse, a, "from", where),
        to=_field(Address.parse, a, "to", where),
        value=_field(_positive, a, "value", where),
        valid_after=_field(parse_atomic, a, "validAfter", where),
        valid_before=_field(parse_atomic, a, "validBefore", where),
        nonce=_field(Bytes32.parse, a, "nonce", where),
    )
    signature = _field(_any_hex, payload, "signature", "payload")
    if len(signature) != _SIGNATURE_BYTES:
        raise Refusal(Reason.SIGNATURE, "The signature must be 65 bytes: contract wallets are not served.")
    return ExactPayload(authorization, signature)


def _resource_url(message: Mapping[str, Any]) -> str | None:
    if message.get("resource") is None:
        return None
    return _string(_object(message, "resource"), "url", "resource.url")


def _object(data: Mapping[str, Any], key: str, name: str | None = None, *, optional: bool = False) -> dict[str, Any]:
    value = data.get(key)
    if value is None and optional:
        return {}
    if not isinstance(value, dict):
        raise _malformed(name or key, "must be a JSON object")
    return value


def _string(data: Mapping[str, Any], key: str, name: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise _malformed(name, "must be a string")
    return value


def _field(parse: Callable[[object], _T], data: Mapping[str, Any], key: str, where: str) -> _T:
    try:
        return parse(data.get(key))
    except ValueError as error:
        raise _malformed(f"{where}.{key}", str(error)) from error


def _positive(text: object) -> int:
    value = parse_atomic(text)
    if value == 0:
        raise ValueError("must be greater than zero")
    return value


def _any_hex(text: object) -> bytes:
    return parse_hex(text, max_bytes=headers.MAX_PAYMENT_HEADER)


def _malformed(name: str, why: str) -> BadRequest:
    return BadRequest(400, "malformed_payment", f"In PAYMENT-SIGNATURE, {name} {why}.")
