"""Reconcile: passes, back-off, poison, and the comparison of chain and books."""

from tests.faults.sabotage import Sabotage

_PASSES = "tests/contract/reconcile/test_passes.py::"
_WORK = "tests/contract/reconcile/test_work_list.py::"
_COMPARED = "tests/contract/reconcile/test_discrepancies.py::"

SABOTAGES = (
    Sabotage(
        "a pass ends after its first page",
        "reconcile/sweep.py",
        "if page.more is not None}",
        "if False}",
        _PASSES + "test_a_pass_goes_on_page_after_page_until_nothing_is_due",
    ),
    Sabotage(
        "a pass goes on past its deadline",
        "reconcile/sweep.py",
        "if self.clock() > until:",
        "if False:",
        _PASSES + "test_a_pass_ends_before_its_deadline_and_the_next_one_takes_the_rest",
    ),
    Sabotage(
        "the first of many payments takes all the time",
        "reconcile/sweep.py",
        "max(LEAST_SHARE_SECONDS, (until - now) / left)",
        "(until - now)",
        _PASSES + "test_many_share_the_time_and_few_have_all_of_it",
    ),
    Sabotage(
        "a look is not counted before it is made",
        "ledger/work.py",
        '"SET due = :due, begun_by = :by ADD attempts :one, strikes :one"',
        '"SET due = :due, begun_by = :by, attempts = :one, strikes = :one"',
        _PASSES + "test_a100_an_item_that_kills_its_pass_waits_longer_each_time",
    ),
    Sabotage(
        "two passes work on one item",
        "ledger/work.py",
        '"due = :seen AND #work = :work",\n            {":due": due, ":one": 1, ":seen": item["due"],',
        '":seen = :seen AND #work = :work",\n            {":due": due, ":one": 1, ":seen": item["due"],',
        _WORK + "test_a99_of_two_passes_that_meet_over_an_item_one_goes_on",
    ),
    Sabotage(
        "a payment that moves keeps its back-off",
        "ledger/moves.py",
        "remove = (*remove, *COUNTED)",
        "remove = (*remove, *COUNTED[2:])",
        _WORK + "test_a_move_begins_anew",
    ),
    Sabotage(
        "a payment that moves stays parked",
        "ledger/moves.py",
        'sets.append("#work = :work")',
        'sets.append("#work = if_not_exists(#work, :work)")',
        _WORK + "test_a_payment_that_somebody_moves_is_not_parked_any_more",
    ),
    Sabotage(
        "poison is never parked",
        "reconcile/sweep.py",
        'if item["strikes"] >= MOST_STRIKES:',
        "if False:",
        _PASSES + "test_poison_is_parked_after_it_raised_a_bug_five_times_in_a_row",
    ),
    Sabotage(
        "what kills its process is looked at for ever",
        "reconcile/sweep.py",
        'if item.get("strikes", 0) >= MOST_STRIKES:',
        "if False:",
        _PASSES + "test_an_item_that_killed_its_process_five_times_is_parked_unlooked_at",
    ),
    Sabotage(
        "an unreachable endpoint makes poison of a payment",
        "reconcile/sweep.py",
        '# It waits for something: that is no bug of its own.\n            self.work.end(item["pk"])',
        "pass",
        _PASSES + "test_an_item_that_only_waits_for_an_endpoint_is_no_poison",
    ),
    Sabotage(
        "a bug of one item hides behind the others",
        "reconcile/sweep.py",
        "raise tally.bug",
        "pass",
        _PASSES + "test_a100_poison_first_the_second_still_done_and_the_bug_is_loud",
    ),
    Sabotage(
        "the lag is that of the last item",
        "reconcile/sweep.py",
        "tally.lag = max((begun",
        "tally.lag = min((begun",
        _PASSES + "test_the_lag_is_how_long_the_oldest_due_item_had_waited",
    ),
    Sabotage(
        "a comparison that fails skips what it did not see",
        "reconcile/scan.py",
        "if refusals == _MOST_REFUSALS or span == 1:\n                    raise",
        "if refusals == _MOST_REFUSALS or span == 1:\n"
        "                    return self.rows.reach(cursor, deep + 1, span, cursor.reached).span",
        _COMPARED + "test_nothing_is_skipped_when_the_node_fails_or_limits_its_ranges",
    ),
    Sabotage(
        "a node that lags proves that nothing was paid",
        "chain/evm.py",
        "last = answers.head(block)\n",
        "last = answers.head(block) if block else Head(high, 0, Bytes32(bytes(32)))\n",
        _COMPARED + "test_a58_a_node_that_has_not_the_block_yet_proves_no_absence",
    ),
    Sabotage(
        "any transfer explains itself",
        "ledger/discrepancies.py",
        "if key not in explained]",
        "if key in explained]",
        _COMPARED + "test_an_authorization_that_no_payment_explains_is_reported_once",
    ),
    Sabotage(
        "an unexplained transfer is reported before its payment could be booked",
        "reconcile/scan.py",
        "now, now + GRACE_SECONDS)",
        "now, now)",
        _COMPARED + "test_an_authorization_that_no_payment_explains_is_reported_once",
    ),
    Sabotage(
        "other money calls a person",
        "reconcile/unexplained.py",
        "elif nonce is None:",
        "elif False:",
        _COMPARED + "test_other_money_is_kept_and_rings_nothing",
    ),
    Sabotage(
        "a payment that reconcile is still at is reported",
        "reconcile/unexplained.py",
        'if item is not None and item.get("work") in WorkList.shards:',
        "if False:",
        _COMPARED + "test_a_payment_that_reconcile_is_still_at_is_waited_for",
    ),
    Sabotage(
        "a discrepancy is never closed",
        "reconcile/unexplained.py",
        "            if self.rows.explained(row):\n                self._explained(row, now)",
        "            if False:\n                self._explained(row, now)",
        _COMPARED + "test_a_discrepancy_is_closed_when_its_payment_turns_up",
    ),
    Sabotage(
        "a receipt is never looked up on the chain",
        "reconcile/visits.py",
        "        if now >= final_at:\n            self.receipts.check(payment, self._chain(payment))",
        "        if now >= final_at:\n            pass",
        _COMPARED + "test_a_receipt_that_no_log_explains_is_reported",
    ),
    Sabotage(
        "any log of the transaction backs a receipt",
        "reconcile/receipts.py",
        "if transfer is None or transfer.log_index != payment.log_index or",
        "if transfer is None or",
        _COMPARED + "test_a_receipt_that_no_log_explains_is_reported[index]",
    ),
    Sabotage(
        "a receipt that is not found is a lie at once",
        "reconcile/receipts.py",
        "if payment.attempts >= LOOKS:",
        "if True:",
        _COMPARED + "test_a58_a_receipt_that_is_not_found_is_asked_for_again_before_anybody_is_told",
    ),
    Sabotage(
        "what is owed back is forgotten when its block is final",
        "ledger/payments.py",
        "elif payment.state in OWED_BACK:",
        "elif False:",
        _WORK + "test_what_is_owed_back_is_listed_apart_until_it_is_made_good",
    ),
    Sabotage(
        "the receipt of money for nothing is never looked up",
        "reconcile/visits.py",
        "                return\n            self.receipts.check(payment, self._chain(payment))",
        "                return",
        _COMPARED + "test_the_receipt_of_money_for_nothing_is_looked_up_too",
    ),
)
