"""What is free, what costs how much, and how often it may be bought: one line each that gets it wrong."""

from tests.faults.sabotage import Sabotage

_FREE = "tests/contract/gateway/test_free_routes.py::"

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
)
