"""Records for payers: who may read them, what a receipt is given for, and what its signature holds."""

from tests.faults.sabotage import Sabotage

_RECORDS = "tests/contract/gateway/test_records.py::"
_RECEIPTS = "tests/contract/gateway/test_receipts.py::"
_RECEIPT = "tests/unit/wire/test_offer_receipt.py::"
_STILL = "tests/unit/gateway/test_still_paid.py::"
_CLI = "tests/contract/cli/test_receipts.py::"

SABOTAGES = (
    Sabotage(
        "anybody who signs in reads every payment",
        "gateway/records.py",
        "if found is None or not fresh.is_of(found.id):",
        "if found is None:",
        _RECORDS + "test_a102_nobody_but_the_payer_learns_that_a_payment_exists",
    ),
    Sabotage(
        "the payer's name is enough to sign in",
        "gateway/fresh_signature.py",
        "if signer != sign_in.address:",
        "if False:",
        _RECORDS + "test_what_is_signed_by_somebody_else_is_refused",
    ),
    Sabotage(
        "a record opens to a signature of any time and for any payment",
        "gateway/records.py",
        "fresh.check_signed(bound, int(self.clock()))",
        "pass",
        _RECORDS + "test_a_signature_that_does_not_hold_is_403_whether_or_not_there_is_a_payment",
    ),
    Sabotage(
        "a receipt is given under any transaction",
        "gateway/records.py",
        "if found.transaction is None or str(found.transaction) != transaction.lower():",
        "if found.transaction is None:",
        _RECEIPTS + "test_a102_a_receipt_is_of_the_payment_that_was_signed_for",
    ),
    Sabotage(
        "whatever names a transaction has a receipt",
        "gateway/payment_view.py",
        'return payment.transaction is not None and word_of(payment)[0] == "settled"',
        "return payment.transaction is not None",
        _RECEIPTS + "test_a101_there_is_no_receipt_of_what_is_not_settled_and_served",
    ),
    Sabotage(
        "a payment that settles first has its receipt before it is served",
        "gateway/payment_view.py",
        "return _PAID if unserved else WORDS[payment.state]",
        "return WORDS[payment.state]",
        _RECEIPTS + "test_a_settled_first_payment_has_a_receipt_once_it_is_served",
    ),
    Sabotage(
        "a receipt is signed although the chain says that its block is gone",
        "gateway/records.py",
        'if not chain["stands"]:',
        "if False:",
        "tests/contract/gateway/test_receipts_reorganised.py::"
        "test_a57_a_receipt_whose_block_is_gone_is_not_signed_again",
    ),
    Sabotage(
        "the chain is not looked at when it is asked for",
        "gateway/records.py",
        "chain = self._still_paid(payment) if check else None",
        "chain = None",
        _RECEIPTS + "test_the_chain_is_looked_at_again_on_demand",
    ),
    Sabotage(
        "a node that lags takes a receipt back",
        "gateway/still_paid.py",
        "if there is None or there == payment.block_hash or found is not None:",
        "if False:",
        _STILL + "test_a58_what_a_node_does_not_show_is_not_known",
    ),
    Sabotage(
        "a mined transaction is a payment that stands",
        "gateway/still_paid.py",
        "if found is not None and eip3009.find_transfer(found.logs, asset, payment.claim.authorization) is not None:",
        "if found is not None:",
        _STILL + "test_a58_what_a_node_does_not_show_is_not_known",
    ),
    Sabotage(
        "receipts are signed for the payment's chain, not as the extension has it",
        "wire/offer_receipt.py",
        '+ (1).to_bytes(32, "big")',
        '+ (84532).to_bytes(32, "big")',
        _RECEIPT + "test_the_eip712_form_is_what_a_wallet_library_signs",
    ),
    Sabotage(
        "a JWS may be spelled in several ways",
        "wire/offer_receipt.py",
        "if _encode(data) != text:",
        "if False:",
        _RECEIPT + "test_a101_no_byte_of_a_jws_receipt_can_be_changed",
    ),
    Sabotage(
        "a JWS is of whatever key it carries",
        "schemes/signed_receipt.py",
        "if signer not in _possible_signers(jws.digest, jws.signature):",
        "if False:",
        _CLI + "test_a101_a_forged_receipt_is_told_apart",
    ),
    Sabotage(
        "the payer is not part of what is signed",
        "wire/offer_receipt.py",
        "keccak256(self.payer.encode()),",
        'keccak256(b"somebody"),',
        _RECEIPT + "test_a101_no_byte_of_an_eip712_receipt_can_be_changed",
    ),
)
