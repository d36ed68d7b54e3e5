"""PAYMENT-SIGNATURE to values: what is not exactly a v2 ``exact`` payment by EIP-3009 stops here.

Unknown extra keys are tolerated (threat 15), a wrong type or spelling of a known one is not. What
cannot be read is a ``BadRequest``; what can be read but is not served here is a ``Refusal``.
"""

import re
from collections.abc import Mapping
from typing import Any

from tollgate.errors import Refusal
from tollgate.wire import headers
from tollgate.wire.fields import Fields, parse_price
from tollgate.wire.models import (
    X402_VERSION,
    Authorization,
    ExactPayload,
    PaymentPayload,
    Requirements,
)
from tollgate.wire.primitives import Address, Bytes32, Network, parse_atomic, parse_hex
from tollgate.wire.reasons import Reason

_CAIP2 = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")
_SIGNATURE_BYTES = 65


def parse_payment(value: str) -> PaymentPayload:
    """Parse the value of a PAYMENT-SIGNATURE header.

    Raises ``BadRequest`` (400, or 431 over the cap) when it is malformed; ``Refusal`` as ``read_payment``.
    """
    return read_payment(headers.decode(value), Fields("PAYMENT-SIGNATURE"))


def read_payment(message: object, fields: Fields) -> PaymentPayload:
    """Read a decoded v2 payment.

    Raises ``BadRequest`` (400) when it is malformed; ``Refusal`` with ``invalid_x402_version``,
    ``unsupported_scheme``, ``invalid_network``, ``invalid_payload`` (Permit2 and other transfer
    methods) or the signature's reason (not 65 bytes: contract wallets).
    """
    data = fields.message(message)
    check_version(data, X402_VERSION)
    accepted = read_requirements(fields.mapping(data, "accepted"), fields, "accepted")
    payload = fields.mapping(data, "payload")
    if accepted.extra.get("assetTransferMethod", "eip3009") != "eip3009":
        raise other_transfer_method()
    return PaymentPayload(
        accepted=accepted,
        payload=read_exact_payload(payload, fields),
        resource_url=_resource_url(data, fields),
        extensions=fields.mapping(data, "extensions", optional=True),
    )


def read_requirements(data: Mapping[str, Any], fields: Fields, where: str) -> Requirements:
    """Read v2 requirements that stand at ``where``. Raises as ``read_payment``."""
    check_scheme(fields.string(data, "scheme", f"{where}.scheme"))
    network = data.get("network")
    if isinstance(network, str) and _CAIP2.fullmatch(network) is not None and not network.startswith("eip155:"):
        raise Refusal(Reason.INVALID_NETWORK, "Only networks of the eip155 namespace are served.")
    return Requirements(
        scheme="exact",
        network=fields.parsed(Network.parse, data, "network", where),
        amount=fields.parsed(parse_price, data, "amount", where),
        asset=fields.parsed(Address.parse, data, "asset", where),
        pay_to=fields.parsed(Address.parse, data, "payTo", where),
        max_timeout_seconds=fields.seconds(data, "maxTimeoutSeconds", where),
        extra=fields.mapping(data, "extra", f"{where}.extra", optional=True),
    )


def read_exact_payload(payload: Mapping[str, Any], fields: Fields) -> ExactPayload:
    """Read the payload of ``exact`` by EIP-3009, which v1 and v2 share. Raises as ``read_payment``."""
    if "permit2Authorization" in payload:
        raise other_transfer_method()
    where = "payload.authorization"
    a = fields.mapping(payload, "authorization", where)
    authorization = Authorization(
        from_=fields.parsed(Address.parse, a, "from", where),
        to=fields.parsed(Address.parse, a, "to", where),
        value=fields.parsed(parse_price, a, "value", where),
        valid_after=fields.parsed(parse_atomic, a, "validAfter", where),
        valid_before=fields.parsed(parse_atomic, a, "validBefore", where),
        nonce=fields.parsed(Bytes32.parse, a, "nonce", where),
    )
    signature = fields.parsed(_any_hex, payload, "signature", "payload")
    if len(signature) != _SIGNATURE_BYTES:
        raise Refusal(Reason.SIGNATURE, "The signature must be 65 bytes: contract wallets are not served.")
    return ExactPayload(authorization, signature)


def check_version(data: Mapping[str, Any], wanted: int) -> None:
    """Raise ``Refusal`` unless the message says that it is of this x402 version, by a number (threat 14)."""
    version = data.get("x402Version")
    if type(version) is not int or version != wanted:
        raise Refusal(Reason.INVALID_X402_VERSION, f"x402Version must be the number {wanted} in this header.")


def check_scheme(scheme: str) -> None:
    """Raise ``Refusal`` for any scheme but ``exact``."""
    if scheme != "exact":
        raise Refusal(Reason.UNSUPPORTED_SCHEME, "The only scheme served here is exact.")


def other_transfer_method() -> Refusal:
    """The refusal of Permit2 and the like."""
    return Refusal(Reason.INVALID_PAYLOAD, "Pay by EIP-3009: no other transfer method is served.")


def _resource_url(data: Mapping[str, Any], fields: Fields) -> str | None:
    if data.get("resource") is None:
        return None
    return fields.string(fields.mapping(data, "resource"), "url", "resource.url")


def _any_hex(text: object) -> bytes:
    return parse_hex(text, max_bytes=headers.MAX_PAYMENT_HEADER)
