"""Counter: adds what became of payments to the sums of their routes and days, from the payments table's stream."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.wiring.counter import Counter

logger = Logger()
metrics = Metrics()
_counter: Counter | None = None


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count one batch; it may come again, in part or as a whole. Returns the first record that cannot be read."""
    global _counter  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _counter is None:
        _counter = Counter(logger, metrics)
    return _counter.count(event)
