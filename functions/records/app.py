"""Records: how payments stand, whose they are, and receipts. For payers and owners over HTTP, for operators by IAM."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.facilitator_api import GET
from tollgate.edge.json_api import respond
from tollgate.edge.records_api import RecordsApi, answer, serve
from tollgate.gateway.messages import Answer, Request
from tollgate.wiring.records import make_records

logger = Logger()
metrics = Metrics()
_records: RecordsApi | None = None


def _get_records() -> RecordsApi:
    global _records  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _records is None:
        _records = make_records(logger, metrics)
    return _records


def _serve(request: Request) -> Answer:
    return serve(_get_records(), request)


def _bug() -> None:
    # The edge: loud in log and metrics, and an answer that leaks nothing.
    logger.exception("records.bug")
    metrics.add_metric(name="records.bug", unit=MetricUnit.Count, value=1)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Serve one request, or an operator."""
    if "requestContext" in event:
        return respond(event, GET, _serve, _bug)
    return answer(_get_records(), event)
