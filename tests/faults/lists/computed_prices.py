"""Prices that a function computes: what binds an offer, and how long it is taken."""

from tests.faults.sabotage import Sabotage

_TESTS = "tests/attacks/test_computed_prices.py::"

SABOTAGES = (
    Sabotage(
        "a computed price is what the buyer says",
        "payment/computed_price.py",
        "if not hmac.compare_digest(_seal(terms, question, key, int(found[1])), found[2]):",
        "if False:",
        _TESTS + "test_a16_no_buyer_names_the_price",
    ),
    Sabotage(
        "an offer is good for any request",
        "payment/computed_price.py",
        "parts = [_PURPOSE, hashlib.sha256(question).hexdigest(), terms.to_json(), expires]",
        "parts = [_PURPOSE, terms.to_json(), expires]",
        _TESTS + "test_a17_an_offer_is_good_for_its_own_request_only",
    ),
    Sabotage(
        "renaming a route voids the offers that somebody holds",
        "gateway/price_answer.py",
        'if name not in ("route", "params")}',
        "}",
        _TESTS + "test_an_apply_does_not_void_an_offer_that_somebody_holds",
    ),
    Sabotage(
        "an offer never expires",
        "payment/computed_price.py",
        "if found is None or now > int(found[1]):",
        "if found is None:",
        _TESTS + "test_an_offer_expires_and_is_made_anew_but_what_was_claimed_keeps_its_answer",
    ),
)
