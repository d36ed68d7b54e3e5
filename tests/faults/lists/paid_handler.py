"""A price on a seller's own handler."""

from tests.faults.sabotage import Sabotage

_PAID = "tests/contract/test_paid_handler.py::"

SABOTAGES = (
    Sabotage(
        "what a handler raised is sold as an answer",
        "gateway/handler_upstream.py",
        "raise UpstreamFailed(FailureKind.FUNCTION_ERROR) from error",
        "returned = b'{}'",
        _PAID + "test_a94_a_handler_that_raises_is_not_charged",
    ),
    Sabotage(
        "a handler that comes back too late is settled for",
        "gateway/handler_upstream.py",
        "if self._clock() - began > timeout:",
        "if False:",
        _PAID + "test_a_handler_that_comes_back_too_late_is_not_charged",
    ),
    Sabotage(
        "a function sells what the stack sells",
        "wiring/proxy.py",
        "of_the_proxy(routes.load()) if goods is None else replace(routes.load(), routes=goods.routes)",
        "routes.load()",
        _PAID + "test_the_example_sells_and_settles",
    ),
)
