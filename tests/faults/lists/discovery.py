"""Sabotages of discovery: what is listed can be bought, what is internal stays inside, and nothing priced is free."""

from tests.faults.sabotage import Sabotage

_TESTS = "tests/contract/gateway/test_discovery.py::"
_DECLARED = "tests/unit/cli/test_declared.py::"

SABOTAGES = (
    Sabotage(
        "discovery: what cannot be paid for is listed",
        "gateway/discovery/listing.py",
        "payable = catalogue.payable_networks()",
        "payable = {r.network for route in catalogue.snapshot.routes for r in route.terms}",
        _TESTS + "test_a69_what_cannot_be_paid_is_not_listed",
    ),
    Sabotage(
        "discovery: a route without a price is listed",
        "gateway/discovery/listing.py",
        "if accepts and not is_reserved(route.pattern)",
        "if not is_reserved(route.pattern)",
        _TESTS + "test_a_route_without_a_price_is_in_no_document",
    ),
    Sabotage(
        "discovery: an upstream's address leaks",
        "gateway/discovery/listing.py",
        "        route.description,\n",
        "        route.description or route.upstream.url,\n",
        _TESTS + "test_nothing_internal_is_in_any_document",
    ),
    Sabotage(
        "discovery: a document comes before the seller's priced route",
        "gateway/serve.py",
        'if bad.code == "unknown_route" and request.raw_path in SITE_DOCUMENTS:',
        "if request.raw_path in SITE_DOCUMENTS:",
        _TESTS + "test_another_method_of_a_sellers_own_route_is_not_the_document",
    ),
    Sabotage(
        "discovery: a seller's route takes Tollgate's own places",
        "gateway/path_pattern.py",
        "in _RESERVED or path.lower() == WELL_KNOWN",
        "== _OWN",
        "tests/unit/gateway/test_catalogue.py::test_a_path_that_is_tollgates_own_is_never_a_sellers",
    ),
    Sabotage(
        "discovery: a document is cached for longer than an ended price is taken",
        "gateway/discovery/listing.py",
        "public, max-age=60",
        "public, max-age=86400",
        _TESTS + "test_a_document_is_free_read_only_and_may_be_kept_for_a_minute",
    ),
    Sabotage(
        "discovery: the offer lists what the 402 does not say",
        "gateway/discovery/resources.py",
        '"accepts": [requirements.to_json() for requirements in one.accepts],',
        '"accepts": [requirements.to_json() | {"amount": "1"} for requirements in one.accepts],',
        _TESTS + "test_a_listed_resource_is_what_its_offer_says",
    ),
    Sabotage(
        "discovery: a changed example refuses a payment",
        "gateway/examine.py",
        "check_echo(extensions(), payment.extensions)",
        'check_echo(__import__("tollgate.gateway.offers", fromlist=["x"]).described(call.match), payment.extensions)',
        "tests/contract/gateway/test_declared_routes.py::"
        "test_an_example_that_changed_since_the_offer_refuses_no_payment",
    ),
    Sabotage(
        "discovery: a long path makes an offer over 4 kB",
        "gateway/offers.py",
        "if len(encoded_path(match.path)) > LONGEST_DESCRIBED_PATH:",
        "if False:",
        _DECLARED + "test_a10_the_longest_offer_that_passes_the_checker_is_under_4_kb",
    ),
)
