"""The journal over Powertools: one structured log line and one EMF count for every event, and what some measure.

Every metric of an event has the dimension ``service``, the function's name. What is measured per network, or per route,
has a second dimension set that says which; alarms look at ``service`` alone, where the worst one shows.
"""

from collections.abc import Mapping
from types import MappingProxyType

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from tollgate.payment.events import MEASURED, Event

_WARNINGS = frozenset(
    {
        Event.PRICE_FAILED,
        Event.PAYMENT_UNPAID,
        Event.PAYMENT_UNRESOLVED,
        Event.PAYMENT_REVERSED,
        Event.PAYMENT_PAID_UNSERVED,
        Event.PAYMENT_UNKNOWN,
        Event.ANSWER_LOST,
        Event.ANSWER_UNAVAILABLE,
        Event.SETTLEMENT_FAILED,
        Event.FACILITATOR_SKIPPED,
        Event.REFUND_WAITS,
        Event.REFUND_REFUSED,
        Event.CHAIN_UNAVAILABLE,
        Event.RECONCILE_ITEM_FAILED,
        Event.RECONCILE_PARKED,
        Event.RECONCILE_UNEXPLAINED,
        Event.STREAM_UNREADABLE,
        Event.EVENTS_REFUSED,
        Event.WEBHOOK_FAILED,
    }
)
# By which fields a measured event is told apart; a route's answers are few (2xx to 5xx, and why there was none).
_DIMENSIONS: Mapping[Event, tuple[str, ...]] = MappingProxyType(
    {
        Event.RELAYER_STATUS: ("network",),
        Event.RECONCILE_SCANNED: ("network",),
        Event.UPSTREAM_ANSWERED: ("route", "answer"),
    }
)

# Of each request for a route, with the dimension ``route``: whether it got an offer (402), whether it failed (5xx), and
# how long it took where it was served (2xx). How often OFFERS was measured is how many requests there were.
OFFERS, FAILURES, MILLISECONDS = "request.offers", "request.failures", "request.milliseconds"


def measure_request(route: str, status: int, milliseconds: float) -> None:
    """Emit a request's metrics. ``route`` is one of few: a custom metric costs by the month."""
    own = AmazonCloudWatchEMFProvider()
    own.add_metric(name=OFFERS, unit=MetricUnit.Count, value=float(status == 402))
    own.add_metric(name=FAILURES, unit=MetricUnit.Count, value=float(status >= 500))
    if 200 <= status < 300:
        own.add_metric(name=MILLISECONDS, unit=MetricUnit.Milliseconds, value=milliseconds)
    own.add_dimension("route", route)
    own.flush_metrics()


class PowertoolsJournal:
    """Writes events; the fields are ids, states, hashes, codes and numbers, never what they protect."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        self._logger = logger
        self._metrics = metrics

    def record(self, event: Event, **fields: str | int | float | bool | None) -> None:
        """Write one line under the event's name and count it."""
        kept = {key: value for key, value in fields.items() if value is not None}
        write = self._logger.warning if event in _WARNINGS else self._logger.info
        write(event.value, extra=kept)
        self._metrics.add_metric(name=event.value, unit=MetricUnit.Count, value=1)
        for name in MEASURED.get(event, ()):
            if name in kept:
                of = {key: str(kept[key]) for key in _DIMENSIONS.get(event, ()) if key in kept}
                self._measure(f"{event.value}.{name}", float(kept[name]), of)

    def _measure(self, name: str, value: float, of: dict[str, str]) -> None:
        unit = MetricUnit.Seconds if name.endswith("_seconds") else MetricUnit.Count
        if not of:
            self._metrics.add_metric(name=name, unit=unit, value=value)
            return
        # A record of its own: dimensions belong to all metrics of a record.
        own = AmazonCloudWatchEMFProvider()
        own.add_metric(name=name, unit=unit, value=value)
        own.add_dimensions(service=own.service, **of)
        own.flush_metrics()
