"""Analytics: what routes earned. For their owners over HTTP, for the operator by invocation."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.analytics_api import answer, serve
from tollgate.edge.facilitator_api import GET
from tollgate.edge.json_api import respond
from tollgate.gateway.analytics import Analytics
from tollgate.gateway.messages import Answer, Request
from tollgate.wiring.analytics import make_analytics

logger = Logger()
metrics = Metrics()
_analytics: Analytics | None = None


def _get_analytics() -> Analytics:
    global _analytics  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _analytics is None:
        _analytics = make_analytics(logger, metrics)
    return _analytics


def _serve(request: Request) -> Answer:
    return serve(_get_analytics(), request)


def _bug() -> None:
    # The edge: loud in log and metrics, and an answer that leaks nothing.
    logger.exception("analytics.bug")
    metrics.add_metric(name="analytics.bug", unit=MetricUnit.Count, value=1)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Serve one request, or an operator."""
    if "requestContext" in event:
        return respond(event, GET, _serve, _bug)
    return answer(_get_analytics(), event)
