"""The proxy: a 402 with the offer, or the paid relay to the upstream. HTTP API event in, answer out."""

import time
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.answers import internal_error, render, render_bad_request
from tollgate.edge.http_api import read_request, write_answer
from tollgate.edge.paywall import wants_page
from tollgate.edge.telemetry import measure_request
from tollgate.errors import BadRequest
from tollgate.gateway.serve import Gateway
from tollgate.wiring.proxy import make_gateway

logger = Logger()
metrics = Metrics()
_gateway: Gateway | None = None


def _get_gateway() -> Gateway:
    global _gateway  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _gateway is None:
        _gateway = make_gateway(logger, metrics)
    return _gateway


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Serve one request. A bug is a logged 500 that says that nobody knows, never an offer."""
    begun = time.perf_counter()
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000
    try:
        request = read_request(event)
        outcome = _get_gateway().handle(request, deadline)
    except BadRequest as bad:
        return write_answer(event, render_bad_request(bad))
    except Exception:
        # The edge: loud in log and metrics, an answer that leaks nothing; the payment's item says what happened.
        logger.exception("proxy.bug")
        metrics.add_metric(name="proxy.bug", unit=MetricUnit.Count, value=1)
        return write_answer(event, internal_error())
    answer = render(outcome, page=wants_page(request.headers))
    if outcome.measured_as:
        measure_request(outcome.measured_as, answer.status, (time.perf_counter() - begun) * 1000)
    return write_answer(event, answer)
