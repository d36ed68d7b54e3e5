"""x402 v2 messages as values (specification v2, section 5; checked against PyPI ``x402`` 2.25.0).

Amounts are atomic units of the asset; times are Unix seconds. On the wire both are decimal strings.

    PAYMENT-REQUIRED   {"x402Version":2,"error":"Payment required","resource":{"url":...},
                        "accepts":[{"scheme":"exact","network":"eip155:84532","amount":"10000",
                                    "asset":"0x..","payTo":"0x..","maxTimeoutSeconds":60,
                                    "extra":{"name":"USDC","version":"2"}}],"extensions":{...}}
    PAYMENT-SIGNATURE  {"x402Version":2,"accepted":{..one of accepts..},
                        "payload":{"signature":"0x..","authorization":{"from":..,"to":..,"value":..,
                                   "validAfter":..,"validBefore":..,"nonce":..}},
                        "resource":{...},"extensions":{...}}
    PAYMENT-RESPONSE   {"success":true,"transaction":"0x..","network":"eip155:84532","payer":"0x..",
                        "amount":"10000"}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tollgate.wire.primitives import Address, Bytes32, Network

X402_VERSION = 2
# The field of ``extra`` by which an offer is known again; a payment that does not send it back pays for nothing.
QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Resource:
    """What is being sold; ``url`` is absolute and comes from configuration, never from Host."""

    url: str
    description: str = ""
    mime_type: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON form; empty optional fields are left out."""
        out: dict[str, Any] = {"url": self.url}
        if self.description:
            out["description"] = self.description
        if self.mime_type:
            out["mimeType"] = self.mime_type
        return out


@dataclass(frozen=True, slots=True)
class Requirements:
    """One way to pay. ``amount`` is atomic units of ``asset``; ``max_timeout_seconds`` is seconds."""

    scheme: str
    network: Network
    amount: int
    asset: Address
    pay_to: Address
    max_timeout_seconds: int
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON form, as it stands in ``accepts`` and ``accepted``."""
        return {
            "scheme": self.scheme,
            "network": str(self.network),
            "amount": str(self.amount),
            "asset": str(self.asset),
            "payTo": str(self.pay_to),
            "maxTimeoutSeconds": self.max_timeout_seconds,
            "extra": dict(self.extra),
        }


@dataclass(frozen=True, slots=True)
class PaymentRequired:
    """The 402's message."""

    resource: Resource
    accepts: tuple[Requirements, ...]
    error: str = "Payment required"
    extensions: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "x402Version": X402_VERSION,
            "error": self.error,
            "resource": self.resource.to_json(),
            "accepts": [r.to_json() for r in self.accepts],
            "extensions": dict(self.extensions),
        }


@dataclass(frozen=True, slots=True)
class Authorization:
    """EIP-3009 TransferWithAuthorization: value in atomic units, validity in Unix seconds."""

    from_: Address
    to: Address
    value: int
    valid_after: int
    valid_before: int
    nonce: Bytes32


@dataclass(frozen=True, slots=True)
class ExactPayload:
    """The ``exact`` scheme's payload for EIP-3009: an authorization and its 65-byte signature."""

    authorization: Authorization
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PaymentPayload:
    """A parsed PAYMENT-SIGNATURE. ``extensions`` is the client's echo plus its additions, as JSON."""

    accepted: Requirements
    payload: ExactPayload
    resource_url: str | None
    extensions: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SettleResponse:
    """PAYMENT-RESPONSE. ``transaction`` is "" when nothing was broadcast."""

    success: bool
    transaction: str
    network: Network
    payer: Address | None = None
    amount: int | None = None
    error_reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON form; absent optional fields are left out."""
        out: dict[str, Any] = {
            "success": self.success,
            "transaction": self.transaction,
            "network": str(self.network),
        }
        if self.payer is not None:
            out["payer"] = str(self.payer)
        if self.amount is not None:
            out["amount"] = str(self.amount)
        if self.error_reason is not None:
            out["errorReason"] = self.error_reason
        return out
