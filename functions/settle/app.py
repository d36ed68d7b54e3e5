"""Settle: the one function that may sign. Invoked by IAM only, by the proxy and by reconcile.

{"op": "settle", "request": {...}}  ->  an outcome, or {"outcome": "refused", "reason": "..."}
{"op": "relayers"}                  ->  {"networks": [{"network", "relayers": [...], "hasGas"}]}
"""

import time
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.errors import Refusal
from tollgate.payment.settlement import SettleRequest, outcome_to_json
from tollgate.wiring.settle import Facilitator

logger = Logger()
metrics = Metrics()
# Only AWS calls: a patched http.client would put the RPC URL, which holds the key, into every trace.
tracer = Tracer(patch_modules=("botocore",))
_facilitator: Facilitator | None = None


def _get_facilitator() -> Facilitator:
    global _facilitator  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _facilitator is None:
        _facilitator = Facilitator(logger, metrics)
    return _facilitator


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False, capture_error=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle one payment, or report the relayers. A bug or a lost write fails the invocation: unknown."""
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000
    match event.get("op"):
        case "settle":
            request = SettleRequest.from_json(event["request"])
            try:
                return outcome_to_json(_get_facilitator().settle(request, deadline))
            except Refusal as refused:
                return {"outcome": "refused", "reason": refused.reason.value}
        case "relayers":
            return _get_facilitator().relayers()
    raise ValueError("op must be settle or relayers")
