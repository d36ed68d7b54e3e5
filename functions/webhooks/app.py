"""Webhooks: sends events of payments to their owners, signed, from a queue that brings them until they are taken."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.webhook_queue import WebhookQueue
from tollgate.wiring.webhooks import make_webhooks

logger = Logger()
metrics = Metrics()
_queue: WebhookQueue | None = None


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver a batch; returns the messages that are to come again."""
    global _queue  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _queue is None:
        _queue = make_webhooks(logger, metrics)
    return _queue.consume(event)
