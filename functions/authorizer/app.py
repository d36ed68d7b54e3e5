"""A REST API's authorizer: a request passes once its payment is settled, once. Authorizer event in, policy out."""

import time
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.edge.rest_authorizer import Unauthorized, Undecided, answer, deny_malformed, read_event
from tollgate.errors import BadRequest
from tollgate.gateway.authorize import Authorizer
from tollgate.wiring.authorizer import make_authorizer

logger = Logger()
metrics = Metrics()
_authorizer: Authorizer | None = None


def _get_authorizer() -> Authorizer:
    global _authorizer  # noqa: PLW0603 - one per cold start; it holds connections and caches only
    if _authorizer is None:
        _authorizer = make_authorizer(logger, metrics)
    return _authorizer


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Decide on one request. What it raises API Gateway answers without an offer: 409, or 503 for all but one text."""
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000
    try:
        request, resource = read_event(event)
        return answer(event, *_get_authorizer().decide(request, resource, deadline))
    except BadRequest as bad:
        return deny_malformed(event, bad)
    except (Unauthorized, Undecided):
        raise
    except Exception:
        # Loud in the log and among Lambda's errors; to API Gateway it is an unknown outcome like any other.
        logger.exception("authorizer.bug")
        metrics.add_metric(name="authorizer.bug", unit=MetricUnit.Count, value=1)
        raise
