"""Alarms: each looks at a metric that really comes, and says what to do when it rings."""

import re
from typing import Any

import pytest

from tests.support.template_values import Values
from tests.template.cfn import ROOT, of_type
from tests.template.rehearsal import BUGS, Rehearsed
from tollgate.edge.telemetry import FAILURES, MILLISECONDS, OFFERS
from tollgate.payment.events import MEASURED, Event
from tollgate.reconcile.backoff import LONGEST_BACKOFF_SECONDS

OWN = {"Fn::Sub": "Tollgate/${AWS::StackName}"}
# Metrics of AWS's own: namespace, name, dimension. Source: the services' "CloudWatch metrics" pages.
AWS_OWN = {
    ("AWS/Lambda", "Errors", "FunctionName"),
    ("AWS/Lambda", "Throttles", "FunctionName"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"),
    ("AWS/ApiGateway", "5xx", "ApiId"),
}


def _alarms(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: alarm["Properties"] for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items()}


def _rings(alarm: dict[str, Any], value: float) -> bool:
    compare = {"GreaterThanThreshold": value > alarm["Threshold"], "LessThanThreshold": value < alarm["Threshold"]}
    return compare[alarm["ComparisonOperator"]]


def emitted(rehearsed: Rehearsed, values: Values) -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
    """What the code of one stack emitted: namespace, metric, and each set of dimensions with its values."""
    found = set()
    for records in rehearsed.metrics.values():
        for record in records:
            (said,) = record["_aws"]["CloudWatchMetrics"]
            if said["Namespace"] != values.of(OWN):
                continue
            for metric in said["Metrics"]:
                for names in said["Dimensions"]:
                    dimensions = frozenset((name, record[name]) for name in names)
                    found.add((said["Namespace"], metric["Name"], dimensions))
    return found


def test_every_alarm_of_ours_looks_at_a_metric_that_the_code_emits(
    template: dict[str, Any], rehearsed: Rehearsed
) -> None:
    """Namespace, name and dimensions, letter by letter: CloudWatch never says that a metric does not exist."""
    stacks = [(values, emitted(rehearsed, values)) for values, _ in rehearsed.calls]
    for name, alarm in _alarms(template).items():
        if alarm["Namespace"] != OWN:
            continue
        dimensions = frozenset((d["Name"], d["Value"]) for d in alarm["Dimensions"])
        # Some belong to what only a stack with other facilitators does.
        assert any(
            (values.of(alarm["Namespace"]), alarm["MetricName"], dimensions) in emitted for values, emitted in stacks
        ), name


def test_the_other_alarms_look_at_metrics_of_aws(template: dict[str, Any]) -> None:
    """Each with the one dimension that the metric has."""
    for name, alarm in _alarms(template).items():
        if alarm["Namespace"] != OWN:
            (dimension,) = alarm["Dimensions"]
            assert (alarm["Namespace"], alarm["MetricName"], dimension["Name"]) in AWS_OWN, name
            assert isinstance(dimension["Value"], dict), f"{name} names no resource of this stack"


def test_every_alarm_says_what_to_do_and_is_sent(template: dict[str, Any]) -> None:
    """Whoever is woken reads a sentence and the page; docs/operations.md knows every alarm by its name."""
    page = (ROOT / "docs" / "operations.md").read_text()
    for name, alarm in _alarms(template).items():
        assert alarm["AlarmDescription"].endswith(" See docs/operations.md."), name
        assert alarm["AlarmDescription"].count(". ") >= 2, f"{name} says what happened, not what to do"
        assert alarm["AlarmActions"] == {
            "Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
        }
        assert "AlarmName" not in alarm, "a fixed name cannot be deployed twice"
    known = set(re.findall(r"[A-Z][A-Za-z]+Alarm", page))
    assert known == set(_alarms(template))


@pytest.mark.parametrize(("metric", "stem"), [("Errors", "Errors"), ("Throttles", "Throttles")])
def test_every_function_rings_for_errors_and_for_throttles(template: dict[str, Any], metric: str, stem: str) -> None:
    """The first one within five minutes."""
    alarms = _alarms(template)
    for function in of_type(template, "AWS::Serverless::Function"):
        alarm = alarms[function.replace("Function", f"{stem}Alarm")]
        assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", metric)
        assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": function}}]
        # To Lambda a 409 or 503 of the authorizer's is an error: their share tells, and a bug has its own alarm.
        statistic = "Average" if (function, metric) == ("AuthorizerFunction", "Errors") else "Sum"
        assert (alarm["Statistic"], alarm["Period"], alarm["EvaluationPeriods"]) == (statistic, 300, 1)
        assert _rings(alarm, 1)
        assert not _rings(alarm, 0)


@pytest.mark.parametrize("function", BUGS)
def test_a_bug_behind_a_500_rings(template: dict[str, Any], function: str) -> None:
    """It is caught at the edge, so Lambda counts no error."""
    alarm = _alarms(template)[f"{function.capitalize()}BugAlarm"]
    assert alarm["MetricName"] == f"{function}.bug"
    assert alarm["Statistic"] == "Sum"
    assert _rings(alarm, 1)


def test_a69_gas_rings_before_it_is_gone_and_when_it_is(template: dict[str, Any]) -> None:
    """The poorest relayer of any network decides; a reading that is missing changes nothing."""
    alarms = _alarms(template)
    for name, rings, silent in (("LowGasAlarm", 199, 200), ("NoGasAlarm", 0, 1)):
        alarm = alarms[name]
        assert alarm["Statistic"] == "Minimum"
        assert alarm["TreatMissingData"] == "ignore"
        assert _rings(alarm, rings)
        assert not _rings(alarm, silent)


def test_reconcile_that_stops_rings_within_five_minutes(template: dict[str, Any]) -> None:
    """It says nothing when it does not run: silence is the alarm."""
    alarm = _alarms(template)["ReconcileStoppedAlarm"]
    assert alarm["MetricName"] == "reconcile.done"
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 300
    assert _rings(alarm, 0)
    assert not _rings(alarm, 1)


def test_an_open_payment_rings_when_it_stays_and_is_seen_again_before_it_stops(template: dict[str, Any]) -> None:
    """Reconcile looks at it every 15 minutes at the latest, so that the alarm's window always holds a reading."""
    alarm = _alarms(template)["OpenPaymentsAlarm"]
    assert alarm["Statistic"] == "Maximum"
    assert alarm["Period"] * alarm["EvaluationPeriods"] >= LONGEST_BACKOFF_SECONDS + 2 * 60
    assert _rings(alarm, 901)
    assert not _rings(alarm, 600)


def test_reconcile_that_cannot_keep_up_or_gave_up_rings(template: dict[str, Any]) -> None:
    """A lag of more than a few passes, anything parked and any discrepancy, for as long as it lasts."""
    alarms = _alarms(template)
    for name, metric, rings, silent in (
        ("ReconcileLagAlarm", "reconcile.done.lag_seconds", 601, 120),
        ("ParkedPaymentsAlarm", "reconcile.done.parked_payments", 1, 0),
        ("DiscrepancyAlarm", "reconcile.scanned.discrepancies", 1, 0),
        ("ScanLagAlarm", "reconcile.scanned.lag_seconds", 3_601, 600),
    ):
        alarm = alarms[name]
        assert (alarm["MetricName"], alarm["Statistic"]) == (metric, "Maximum")
        assert _rings(alarm, rings)
        assert not _rings(alarm, silent)


def test_money_that_needs_a_person_rings(template: dict[str, Any]) -> None:
    """Unresolved, and paid but not served: found by reconcile, or by the proxy."""
    watched = {
        (alarm["MetricName"], alarm["Dimensions"][0]["Value"])
        for alarm in _alarms(template).values()
        if alarm["Namespace"] == OWN and alarm["Statistic"] == "Sum" and _rings(alarm, 1)
    }
    assert watched >= {
        ("payment.unresolved", "reconcile"),
        ("payment.paid_unserved", "reconcile"),
        ("payment.paid_unserved", "proxy"),
        ("payment.paid_unserved", "authorizer"),
    }


def test_gas_is_measured_per_network_too(rehearsed: Rehearsed) -> None:
    """A dashboard can tell which network it is."""
    values, _ = rehearsed.calls[0]
    sets = {
        frozenset(name for name, _ in dimensions)
        for _, metric, dimensions in emitted(rehearsed, values)
        if metric == "relayer.status.settlements_left"
    }
    assert sets == {frozenset({"service"}), frozenset({"service", "network"})}


def test_the_page_lists_every_metric_and_who_emits_it(rehearsed: Rehearsed) -> None:
    """The events, what they measure, and the bugs; nothing that nobody emits."""
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([a-z, ]+) \|", page, re.MULTILINE)
    listed = {name: set(functions.split(", ")) for name, functions in rows}
    measured = {f"{event.value}.{field}" for event, fields in MEASURED.items() for field in fields}
    measured |= {OFFERS, FAILURES, MILLISECONDS}
    assert set(listed) == {event.value for event in Event} | measured | {f"{function}.bug" for function in BUGS}
    for function, records in rehearsed.metrics.items():
        for record in records:
            for metric in record["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                assert function in listed[metric["Name"]], f"{function} emits {metric['Name']}"
