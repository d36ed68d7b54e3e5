"""The closed set of reason codes that leave Tollgate.

Strings of the x402 v2 specification, section 9, where one exists; else those of the official
SDK (PyPI ``x402`` 2.25.0, ``mechanisms/evm/constants.py`` and ``server_base.py``). The last
group is Tollgate's own, for cases that neither names.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a payment was refused or is not final; the value is what travels."""

    # x402 v2 specification, section 9
    INSUFFICIENT_FUNDS = "insufficient_funds"
    VALID_AFTER = "invalid_exact_evm_payload_authorization_valid_after"
    VALID_BEFORE = "invalid_exact_evm_payload_authorization_valid_before"
    VALUE_MISMATCH = "invalid_exact_evm_payload_authorization_value_mismatch"
    SIGNATURE = "invalid_exact_evm_payload_signature"
    RECIPIENT_MISMATCH = "invalid_exact_evm_payload_recipient_mismatch"
    INVALID_NETWORK = "invalid_network"
    INVALID_PAYLOAD = "invalid_payload"
    INVALID_REQUIREMENTS = "invalid_payment_requirements"
    UNSUPPORTED_SCHEME = "unsupported_scheme"
    INVALID_X402_VERSION = "invalid_x402_version"
    INVALID_TRANSACTION_STATE = "invalid_transaction_state"
    UNEXPECTED_VERIFY_ERROR = "unexpected_verify_error"
    UNEXPECTED_SETTLE_ERROR = "unexpected_settle_error"
    SETTLEMENT_PENDING = "settlement_pending"

    # official SDK
    NONCE_ALREADY_USED = "invalid_exact_evm_nonce_already_used"
    SIMULATION_FAILED = "invalid_exact_evm_transaction_simulation_failed"
    EXTENSION_ECHO_MISMATCH = "extension_echo_mismatch"
    DUPLICATE_SETTLEMENT = "duplicate_settlement"
    TRANSACTION_FAILED = "transaction_failed"

    # Tollgate
    NO_MATCHING_REQUIREMENTS = "no_matching_requirements"
    RESOURCE_MISMATCH = "resource_mismatch"
    AUTHORIZATION_TOO_LONG = "authorization_lifetime_too_long"
    AUTHORIZATION_EXPIRED_UNUSED = "authorization_expired_unused"
    AUTHORIZATION_CANCELLED = "authorization_cancelled"
    PAYMENT_RELEASED = "payment_released"
    DAILY_CAP = "daily_settlement_cap_reached"
    REFUND_UNKNOWN_PAYMENT = "refund_unknown_payment"
    REFUND_FOREIGN_RECIPIENT = "refund_foreign_recipient"
    REFUND_TOO_LATE = "refund_too_late"
    REFUNDS_MANUAL = "refunds_manual"
    PAYER_FULL = "payer_has_too_much_open"
    PAYER_BLOCKED = "payer_blocked_after_reverts"
