"""Whether a payment meets what we offered: exact equality, in the order of the specification.

The requirements always come from our own route table; what the client says it accepted is only
ever compared with them (threats 16-19). ``exact`` means ``==``.
"""

from collections.abc import Iterable

from tollgate.errors import Refusal
from tollgate.payment.states import Flow
from tollgate.wire.models import Authorization, PaymentPayload, Requirements
from tollgate.wire.reasons import Reason

# The field of ``extra`` that says what comes first; left out it is ``authorization`` (x402 v2, payment flows).
PAYMENT_FLOW = "paymentFlow"
# The official SDK's margin: a block or two, and the clock's skew against the chain (threat 44).
EXPIRY_MARGIN_SECONDS = 6
# What an honest buyer's clock may run ahead of ours (threat 45).
LIFETIME_SLACK_SECONDS = 60


def match_requirements(payment: PaymentPayload, offered: Iterable[Requirements]) -> Requirements:
    """Return the offered requirements that the payment accepted.

    Raises ``Refusal`` with ``no_matching_requirements``.
    """
    accepted = payment.accepted
    for requirements in offered:
        if (
            accepted.scheme == requirements.scheme
            and accepted.network == requirements.network
            and accepted.amount == requirements.amount
            and accepted.asset == requirements.asset
            and accepted.pay_to == requirements.pay_to
            and accepted.max_timeout_seconds == requirements.max_timeout_seconds
            and all(accepted.extra.get(k) == v for k, v in requirements.extra.items())
            # Whoever says settle-first, or escrow, agreed to something else than we offered (x402 v2, 6.1).
            and accepted.extra.get(PAYMENT_FLOW, Flow.AUTHORIZATION) == flow_of(requirements)
        ):
            return requirements
    raise Refusal(
        Reason.NO_MATCHING_REQUIREMENTS,
        "The accepted requirements are not among those that this route offers.",
    )


def flow_of(requirements: Requirements) -> Flow:
    """What an offer says comes first; one that says nothing is ``authorization``. Raises ``ValueError``."""
    return Flow(requirements.extra.get(PAYMENT_FLOW, Flow.AUTHORIZATION))


def check_authorization(requirements: Requirements, authorization: Authorization) -> None:
    """The signed transfer pays exactly these requirements. Raises ``Refusal``."""
    if authorization.to != requirements.pay_to:
        raise Refusal(Reason.RECIPIENT_MISMATCH, "The authorization pays somebody else.")
    if authorization.value != requirements.amount:
        raise Refusal(Reason.VALUE_MISMATCH, "The authorized value is not exactly the price.")


def check_time(requirements: Requirements, authorization: Authorization, now: int, needed_seconds: int) -> None:
    """The authorization is valid now and for ``needed_seconds`` more, and not for longer than offered.

    ``now`` is Unix seconds. Raises ``Refusal``.
    """
    if authorization.valid_after > now:
        raise Refusal(Reason.VALID_AFTER, "The authorization is not valid yet.")
    if authorization.valid_before < now + max(EXPIRY_MARGIN_SECONDS, needed_seconds):
        raise Refusal(
            Reason.VALID_BEFORE,
            f"The authorization must stay valid for at least {needed_seconds} seconds from now.",
        )
    limit = now + requirements.max_timeout_seconds + LIFETIME_SLACK_SECONDS
    if authorization.valid_before > limit:
        raise Refusal(
            Reason.AUTHORIZATION_TOO_LONG,
            "The authorization is valid for longer than maxTimeoutSeconds: sign a shorter one.",
        )
