"""What a payer has under way, and the second payment for one request."""

from tests.faults.sabotage import Sabotage

_LIMITS = "tests/contract/gateway/test_payer_limits.py::"
_SECOND = "tests/contract/gateway/test_second_payment.py::"

SABOTAGES = (
    Sabotage(
        "many payments over one balance are all begun",
        "ledger/payers.py",
        "#open < :most AND open_value <= :room",
        "#open < :most AND :room >= :room",
        _LIMITS + "test_a48_payments_over_one_balance_do_not_run_the_upstream_each",
    ),
    Sabotage(
        "a payer may have any number under way",
        "ledger/payers.py",
        "#open < :most AND open_value <= :room",
        ":most = :most AND open_value <= :room",
        _LIMITS + "test_a72_one_payer_at_the_limit_does_not_stop_another",
    ),
    Sabotage(
        "a settled payment stays counted as under way",
        "ledger/books.py",
        "revenue, *leave(payment)]",
        "revenue]",
        _LIMITS + "test_a_payment_counts_itself_out_whatever_its_end",
    ),
    Sabotage(
        "unpaid runs have no consequence",
        "ledger/payers.py",
        "if strikes >= STRIKES:",
        "if False:",
        _LIMITS + "test_a62_a_payer_whose_runs_stay_unpaid_waits_an_hour",
    ),
    Sabotage(
        "a payer's limit refuses what is known",
        "ledger/payments.py",
        "known = lost.failed.get(_PAYMENT) or self._table.get(payment_key(claim.id))",
        "known = None",
        _LIMITS + "test_a_known_payment_gets_its_own_answer_even_when_its_payer_is_at_the_limit",
    ),
    Sabotage(
        "a second payment is claimed while the first is unknown",
        "ledger/payers.py",
        '"attribute_not_exists(pk) OR payment = :me OR (attribute_exists(given) AND given <> :me)"',
        '"attribute_not_exists(pk) OR payment = :me OR attribute_exists(payment)"',
        _SECOND + "test_a_second_payment_gets_the_firsts_pending_and_then_its_answer",
    ),
    Sabotage(
        "a 503 leaves no trace",
        "gateway/known.py",
        "if outcome.kind in _UNKNOWN:",
        "if False:",
        _SECOND + "test_a_second_payment_gets_the_firsts_pending_and_then_its_answer",
    ),
    Sabotage(
        "the first one's outcome is given again and again",
        "ledger/payers.py",
        '"SET given = :given"',
        '"SET seen = :given"',
        _SECOND + "test_a_third_payment_is_a_purchase_of_its_own",
    ),
    Sabotage(
        "a second payment opens what a stranger's transaction settled",
        "gateway/admission.py",
        "    if payment.transaction is not None and payment.settled_at is not None and not payment.ours:\n"
        "        return None\n",
        "",
        _SECOND + "test_a_strangers_transaction_opens_nothing_to_a_second_payment",
    ),
    Sabotage(
        "a stranger's transaction shuts a request to its payer for good",
        "gateway/second_payment.py",
        ", Kind.ALREADY_USED",
        "",
        _SECOND + "test_a_strangers_transaction_opens_nothing_to_a_second_payment",
    ),
    Sabotage(
        "a 503 after settlement leaves no trace",
        "gateway/known.py",
        ", Kind.ANSWER_UNAVAILABLE})",
        "})",
        "tests/contract/gateway/test_big_answers.py::"
        "test_a_second_payment_is_not_charged_while_the_store_of_the_firsts_answer_is_down",
    ),
    Sabotage(
        "what a dead process reserved holds its payer's room for ever",
        "facilitator/room.py",
        "known.state is not SettlementState.RESERVED or known.alive(self._clock())",
        "True",
        "tests/contract/facilitator/test_room.py::"
        "test_a72_what_a_dead_process_reserved_for_a_seller_elsewhere_does_not_lock_its_payer_out",
    ),
)
