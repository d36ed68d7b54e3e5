"""Challenge: the offer of any route, for callers who ask first. Public."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.answers import render
from tollgate.edge.facilitator_api import GET
from tollgate.edge.json_api import respond
from tollgate.edge.paywall import wants_page
from tollgate.gateway.challenge import Challenger
from tollgate.gateway.messages import Answer, Request
from tollgate.wiring.challenge import make_challenger

logger = Logger()
metrics = Metrics()
_challenger: Challenger | None = None


def _get_challenger() -> Challenger:
    global _challenger  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _challenger is None:
        _challenger = make_challenger(logger, metrics)
    return _challenger


def _serve(request: Request) -> Answer:
    return render(_get_challenger().challenge(request.raw_query), page=wants_page(request.headers))


def _bug() -> None:
    # The edge: loud in log and metrics, and an answer that leaks nothing.
    logger.exception("challenge.bug")
    metrics.add_metric(name="challenge.bug", unit=MetricUnit.Count, value=1)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Serve one request."""
    return respond(event, GET, _serve, _bug)
