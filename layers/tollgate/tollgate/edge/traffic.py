"""Requests, offers, failures and how long calls took, by route, as CloudWatch has them.

They come from metrics, since an unpaid request writes nothing; so they are near, while what was paid is exact, and of
a route that CloudWatch knows nothing of nothing is said, rather than 0. Percentiles are those of the slowest day:
percentiles of days have no sum. Source: Amazon CloudWatch API Reference, GetMetricData (500 metrics a call).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from tollgate.edge.telemetry import FAILURES, MILLISECONDS, OFFERS
from tollgate.payment.tally import DAY_SECONDS

MOST_ROUTES = 80
# What is said of a route -> metric, statistic, and how days become one number.
_ASKED: Mapping[str, tuple[str, str, Callable[[Sequence[float]], float]]] = {
    "requests": (OFFERS, "SampleCount", sum),
    "offers": (OFFERS, "Sum", sum),
    "failures": (FAILURES, "Sum", sum),
    "p50Milliseconds": (MILLISECONDS, "p50", max),
    "p95Milliseconds": (MILLISECONDS, "p95", max),
    "p99Milliseconds": (MILLISECONDS, "p99", max),
}


class ReadsMetrics(Protocol):
    """boto3's client of CloudWatch."""

    @property
    def get_metric_data(self) -> Callable[..., Any]:
        """GetMetricData."""


@dataclass(frozen=True, slots=True)
class CloudWatchTraffic:
    """Reads the namespace of a stack."""

    client: ReadsMetrics
    namespace: str

    def of(self, routes: Sequence[str], first: int, last: int) -> dict[str, dict[str, int | None]]:
        """What is known of up to 80 routes over the days ``first`` to ``last``; ``None`` for what is not."""
        asked = list(routes[:MOST_ROUTES])
        queries = [self._query(f"r{at}_{name}", route, name) for at, route in enumerate(asked) for name in _ASKED]
        found: dict[str, list[float]] = {}
        token: str | None = None
        while queries:
            more = {} if token is None else {"NextToken": token}
            try:
                page = self.client.get_metric_data(
                    MetricDataQueries=queries,
                    StartTime=datetime.fromtimestamp(first * DAY_SECONDS, UTC),
                    EndTime=datetime.fromtimestamp((last + 1) * DAY_SECONDS, UTC),
                    **more,
                )
            except (ClientError, BotoCoreError):
                # What was paid is said all the same.
                found = {}
                break
            for result in page["MetricDataResults"]:
                found.setdefault(result["Id"], []).extend(result["Values"])
            token = page.get("NextToken")
            if token is None:
                break
        return {route: self._told(found, f"r{at}_") for at, route in enumerate(asked)}

    def _told(self, found: Mapping[str, list[float]], prefix: str) -> dict[str, int | None]:
        told: dict[str, int | None] = {}
        for name, (_, _, together) in _ASKED.items():
            values = found.get(prefix + name)
            told[name] = round(together(values)) if values else None
        return told

    def _query(self, id: str, route: str, name: str) -> dict[str, Any]:
        metric, statistic, _ = _ASKED[name]
        # Powertools adds the function's name to the dimensions by itself.
        dimensions = [{"Name": "route", "Value": route}, {"Name": "service", "Value": "proxy"}]
        what = {"Namespace": self.namespace, "MetricName": metric, "Dimensions": dimensions}
        return {"Id": id, "MetricStat": {"Metric": what, "Period": DAY_SECONDS, "Stat": statistic}}
