"""The guarantees of the history of payments: whose list it is, where a page begins, how much is read."""

from tests.faults.sabotage import Sabotage

_HISTORY = "tests/contract/gateway/test_history.py::"

SABOTAGES = (
    Sabotage(
        "an index says whose payment it is",
        "gateway/history.py",
        "if listing.holds(p) and query.admits(p)]",
        "if query.admits(p)]",
        _HISTORY + "test_a_transaction_finds_what_it_paid_for_those_it_concerns",
    ),
    Sabotage(
        "a signature for anything opens the list",
        "gateway/history.py",
        "fresh.check_signed(REQUEST_ID, int(self.clock()))",
        'fresh.check_signed(fresh.sign_in.request_id or "", int(self.clock()))',
        _HISTORY + "test_a_signature_for_something_else_opens_no_list",
    ),
    Sabotage(
        "a cursor is not checked",
        "gateway/history_query.py",
        "if _PLACE.fullmatch(place) is None or self.cursor != self.cursor_at(who, place):",
        "if _PLACE.fullmatch(place) is None:",
        _HISTORY + "test_a_cursor_that_was_touched_or_is_of_another_list_is_400",
    ),
    Sabotage(
        "the claim forgets whose list it belongs to",
        "ledger/payment_items.py",
        '        "of_owner": None if claim.route_owner is None else claim.route_owner.lower,\n',
        "",
        _HISTORY + "test_a102_a_list_has_the_signers_payments_and_nobody_elses",
    ),
    Sabotage(
        "payments of one second stand at one place",
        "ledger/payment_items.py",
        'return f"{claimed_at:010d}{digest[:24]}"',
        """return f"{claimed_at:010d}{'0' * 24}\"""",
        _HISTORY + "test_pages_neither_skip_nor_repeat_while_payments_arrive",
    ),
    Sabotage(
        "a cell may be a formula",
        "gateway/history_csv.py",
        """safe = f"'{text}" if text.startswith(_FORMULA) else text""",
        "safe = text",
        _HISTORY + "test_no_cell_of_the_csv_is_a_formula",
    ),
    Sabotage(
        "a made-up cursor is a bug of ours",
        "ledger/history.py",
        '":high": max(low, high)',
        '":high": high',
        _HISTORY + "test_whatever_the_bounds_are_a_list_is_answered",
    ),
)
