"""The headers that a route sends to its upstream: whose win, and which no route may send."""

from tests.faults.sabotage import Sabotage

_SENT = "tests/unit/gateway/test_upstream.py::"

SABOTAGES = (
    Sabotage(
        "a buyer's header in another spelling travels beside the route's",
        "gateway/upstream.py",
        "if confusable(name) not in taken}",
        "if name.lower() not in own}",
        _SENT + "test_a91_a_header_of_the_routes_is_never_the_buyers_in_any_spelling",
    ),
    Sabotage(
        "a route's fixed header may be the connection's",
        "gateway/upstream.py",
        "or not may_be_set(header.name)",
        "or (header.secret is not None and not may_be_set(header.name))",
        _SENT + "test_a89_a_fixed_header_that_is_none_sends_nothing",
    ),
)
