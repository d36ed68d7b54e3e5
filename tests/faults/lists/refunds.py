"""Refunds: to the payer, from what is proven, once."""

from tests.faults.sabotage import Sabotage

_REFUNDS = "tests/contract/facilitator/test_refunds.py::"
_SERVICE = "facilitator/refund.py"

_PASSES = "tests/contract/reconcile/test_refunds.py::"

SABOTAGES = (
    Sabotage(
        "a refund is not written down before settle is asked to sign it",
        "reconcile/refunds.py",
        "payment = self.marks.begin(payment, int(self.clock()))",
        "pass",
        _PASSES + "test_a_charge_without_service_is_sent_back_and_written_down_when_final",
    ),
    Sabotage(
        "a hand may close what the stack has begun to send",
        "ledger/upfront.py",
        'absent=("refund_begun_at",) if begun is None else (),',
        "absent=(),",
        _PASSES + "test_once_it_is_begun_no_hand_can_close_it",
    ),
    Sabotage(
        "refunds are begun although they are manual",
        "reconcile/refunds.py",
        "return self.begins or payment.refund_begun_at is not None",
        "return True",
        _PASSES + "test_by_default_nothing_is_sent_and_it_stays_the_operators",
    ),
    Sabotage(
        "a refund is marked as begun although the treasury is empty",
        "reconcile/refunds.py",
        "if not isinstance(answer, Ready):",
        "if isinstance(answer, Reason):",
        _PASSES + "test_an_empty_treasury_leaves_the_choice_to_the_operator",
    ),
    Sabotage(
        "a refused refund goes back to the operator while it may be on its way",
        "reconcile/refunds.py",
        "now > (payment.refund_begun_at or now) + WITHDRAW_AFTER_SECONDS",
        "now > 0",
        _PASSES + "test_a_begun_refund_that_settle_will_never_sign_goes_back_to_the_operator",
    ),
    Sabotage(
        "a refund's nonce is drawn anew each time",
        "payment/refund.py",
        "Bytes32(hashlib.sha256((_NONCE_DOMAIN + str(payment)).encode()).digest())",
        'Bytes32(__import__("os").urandom(32))',
        _REFUNDS + "test_tables_from_a_backup_older_than_the_refund_do_not_refund_again",
    ),
    Sabotage(
        "a later signature takes the place of the first",
        "ledger/refunds.py",
        "self._table.write(Put(item))",
        "self._table.write(Put(item, None))",
        _REFUNDS + "test_the_first_stored_signature_is_the_only_one",
    ),
    Sabotage(
        "a refund does not wait until the payment's block is deep",
        _SERVICE,
        "if self._stands(known.proof, lane.info.confirmations, chain, until):",
        "if known.proof:",
        _REFUNDS + "test_a57_a_refund_waits_until_the_payment_is_deep_and_does_not_outlive_it",
    ),
    Sabotage(
        "a refund is told of as done before it is final",
        _SERVICE,
        "if isinstance(outcome, Confirmed) and not self._is_final",
        "if isinstance(outcome, Confirmed) and not outcome.ours and not self._is_final",
        _REFUNDS + "test_a_refund_goes_to_the_payer_exactly_and_is_done_when_it_is_final",
    ),
    Sabotage(
        "the treasury makes good what went to anybody",
        _SERVICE,
        "if to not in self._pay_to and to != self._treasury.address():",
        "if False:",
        _REFUNDS + "test_a61_money_that_went_elsewhere_is_not_made_good_by_the_treasury",
    ),
    Sabotage(
        "payments of sellers elsewhere are refunded from our treasury",
        _SERVICE,
        "known is None or known.request.seller != OWN or",
        "known is None or",
        _REFUNDS + "test_nothing_is_signed_for_what_was_not_paid_to_us",
    ),
    Sabotage(
        "a refund is signed that the treasury cannot pay",
        _SERVICE,
        "held < known.request.authorization.value",
        "held < 0",
        _REFUNDS + "test_an_empty_treasury_waits_says_so_and_pays_when_it_is_filled",
    ),
    Sabotage(
        "a refund that was mined in vain waits in silence",
        _SERVICE,
        "if receipt is not None and not receipt.succeeded:",
        "if False:",
        _REFUNDS + "test_a_refund_that_was_mined_in_vain_is_told_of_and_moves_when_anybody_sends_it_again",
    ),
)
