"""The dashboards: generated from one table, and every metric on them really comes."""

import json
from typing import Any

import pytest

from local.dashboards import GRAFANA, PANELS, Metric, files
from local.networks import TEMPLATE
from tests.support.template_values import Values
from tests.template.cfn import ROOT, of_type
from tests.template.rehearsal import Rehearsed
from tests.template.test_alarms import OWN, emitted
from tollgate.payment.events import MEASURED, Event

# Source: the services' "CloudWatch metrics" pages.
AWS_OWN = {
    "AWS/Lambda": ({"Duration", "Errors", "Throttles"}, "FunctionName", "AWS::Serverless::Function"),
    "AWS/ApiGateway": ({"Count", "4xx", "5xx", "Latency"}, "ApiId", "AWS::ApiGatewayV2::Api"),
}
# What the rehearsal of the functions does not come to, and where the code of that function records it.
NOT_REHEARSED = {
    ("proxy", "payment.refused"): "gateway",
    ("proxy", "payer.limited"): "gateway",
    ("proxy", "payment.released"): "gateway",
    ("proxy", "payment.second"): "gateway",
    ("settle", "settlement.reverted"): "facilitator",
}
METRICS = [pytest.param(m, id=f"{m.service or m.dimension[1]}-{m.name}") for panel in PANELS for m in panel.metrics]


def test_what_is_generated_is_up_to_date() -> None:
    """A panel that was changed without `make dashboards`."""
    stale = [path.name for path, text in files().items() if not path.exists() or path.read_text() != text]
    assert not stale, f"run `make dashboards`: {', '.join(stale)}"


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_one_that_comes(template: dict[str, Any], rehearsed: Rehearsed, metric: Metric) -> None:
    """CloudWatch draws an empty panel for a name that does not exist, and says nothing."""
    if not metric.service:
        names, dimension, kind = AWS_OWN[metric.namespace]
        assert metric.name in names
        assert metric.dimension[0] == dimension
        assert metric.dimension[1] in of_type(template, kind)
        return
    event, _, measured = metric.name, "", ""
    if metric.name not in set(Event):
        event, measured = metric.name.rsplit(".", 1)
    assert not measured or measured in MEASURED[Event(event)]
    if (metric.service, metric.name) in NOT_REHEARSED:
        package = ROOT / "layers" / "tollgate" / "tollgate" / NOT_REHEARSED[metric.service, metric.name]
        assert any(f"Event.{Event(event).name}" in file.read_text() for file in package.glob("*.py"))
        return
    wanted = (metric.name, frozenset({("service", metric.service)}))
    stacks = [(values, emitted(rehearsed, values)) for values, _ in rehearsed.calls]
    assert any((values.of(OWN), *wanted) in found for values, found in stacks), f"{metric} is never emitted"


def test_cloudwatch_reads_the_body(template: dict[str, Any]) -> None:
    """As CloudFormation joins it: JSON with every panel, each metric of this stack and region."""
    text = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    given = {"Stage": "test", "Network": "eip155:84532", "PayTo": "0x" + "11" * 20, "RpcSecretName": "rpc"}
    resources = {name: f"shop-{name}" for name in template["Resources"]}
    body = json.loads(Values(template, "shop", given, resources).of({"Fn::Sub": text}))
    assert [widget["properties"]["title"] for widget in body["widgets"]] == [panel.title for panel in PANELS]
    for widget, panel in zip(body["widgets"], PANELS, strict=True):
        assert widget["properties"]["region"] == "us-east-1"
        for line, metric in zip(widget["properties"]["metrics"], panel.metrics, strict=True):
            ours = ["Tollgate/shop", metric.name, "service", metric.service]
            theirs = [metric.namespace, metric.name, metric.dimension[0], f"shop-{metric.dimension[1]}"]
            assert line == [*(ours if metric.service else theirs), {"stat": metric.statistic}]
    assert len(text) < 50_000
    assert TEMPLATE.read_text().count("AWS::CloudWatch::Dashboard") == 1


def test_grafana_has_the_same_panels_and_asks_for_what_it_cannot_know() -> None:
    """Every ${variable} that a target uses is one that the dashboard asks for."""
    dashboard = json.loads(GRAFANA.read_text())
    assert [panel["title"] for panel in dashboard["panels"]] == [panel.title for panel in PANELS]
    asked = {variable["name"] for variable in dashboard["templating"]["list"]}
    text = json.dumps(dashboard["panels"])
    used = {part.split("}", 1)[0] for part in text.split("${")[1:]}
    assert used <= asked
    for panel, shown in zip(PANELS, dashboard["panels"], strict=True):
        assert shown["description"] == panel.says
        assert [target["metricName"] for target in shown["targets"]] == [metric.name for metric in panel.metrics]
