"""Publisher: tells the event bus what became of payments, from the payments table's stream."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.wiring.publisher import Publisher

logger = Logger()
metrics = Metrics()
_publisher: Publisher | None = None


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publish one batch; it may come again, in part or as a whole. Returns the first record that is not dealt with."""
    global _publisher  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _publisher is None:
        _publisher = Publisher(logger, metrics)
    return _publisher.publish(event)
