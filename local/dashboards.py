"""``make dashboards``: renew the CloudWatch dashboard of template.yaml and dashboards/grafana.json from one table.

Every metric of ours is named with the function that emits it (dimension ``service``); the tests compare the names
with what the functions emitted when they did all that they do.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.networks import TEMPLATE, between
from local.paths import ROOT

GRAFANA = ROOT / "dashboards" / "grafana.json"
PERIOD_SECONDS = 300
_WIDTH, _HEIGHT = 12, 6
_LINE = 112
_STACK = "${AWS::StackName}"


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of a panel. ``service`` is one of our functions; without it ``namespace`` and ``dimension`` are AWS's,
    the latter a resource of the template."""

    name: str
    service: str = ""
    statistic: str = "Sum"
    namespace: str = ""
    dimension: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Panel:
    """``unit`` as Grafana calls it; ``says`` is for whoever looks at it for the first time."""

    title: str
    says: str
    metrics: tuple[Metric, ...]
    unit: str = "short"


def _ours(service: str, *names: str, statistic: str = "Sum") -> tuple[Metric, ...]:
    return tuple(Metric(name, service, statistic) for name in names)


def _lambda(name: str, statistic: str, *functions: str) -> tuple[Metric, ...]:
    return tuple(Metric(name, "", statistic, "AWS/Lambda", ("FunctionName", f)) for f in functions)


def _api(name: str, statistic: str) -> Metric:
    return Metric(name, "", statistic, "AWS/ApiGateway", ("ApiId", "HttpApi"))


PANELS = (
    Panel(
        "Sales",
        "Offers made (402), payments claimed, and payments settled: the last over the first is your conversion.",
        _ours("proxy", "offer.made", "payment.claimed", "payment.settled", "payment.fulfilled"),
    ),
    Panel(
        "Revenue",
        "Dollars settled less what was reversed, as analytics counted them; `tollgate analytics show` is exact.",
        _ours("counter", "analytics.counted.revenue_dollars"),
        "currencyUSD",
    ),
    Panel(
        "Events",
        "Put on the bus, delivered to owners' webhooks, and deliveries that failed and are made again.",
        (*_ours("publisher", "events.published"), *_ours("webhooks", "webhook.delivered", "webhook.failed")),
    ),
    Panel(
        "Not sold",
        "Refused payments, payers at their limit, upstreams that failed, and runs that were not charged.",
        _ours("proxy", "payment.refused", "payer.limited", "upstream.failed", "payment.released"),
    ),
    Panel(
        "Service without money and money without service",
        "Each of these is one row of the books: see `tollgate payments stuck` and docs/operations.md.",
        (
            *_ours("reconcile", "payment.unpaid", "payment.unresolved", "payment.paid_unserved", "payment.refund_due"),
            *_ours("reconcile", "payment.reversed"),
        ),
    ),
    Panel(
        "Told to wait",
        "Answers that said that nobody knows yet (503), resends that got the stored answer, and second payments.",
        _ours("proxy", "payment.unknown", "payment.resent", "payment.waited", "payment.second"),
    ),
    Panel(
        "Settlements",
        "What settle reserved, sent, replaced at a higher fee and saw confirmed, and what reverted.",
        _ours(
            "settle",
            "settlement.reserved",
            "settlement.broadcast",
            "settlement.replaced",
            "settlement.confirmed",
            "settlement.reverted",
            "settlement.failed",
        ),
    ),
    Panel(
        "Settlements that the relayers' gas still pays for",
        "Of the poorest network; at zero the network leaves the offers.",
        _ours("settle", "relayer.status.settlements_left", statistic="Minimum"),
    ),
    Panel(
        "Oldest open payment and reconcile's lag",
        "Minutes are normal while a chain is slow; a quarter of an hour rings.",
        (
            *_ours("reconcile", "reconcile.done.oldest_open_seconds", statistic="Maximum"),
            *_ours("reconcile", "reconcile.done.lag_seconds", "reconcile.scanned.lag_seconds", statistic="Maximum"),
        ),
        "s",
    ),
    Panel(
        "Set aside or not explained",
        "Payments that reconcile gave up on, and differences between the chain and the books.",
        _ours("reconcile", "reconcile.done.parked_payments", "reconcile.scanned.discrepancies", statistic="Maximum"),
    ),
    Panel(
        "Requests",
        "All requests at the API, and those that ended in an error.",
        (_api("Count", "Sum"), _api("4xx", "Sum"), _api("5xx", "Sum")),
    ),
    Panel(
        "How long an answer takes",
        "At the API: a paid call waits for its block.",
        (_api("Latency", "p50"), _api("Latency", "p95"), _api("Latency", "p99")),
        "ms",
    ),
    Panel(
        "How long functions run",
        "The slowest of a hundred.",
        _lambda("Duration", "p99", "ProxyFunction", "SettleFunction", "ReconcileFunction"),
        "ms",
    ),
    Panel(
        "Errors and throttles",
        "Each is a request that got no answer of ours.",
        (
            *_lambda("Errors", "Sum", "ProxyFunction", "SettleFunction", "ReconcileFunction"),
            *_lambda("Throttles", "Sum", "ProxyFunction", "SettleFunction"),
        ),
    ),
)


def main() -> None:
    """Write the files and say which changed."""
    for path, text in files().items():
        changed = not path.exists() or path.read_text() != text
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        print(f"· {path.relative_to(ROOT)}: {'rewritten' if changed else 'up to date'}")


def files() -> dict[Path, str]:
    """What the generated files must hold. Raises ``ValueError`` when the template has lost a marker."""
    template = between(TEMPLATE.read_text(), {"dashboard": template_lines()}, "make dashboards")
    return {TEMPLATE: template, GRAFANA: json.dumps(grafana(), indent=2) + "\n"}


def template_lines() -> list[str]:
    """The body as YAML: one widget a line or more, joined by CloudFormation."""
    body = json.dumps(cloudwatch(), separators=(",", ": "))
    return ["DashboardBody:", "  Fn::Sub: >-", *(f"    {line}" for line in _folded(body))]


def _folded(text: str) -> Iterator[str]:
    """Cut at commas between fields, where a folded line's blank changes nothing."""
    line = ""
    for part in text.split(","):
        if line and len(line) + len(part) > _LINE:
            yield line
            line = ""
        line += part + ","
    yield line.removesuffix(",")


def cloudwatch() -> dict[str, Any]:
    """A dashboard body. Source: AWS, "Dashboard body structure and syntax"."""
    return {
        "widgets": [
            {
                "type": "metric",
                "x": _WIDTH * (number % 2),
                "y": _HEIGHT * (number // 2),
                "width": _WIDTH,
                "height": _HEIGHT,
                "properties": {
                    "title": panel.title,
                    "region": "${AWS::Region}",
                    "view": "timeSeries",
                    "period": PERIOD_SECONDS,
                    "metrics": [_line(metric) for metric in panel.metrics],
                },
            }
            for number, panel in enumerate(PANELS)
        ]
    }


def _line(metric: Metric) -> list[Any]:
    if metric.service:
        return [f"Tollgate/{_STACK}", metric.name, "service", metric.service, {"stat": metric.statistic}]
    name, resource = metric.dimension
    return [metric.namespace, metric.name, name, f"${{{resource}}}", {"stat": metric.statistic}]


def grafana() -> dict[str, Any]:
    """A dashboard that Grafana imports; it asks for the CloudWatch data source, the region and the stack."""
    return {
        "title": "Tollgate",
        "uid": "tollgate",
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "CloudWatch", "type": "datasource", "query": "cloudwatch"},
                _asked("region", "Region", "us-east-1"),
                _asked("stack", "Stack", "tollgate"),
                _asked("api", "Id of the HTTP API: the first part of the output ApiUrl", ""),
                *(_asked(f.lower(), f"Output {f}FunctionName", "") for f in ("Proxy", "Settle", "Reconcile")),
            ]
        },
        "panels": [
            {
                "id": number + 1,
                "type": "timeseries",
                "title": panel.title,
                "description": panel.says,
                "datasource": {"type": "cloudwatch", "uid": "${datasource}"},
                "gridPos": {"x": _WIDTH * (number % 2), "y": 8 * (number // 2), "w": _WIDTH, "h": 8},
                "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
                "targets": [_target(metric, chr(ord("A") + at)) for at, metric in enumerate(panel.metrics)],
            }
            for number, panel in enumerate(PANELS)
        ],
    }


def _asked(name: str, label: str, default: str) -> dict[str, Any]:
    return {"name": name, "label": label, "type": "textbox", "query": default, "current": {"value": default}}


def _target(metric: Metric, ref: str) -> dict[str, Any]:
    if metric.service:
        namespace, dimensions = "Tollgate/${stack}", {"service": metric.service}
    else:
        namespace, dimensions = metric.namespace, {metric.dimension[0]: _grafana_value(metric.dimension[1])}
    return {
        "refId": ref,
        "queryMode": "Metrics",
        "metricQueryType": 0,
        "metricEditorMode": 0,
        "region": "${region}",
        "namespace": namespace,
        "metricName": metric.name,
        "dimensions": dimensions,
        "matchExact": True,
        "statistic": metric.statistic,
        "period": str(PERIOD_SECONDS),
        "label": metric.name,
    }


def _grafana_value(resource: str) -> str:
    """The variable that says what a resource is called in a deployed stack."""
    return "${api}" if resource == "HttpApi" else "${" + resource.removesuffix("Function").lower() + "}"


if __name__ == "__main__":
    main()
