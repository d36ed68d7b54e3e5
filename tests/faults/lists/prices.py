"""What is free, what costs how much, and how often it may be bought: one line each that gets it wrong."""

from tests.faults.sabotage import Sabotage

_FREE = "tests/contract/gateway/test_free_routes.py::"
_RATES = "tests/contract/gateway/test_rate_limits.py::"
_COUNTED = "tests/contract/ledger/test_rates.py::"
_SCHEDULES = "tests/interleavings/test_schedules.py::test_a36_every_schedule_of_two_keeps_every_promise"
_PRICES = "tests/attacks/test_prices.py::"
_SELECTION = "tests/unit/gateway/test_price_selection.py::"

SABOTAGES = (
    Sabotage(
        "a payment on a free route is taken for one that pays",
        "gateway/serve.py",
        "if match.route.free:",
        "if match.route.free and header is None:",
        _FREE + "test_a_payment_for_a_free_route_is_neither_claimed_nor_charged",
    ),
    Sabotage(
        "a price that has ended in free is still taken",
        "gateway/catalogue.py",
        "if old is not None and not new.free:",
        "if old is not None:",
        "tests/unit/gateway/test_catalogue.py::test_a_route_that_becomes_free_takes_no_previous_price",
    ),
    Sabotage(
        "a resend runs again when its route has become free",
        "gateway/serve.py",
        "return before or self.free_call.serve(",
        "return self.free_call.serve(",
        _FREE + "test_what_was_paid_before_a_route_became_free_keeps_its_answer",
    ),
    Sabotage(
        "a dead claim is settled although its route is free",
        "gateway/paid_call.py",
        "if payment is None or (payment.state is State.CLAIMED and not payment.alive(self.parts.now())):",
        "if payment is None:",
        _FREE + "test_a_claim_of_the_dead_is_not_settled_once_its_route_is_free",
    ),
    Sabotage(
        "a payment may meet the price of any tier",
        "payment/price_choice.py",
        "return next((tier.accepts for tier in self.tiers if tier.value == value), self.otherwise)",
        "return self.terms",
        _PRICES + "test_a20_paying_for_small_does_not_buy_large",
    ),
    Sabotage(
        "of two values the first is priced",
        "gateway/price_selection.py",
        "    if len(found) > 1:",
        "    if False:",
        _PRICES + "test_a21_no_pollution_of_the_query_is_served_at_any_price",
    ),
    Sabotage(
        "another spelling of the name is another parameter",
        "gateway/price_selection.py",
        "        elif _plain(_decoded(given)) == _plain(name):",
        "        elif False:",
        _PRICES + "test_a21_no_pollution_of_the_query_is_served_at_any_price",
    ),
    Sabotage(
        "names are compared before they are decoded",
        "gateway/price_selection.py",
        "_plain(_decoded(given)) == _plain(name)",
        "_plain(given) == _plain(name)",
        _SELECTION + "test_a21_another_spelling_of_the_name_has_no_price",
    ),
    Sabotage(
        "a semicolon in a query is like any other character",
        "gateway/price_selection.py",
        'if ";" in raw_query:',
        "if False:",
        _SELECTION + "test_a21_a_semicolon_is_no_separator_and_no_value",
    ),
    Sabotage(
        "an unknown value costs what an absent one does",
        "gateway/price_selection.py",
        "    if not accepts:\n",
        "    if not accepts:\n        return choice.terms\n",
        _SELECTION + "test_a21_a_query_has_one_value_or_no_price",
    ),
    Sabotage(
        "a key in another case is another field",
        "gateway/price_selection.py",
        "if any(key != name and _plain(key) == _plain(name) for key in value):",
        "if False:",
        _PRICES + "test_a22_another_body_is_not_bought_at_the_small_ones_price",
    ),
    Sabotage(
        "a body is read as JSON whatever it says that it is",
        "gateway/price_selection.py",
        'if _JSON_TYPE.fullmatch(request.headers.get("content-type", "")) is None:',
        "if False:",
        _PRICES + "test_a22_another_body_is_not_bought_at_the_small_ones_price",
    ),
    Sabotage(
        "the query may say what the body says",
        "gateway/price_selection.py",
        "        if _named(name, request.raw_query, wrong):",
        "        if False:",
        _SELECTION + "test_a22_the_query_may_not_say_what_the_body_says",
    ),
    Sabotage(
        "an old price of one tier is acceptable for every tier",
        "gateway/price_selection.py",
        "            ended = chosen(former.choice, request)",
        "            ended = former.choice.terms",
        _SELECTION + "test_a24_what_was_offered_for_this_request_stays_acceptable_for_it",
    ),
    Sabotage(
        "an offer ends when its request has no price any more",
        "gateway/price_selection.py",
        "if not (as_before and previous):",
        "if True:",
        _PRICES + "test_a24_from_one_price_to_tiers_and_back",
    ),
    Sabotage(
        "prices by the request end at once",
        "gateway/catalogue.py",
        "if old.choice is not None:",
        "if False:",
        _PRICES + "test_a24_a_tiers_old_price_is_taken_for_that_tier_alone",
    ),
    Sabotage(
        "a resend whose value has no price any more is refused",
        "gateway/serve.py",
        "                    if before is None:\n                        raise",
        "                    if before is None or before:\n                        raise",
        _PRICES + "test_a_resend_gets_its_answer_when_its_value_has_no_price_any_more",
    ),
    Sabotage(
        "the last place may be taken twice",
        "ledger/rates.py",
        " AND #before = :before AND #bought < :most",
        " AND #before = :before AND :most = :most",
        _COUNTED + "test_a72_the_last_place_is_not_taken_twice",
    ),
    Sabotage(
        "a payer over the limit is claimed all the same",
        "ledger/rates.py",
        "    if longest:\n",
        "    if False:\n",
        _RATES + "test_a_payer_over_the_limit_is_429_before_anything_is_claimed",
    ),
    Sabotage(
        "one payer's limit is everybody's",
        "ledger/rates.py",
        "#{claim.route}#{claim.id.payer.lower}",
        "#{claim.route}#anybody",
        _RATES + "test_a_payer_over_the_limit_is_429_before_anything_is_claimed",
    ),
    Sabotage(
        "a resend is limited",
        "gateway/paid_call.py",
        "            return self.known.serve(call, found.payment)\n",
        "            pass\n",
        _RATES + "test_a_resend_that_comes_while_the_first_runs_is_not_limited",
    ),
    Sabotage(
        "the buyer of an unknown first is limited when signing again",
        "gateway/paid_call.py",
        "first = None if found.unknown_first is None else",
        "first = None if found else",
        _RATES + "test_a_second_payment_for_an_unknown_first_is_not_limited",
    ),
    Sabotage(
        "a new window begins with nothing behind it",
        "ledger/rates.py",
        "SET #before = #bought,",
        "SET #before = :one,",
        _COUNTED + "test_two_that_begin_a_window_count_what_was_before_once",
    ),
    Sabotage(
        "the window before counts for nothing",
        "payment/rate_limits.py",
        "return limit.calls - -(-bought.previous * _left(limit, bought, now) // limit.seconds)",
        "return limit.calls",
        "tests/unit/payment/test_rate_limits.py::test_what_the_window_before_held_counts_by_what_is_left_of_it",
    ),
    Sabotage(
        "two first buyers each count themselves alone",
        "ledger/rates.py",
        '"attribute_not_exists(pk) OR #window < :last"',
        '"attribute_not_exists(pk) OR #window > :last"',
        _SCHEDULES + "[LastPlace]",
    ),
    Sabotage(
        "a window is turned over twice",
        "ledger/rates.py",
        '"#window = :last AND #bought <= :most"',
        '"#window >= :last AND #bought <= :most"',
        _SCHEDULES + "[LastPlaceOfANewWindow]",
    ),
)
