"""Verify: would this payment settle now? For sellers elsewhere, over HTTP; it can write nothing."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.facilitator_api import POST, for_seller
from tollgate.edge.json_api import respond
from tollgate.gateway.messages import Answer, Request
from tollgate.wiring.verify import Verifier

logger = Logger()
metrics = Metrics()
_verifier: Verifier | None = None


def _get_verifier() -> Verifier:
    global _verifier  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _verifier is None:
        _verifier = Verifier(logger, metrics)
    return _verifier


def _serve(request: Request) -> Answer:
    verifier = _get_verifier()
    return for_seller(verifier.sellers, verifier.journal, verifier.service.verify)(request)


def _bug() -> None:
    # The edge: loud in log and metrics, and an answer that leaks nothing.
    logger.exception("verify.bug")
    metrics.add_metric(name="verify.bug", unit=MetricUnit.Count, value=1)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Serve one request."""
    return respond(event, POST, _serve, _bug)
