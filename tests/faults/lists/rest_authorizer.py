"""The guarantees of a REST API's authorizer: one grant, for what was paid."""

from tests.faults.sabotage import Sabotage

_AUTHORIZE = "tests/unit/gateway/test_authorize.py::"

SABOTAGES = (
    Sabotage(
        "what was granted is granted again",
        "gateway/known.py",
        "return granted(payment) if payment.granted_now else self.deliver.refused(call, payment)",
        "return granted(payment)",
        _AUTHORIZE + "test_a_granted_payment_lets_only_its_own_invocation_through",
    ),
    Sabotage(
        "a route prices whatever resource the API serves",
        "gateway/authorize.py",
        "if _shape(resource) == PathPattern.parse(route.pattern).shape:",
        "if True:",
        _AUTHORIZE + "test_a29_the_route_must_have_the_shape_of_the_resource_that_serves_it",
    ),
)
