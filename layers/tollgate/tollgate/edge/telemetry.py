"""The journal over Powertools: one structured log line and one EMF count for every event."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from tollgate.payment.events import Event

_WARNINGS = frozenset(
    {
        Event.PAYMENT_UNPAID,
        Event.PAYMENT_UNRESOLVED,
        Event.PAYMENT_REVERSED,
        Event.PAYMENT_PAID_UNSERVED,
        Event.PAYMENT_UNKNOWN,
        Event.SETTLEMENT_FAILED,
        Event.CHAIN_UNAVAILABLE,
        Event.RECONCILE_ITEM_FAILED,
    }
)


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
