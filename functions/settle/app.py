"""Settle: the one function that may sign. Invoked by the proxy and by reconcile, and over HTTP by sellers elsewhere.

{"op": "settle", "request": {...}}  ->  an outcome, or {"outcome": "refused", "reason": "..."}
{"op": "refund_ready" | "refund", "payment": "<network>#<asset>#<payer>#<nonce>"}  ->  facilitator/refund.py
{"op": "relayers"}                  ->  {"networks": [{"network", "relayers": [...], "hasGas"}]}
{"op": "doctor"}                    ->  keys, clock and RPC endpoints as they look from here: wiring/doctor.py
{"requestContext": {...}, ...}      ->  an HTTP answer: POST /x402/facilitator/settle
"""

import time
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.facilitator_api import POST, for_seller
from tollgate.edge.json_api import respond
from tollgate.errors import Refusal
from tollgate.facilitator.refund import refund_answer
from tollgate.gateway.messages import Answer, Request
from tollgate.payment.settlement import SettleRequest, outcome_to_json
from tollgate.wiring.doctor import checkup
from tollgate.wiring.settle import Facilitator

logger = Logger()
metrics = Metrics()
_facilitator: Facilitator | None = None


def _get_facilitator() -> Facilitator:
    global _facilitator  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _facilitator is None:
        _facilitator = Facilitator(logger, metrics)
    return _facilitator


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle or refund one payment, or report the relayers. A bug or a lost write fails the invocation: unknown."""
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000
    if "requestContext" in event:
        return respond(event, POST, partial(_serve, deadline=deadline), _bug)
    match event.get("op"):
        case "settle":
            request = SettleRequest.from_json(event["request"])
            try:
                return outcome_to_json(_get_facilitator().settle(request, deadline))
            except Refusal as refused:
                return {"outcome": "refused", "reason": refused.reason.value}
        case "refund_ready":
            return refund_answer(_get_facilitator().refunds.ready, event["payment"], deadline)
        case "refund":
            return refund_answer(_get_facilitator().refunds.refund, event["payment"], deadline)
        case "relayers":
            return _get_facilitator().relayers()
        case "doctor":
            return checkup()
    raise ValueError("op must be settle, refund_ready, refund, relayers or doctor")


def _serve(request: Request, deadline: float) -> Answer:
    facilitator = _get_facilitator()
    settle = partial(facilitator.guests.settle, deadline=deadline)
    return for_seller(facilitator.sellers, facilitator.journal, settle)(request)


def _bug() -> None:
    logger.exception("settle.bug")
    metrics.add_metric(name="settle.bug", unit=MetricUnit.Count, value=1)
