"""The headers that a route sends to its upstream, and the looks at whether it is there."""

from tests.faults.sabotage import Sabotage

SABOTAGES = (
    Sabotage(
        "a buyer's header in another spelling travels beside the route's",
        "gateway/upstream.py",
        "if confusable(name) not in taken}",
        "if name.lower() not in own}",
        "tests/unit/gateway/test_upstream.py::test_a91_a_header_of_the_routes_is_never_the_buyers_in_any_spelling",
    ),
    Sabotage(
        "looking at upstreams takes more than is left of a pass",
        "reconcile/health.py",
        "until = min(self._clock() + ALL_SECONDS, deadline - RESERVE_SECONDS)",
        "until = self._clock() + ALL_SECONDS",
        "tests/unit/reconcile/test_health.py::test_a_pass_never_runs_out_of_its_time_for_this",
    ),
)
