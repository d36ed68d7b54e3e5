"""x402 v1, which older clients speak: the offer is the 402's JSON body, the payment comes in X-PAYMENT.

Networks have names instead of CAIP-2 ids, and a payment names neither asset nor price: only scheme,
network and the signed authorization. Field names as in npm ``x402`` 1.2.0 (``types/verify``), whose
schemas want ``description`` and ``mimeType`` even when empty, and no ``outputSchema`` of null.

    402 body            {"x402Version":1,"error":"..","accepts":[{"scheme":"exact","network":"base-sepolia",
                         "maxAmountRequired":"10000","resource":"https://..","description":"","mimeType":"",
                         "payTo":"0x..","maxTimeoutSeconds":60,"asset":"0x..","extra":{..}}]}
    X-PAYMENT           {"x402Version":1,"scheme":"exact","network":"base-sepolia","payload":{..as in v2..}}
    X-PAYMENT-RESPONSE  {"success":true,"transaction":"0x..","network":"base-sepolia","payer":"0x.."}
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.wire import headers
from tollgate.wire.fields import Fields, parse_price
from tollgate.wire.models import QUOTE, ExactPayload, PaymentRequired, Requirements, Resource, SettleResponse
from tollgate.wire.parse import check_scheme, check_version, read_exact_payload
from tollgate.wire.primitives import Address, Network

X402_VERSION = 1

# The closed list of npm ``x402`` 1.2.0 (``NetworkSchema``): x402-fetch fails on a body with any other name in it.
CLIENT_NETWORKS = frozenset({
    "abstract", "abstract-testnet", "avalanche", "avalanche-fuji", "base", "base-sepolia", "educhain", "iotex",
    "peaq", "polygon", "polygon-amoy", "sei", "sei-testnet", "skale-base-sepolia", "story",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class PaymentV1:
    """A parsed X-PAYMENT, always of the scheme ``exact``; ``network`` is a name as the client wrote it."""

    network: str
    payload: ExactPayload


def parse_payment(value: str) -> PaymentV1:
    """Parse the value of an X-PAYMENT header.

    Raises ``BadRequest`` (400, or 431 over the cap) when it is malformed; ``Refusal`` as ``read_payment``.
    """
    return read_payment(headers.decode(value), Fields("X-PAYMENT"))


def read_payment(message: object, fields: Fields) -> PaymentV1:
    """Read a decoded v1 payment. Raises as ``wire.parse.read_payment``, but knows nothing of networks yet."""
    data = fields.message(message)
    check_version(data, X402_VERSION)
    check_scheme(fields.string(data, "scheme", "scheme"))
    network = fields.string(data, "network", "network")
    return PaymentV1(network, read_exact_payload(fields.mapping(data, "payload"), fields))


def read_requirements(
    data: Mapping[str, Any], fields: Fields, where: str, network_named: Callable[[str], Network]
) -> Requirements:
    """Read v1 requirements that stand at ``where``; ``network_named`` raises for names that it does not know."""
    check_scheme(fields.string(data, "scheme", f"{where}.scheme"))
    return Requirements(
        scheme="exact",
        network=network_named(fields.string(data, "network", f"{where}.network")),
        amount=fields.parsed(parse_price, data, "maxAmountRequired", where),
        asset=fields.parsed(Address.parse, data, "asset", where),
        pay_to=fields.parsed(Address.parse, data, "payTo", where),
        max_timeout_seconds=fields.seconds(data, "maxTimeoutSeconds", where),
        extra=fields.mapping(data, "extra", f"{where}.extra", optional=True),
    )


def offer_to_json(required: PaymentRequired, names: Mapping[Network, str]) -> dict[str, Any] | None:
    """The 402's body: what a v1 client can pay, or ``None`` when it can pay nothing of it.

    Its payment sends no ``extra`` back: it cannot pay an offer that is known by a quote.
    """
    named = [(names[r.network], r) for r in required.accepts if r.network in names and QUOTE not in r.extra]
    usual = [(name, r) for name, r in named if name in CLIENT_NETWORKS]
    if not named:
        return None
    return {
        "x402Version": X402_VERSION,
        "error": required.error,
        "accepts": [_requirements_to_json(r, name, required.resource) for name, r in usual or named],
    }


def _requirements_to_json(requirements: Requirements, network: str, resource: Resource) -> dict[str, Any]:
    return {
        "scheme": requirements.scheme,
        "network": network,
        "maxAmountRequired": str(requirements.amount),
        "resource": resource.url,
        "description": resource.description,
        "mimeType": resource.mime_type,
        "payTo": str(requirements.pay_to),
        "maxTimeoutSeconds": requirements.max_timeout_seconds,
        "asset": str(requirements.asset),
        "extra": dict(requirements.extra),
    }


def receipt_to_json(response: SettleResponse, network: str) -> dict[str, Any]:
    """X-PAYMENT-RESPONSE: the v2 receipt with the network's v1 name and without the amount, which v1 has not."""
    out = response.to_json() | {"network": network}
    out.pop("amount", None)
    return out
