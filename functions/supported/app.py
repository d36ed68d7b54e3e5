"""Supported: which payments this facilitator would settle now, and how it is spoken to (OpenAPI). Public."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.facilitator_api import GET
from tollgate.edge.json_api import respond
from tollgate.edge.supported_api import for_anybody
from tollgate.facilitator.supported import SupportedService
from tollgate.wiring.supported import make_supported

logger = Logger()
metrics = Metrics()
_supported: SupportedService | None = None


def _get_supported() -> SupportedService:
    global _supported  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _supported is None:
        _supported = make_supported()
    return _supported


def _bug() -> None:
    # The edge: loud in log and metrics, and an answer that leaks nothing.
    logger.exception("supported.bug")
    metrics.add_metric(name="supported.bug", unit=MetricUnit.Count, value=1)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Serve one request."""
    return respond(event, GET, for_anybody(lambda: _get_supported().get()), _bug)
