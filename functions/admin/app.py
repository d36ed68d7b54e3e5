"""Admin: owners register and change their own routes. It may write the routes table, and reach nothing else."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.admin_api import METHODS, answer, serve
from tollgate.edge.json_api import respond
from tollgate.gateway.admin.routes import OwnedRoutes
from tollgate.gateway.messages import Answer, Request
from tollgate.wiring.admin import make_owned_routes

logger = Logger()
metrics = Metrics()
_routes: OwnedRoutes | None = None


def _get_routes() -> OwnedRoutes:
    global _routes  # noqa: PLW0603 - one per cold start; it holds connections only
    if _routes is None:
        _routes = make_owned_routes(logger, metrics)
    return _routes


def _serve(request: Request) -> Answer:
    return serve(_get_routes(), request)


def _bug() -> None:
    # The edge: loud in log and metrics, and an answer that leaks nothing.
    logger.exception("admin.bug")
    metrics.add_metric(name="admin.bug", unit=MetricUnit.Count, value=1)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Serve one request, or whoever sells registering."""
    if "requestContext" in event:
        return respond(event, METHODS, _serve, _bug)
    return answer(_get_routes(), event)
