"""Which header carries the payment, and the payment in it; from here on a v1 payment is like any other.

X-PAYMENT (v1) names neither asset nor price. The asset is the one whose domain the payer signed, so the
identity is that of the same authorization sent by PAYMENT-SIGNATURE (v2): one payment, whichever way it comes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tollgate.errors import BadRequest, Refusal
from tollgate.payment.networks import NETWORKS, Asset
from tollgate.payment.v1_names import network_named
from tollgate.schemes.exact import eip3009
from tollgate.wire import models, v1
from tollgate.wire.headers import PAYMENT_SIGNATURE, X_PAYMENT
from tollgate.wire.models import ExactPayload, PaymentPayload, Requirements
from tollgate.wire.parse import parse_payment
from tollgate.wire.primitives import Network
from tollgate.wire.reasons import Reason


@dataclass(frozen=True, slots=True)
class Sent:
    """A payment as it came. ``version`` is that of the header, which the answer's receipt follows."""

    version: int
    payment: PaymentPayload | v1.PaymentV1

    def as_offered(self, acceptable: Iterable[Requirements]) -> PaymentPayload:
        """The payment with the requirements that it accepts; those of v1 are looked up in ``acceptable``.

        Raises ``Refusal`` for a v1 payment on an unknown network, or signed for no token of it.
        """
        if isinstance(self.payment, PaymentPayload):
            return self.payment
        network = network_named(self.payment.network)
        payload = self.payment.payload
        accepted = _accepted(network, _signed_asset(network, payload), payload, acceptable)
        return PaymentPayload(accepted, payload, resource_url=None, extensions={})


@dataclass(frozen=True, slots=True)
class PaymentHeader:
    """The one payment header of a request."""

    version: int
    value: str

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "PaymentHeader | None":
        """Find it; names are lower case. Raises ``BadRequest`` when there are two (threat 11)."""
        v1_value, v2_value = headers.get(X_PAYMENT), headers.get(PAYMENT_SIGNATURE)
        if v1_value is not None and v2_value is not None:
            raise BadRequest(
                400, "payment_header_ambiguous", "Send one payment: in PAYMENT-SIGNATURE or in X-PAYMENT, not in both."
            )
        if v2_value is not None:
            return cls(models.X402_VERSION, v2_value)
        return None if v1_value is None else cls(v1.X402_VERSION, v1_value)

    def parse(self) -> Sent:
        """Read it. Raises ``BadRequest`` or ``Refusal``."""
        parse = v1.parse_payment if self.version == v1.X402_VERSION else parse_payment
        return Sent(self.version, parse(self.value))


def _signed_asset(network: Network, payload: ExactPayload) -> Asset:
    assets = NETWORKS[network].assets
    if len(assets) == 1:
        return assets[0]  # whether it was signed for is checked with every payment's signature
    for asset in assets:
        try:
            eip3009.check_signature(asset, network, payload.authorization, payload.signature)
        except Refusal:
            continue
        return asset
    raise Refusal(Reason.SIGNATURE, "The authorization was not signed by its payer for a token of this network.")


def _accepted(
    network: Network, asset: Asset, payload: ExactPayload, acceptable: Iterable[Requirements]
) -> Requirements:
    """The requirements that the authorization pays; else those for its token, whose check says what differs."""
    signed = payload.authorization
    same_token = [r for r in acceptable if (r.network, r.asset) == (network, asset.address)]
    paid = [r for r in same_token if (r.amount, r.pay_to) == (signed.value, signed.to)]
    if paid:
        return max(paid, key=lambda r: r.max_timeout_seconds)
    if same_token:
        return same_token[0]
    # Matches no offer; but a payment that is on the books is found by its identity all the same (rule 1).
    return Requirements("exact", network, signed.value, asset.address, signed.to, max_timeout_seconds=1)
