"""A price on a Lambda function of your own: the stack's settle function collects, your handler is what is sold.

    from tollgate.paid import paid

    @paid("GET /weather/{city}", price="$0.01", pay_to="0x…")
    def handler(event, context):
        return {"statusCode": 200, "body": f"sunny in {event['pathParameters']['city']}"}

It stands behind an HTTP API (payload format 2.0) with the stack's layer, and with the environment and the policies of
docs/paid-handler.md. A request without payment gets the 402; a paid one runs the handler once, with the event that API
Gateway would bring it and who paid in ``requestContext.authorizer.lambda`` (``gateway/function_event.py``). What the
handler raises, or answers with 4xx, 5xx or a redirect, is not charged.
"""

import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from tollgate.edge.answers import internal_error, render, render_bad_request
from tollgate.edge.http_api import read_request, write_answer
from tollgate.edge.paywall import wants_page
from tollgate.errors import BadRequest
from tollgate.gateway.handler_upstream import Handler, HandlerUpstream
from tollgate.gateway.own_routes import OwnTerms, own_routes
from tollgate.gateway.serve import Gateway
from tollgate.payment.states import Flow
from tollgate.settings import Settings
from tollgate.wiring.proxy import OwnGoods, make_gateway

__all__ = ["paid"]


def paid(
    routes: str | Mapping[str, str],
    *,
    pay_to: str,
    price: str = "",
    description: str = "",
    flow: str = Flow.AUTHORIZATION.value,
    timeout_seconds: float = 10.0,
    max_timeout_seconds: int = 60,
    asset: str = "USDC",
) -> Callable[[Handler], Handler]:
    """Sell a handler, or what a Powertools resolver resolves: ``handler = paid({...}, pay_to=…)(app.resolve)``.

    ``routes``: a method and a path (``GET /weather/{city}``) with ``price``, or several with a price each; prices are
    dollars such as ``$0.01``, or ``free``. What is not named is 404. ``pay_to`` is your address, on each of the
    stack's networks. ``flow``: ``upfront`` settles before the handler runs, for what cannot be undone. What takes more
    than ``timeout_seconds`` is not charged. ``max_timeout_seconds``: how long a signed payment is good for. ``asset``:
    its symbol.

    Raises ``ConfigurationError`` with a sentence, when the function is imported.
    """
    terms = OwnTerms.of(
        {routes: price} if isinstance(routes, str) else routes,
        pay_to=pay_to,
        description=description,
        flow=flow,
        timeout_seconds=timeout_seconds,
        max_timeout_seconds=max_timeout_seconds,
        asset=asset,
    )

    def sell(handler: Handler) -> Handler:
        sold = _Sold(handler, terms)

        @functools.wraps(handler)
        def serve(event: dict[str, Any], context: Any) -> dict[str, Any]:
            return sold.serve(event, context)

        return serve

    return sell


class _Sold:
    """A handler with its gateway, which is built at the first call: it holds connections and caches only."""

    def __init__(self, handler: Handler, terms: OwnTerms) -> None:
        self._handler = handler
        self._terms = terms
        self._logger = Logger()
        self._metrics = Metrics()
        self._upstream: HandlerUpstream | None = None
        self._gateway: Gateway | None = None

    def serve(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Serve one request. A bug of ours is a logged 500 that says that nobody knows, never an offer."""
        deadline = time.time() + context.get_remaining_time_in_millis() / 1000
        try:
            return self._serve(event, context, deadline)
        except Exception:
            self._logger.exception("proxy.bug")
            self._metrics.add_metric(name="proxy.bug", unit=MetricUnit.Count, value=1)
            return write_answer(event, internal_error())
        finally:
            self._metrics.flush_metrics()

    def _serve(self, event: dict[str, Any], context: Any, deadline: float) -> dict[str, Any]:
        try:
            request = read_request(event)
        except BadRequest as bad:
            return write_answer(event, render_bad_request(bad))
        gateway = self._gateway = self._gateway or make_gateway(self._logger, self._metrics, self._goods)
        if self._upstream is not None:
            self._upstream.context = context
        outcome = gateway.handle(request, deadline)
        return write_answer(event, render(outcome, page=wants_page(request.headers)))

    def _goods(self, settings: Settings, domain: str) -> OwnGoods:
        function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "handler")
        self._upstream = HandlerUpstream(self._handler, domain=domain, clock=time.monotonic, now=time.time)
        return OwnGoods(own_routes(self._terms, settings.networks, function), self._upstream)
