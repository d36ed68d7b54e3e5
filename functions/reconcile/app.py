"""Reconcile: every minute, publish the relayers' gas, finish what was left open, compare chain and books."""

import time
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.reconcile.relayers import publish_relayers
from tollgate.wiring.reconcile import Reconciler

logger = Logger()
metrics = Metrics()
_reconciler: Reconciler | None = None

_RELAYERS_TIMEOUT_SECONDS = 12.0


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run one pass; overlapping or repeated passes are harmless. Returns how many payments it visited."""
    global _reconciler  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000
    if _reconciler is None:
        _reconciler = Reconciler(logger, metrics)
    try:
        publish_relayers(
            _reconciler.settler,
            _reconciler.routes,
            _reconciler.journal,
            int(time.time()),
            _RELAYERS_TIMEOUT_SECONDS,
        )
    finally:
        # Whatever ails the status, payments are finished; the error stays loud.
        visited = _reconciler.run(deadline)
    return {"visited": visited}
