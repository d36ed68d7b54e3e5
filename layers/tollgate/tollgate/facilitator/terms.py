"""What a facilitator checks before it asks anybody anything; the cheapest first (threat 71).

    what was accepted -> allowlist -> network and token -> signature -> the transfer is what is required -> the clock

Requirements come from the seller, so the seller's allowlist stands where a route table stands for routes of
our own (threats 16, 61). The token's EIP-712 domain comes from our table, never from ``extra`` (threat 19).
"""

from collections.abc import Mapping

from tollgate.errors import Refusal
from tollgate.payment import terms
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import Asset
from tollgate.schemes.exact import eip3009
from tollgate.wire.facilitator_messages import Business
from tollgate.wire.primitives import Network
from tollgate.wire.reasons import Reason

# The one token that this stack settles on each of its networks.
Assets = Mapping[Network, Asset]

# A day: an authorization that could be used for ever would keep a settlement that does not mine open for ever.
MAX_TIMEOUT_SECONDS = 86_400


def check_accepted(business: Business) -> None:
    """The payment accepted what the seller requires. Raises ``Refusal``."""
    requirements, accepted = business.requirements, business.accepted
    if accepted.network != requirements.network:
        raise Refusal(Reason.INVALID_NETWORK, "The payment accepted another network.")
    if (accepted.asset, accepted.pay_to, accepted.amount) != (
        requirements.asset,
        requirements.pay_to,
        requirements.amount,
    ):
        raise Refusal(Reason.INVALID_REQUIREMENTS, "The payment accepted another asset, payTo or amount.")


def check_business(business: Business, assets: Assets) -> Asset:
    """The token to be moved, if it is settled here, and the payment is well signed and pays what is required.

    Raises ``Refusal``: ``invalid_network``, ``invalid_payment_requirements``, the signature's, the recipient's or
    the value's reason.
    """
    requirements = business.requirements
    asset = assets.get(requirements.network)
    if asset is None:
        raise Refusal(Reason.INVALID_NETWORK, "This facilitator does not settle on this network.")
    if asset.address != requirements.asset:
        raise Refusal(Reason.INVALID_REQUIREMENTS, "This facilitator does not settle this asset.")
    authorization = business.payload.authorization
    eip3009.check_signature(asset, requirements.network, authorization, business.payload.signature)
    terms.check_authorization(requirements, authorization)
    return asset


def check_time(business: Business, now: int) -> None:
    """The authorization is valid now and long enough to be mined. ``now`` is Unix seconds. Raises ``Refusal``."""
    if business.requirements.max_timeout_seconds > MAX_TIMEOUT_SECONDS:
        raise Refusal(Reason.INVALID_REQUIREMENTS, f"maxTimeoutSeconds must be at most {MAX_TIMEOUT_SECONDS}.")
    authorization = business.payload.authorization
    terms.check_time(business.requirements, authorization, now, terms.EXPIRY_MARGIN_SECONDS)


def payment_id(business: Business) -> PaymentId:
    """The payment's identity."""
    authorization = business.payload.authorization
    requirements = business.requirements
    return PaymentId(requirements.network, requirements.asset, authorization.from_, authorization.nonce)
