"""Discovery: what is sold, and how it is paid, for software that looks before it pays. Public."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.discovery_api import GET, documents
from tollgate.edge.json_api import respond
from tollgate.gateway.discovery.documents import Documents
from tollgate.wiring.discovery import make_documents

logger = Logger()
metrics = Metrics()
_documents: Documents | None = None


def _get_documents() -> Documents:
    global _documents  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _documents is None:
        _documents = make_documents()
    return _documents


def _bug() -> None:
    # The edge: loud in log and metrics, and an answer that leaks nothing.
    logger.exception("discovery.bug")
    metrics.add_metric(name="discovery.bug", unit=MetricUnit.Count, value=1)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Serve one request."""
    return respond(event, GET, documents(_get_documents), _bug)
