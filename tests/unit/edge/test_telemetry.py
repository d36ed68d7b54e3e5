"""What the journal writes: one line, one count, and what alarms compare with numbers."""

import io
import json
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.payment.events import MEASURED, Event


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> tuple[PowertoolsJournal, Metrics, io.StringIO]:
    """A journal as settle has it, with its metrics and its log."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Tollgate/shop")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "settle")
    log = io.StringIO()
    metrics = Metrics()
    metrics.clear_metrics()
    return PowertoolsJournal(Logger(service="telemetry-test", stream=log), metrics), metrics, log


def _records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_event_is_a_line_and_a_count(
    written: tuple[PowertoolsJournal, Metrics, io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    """Fields stand in the line; only what is measured becomes a metric."""
    journal, metrics, log = written
    journal.record(Event.RECONCILE_DONE, visited=3, failed=None, oldest_open_seconds=70)
    line = json.loads(log.getvalue())
    assert (line["message"], line["visited"], line["oldest_open_seconds"]) == ("reconcile.done", 3, 70)
    assert "failed" not in line
    metrics.flush_metrics()
    (record,) = _records(capsys)
    (said,) = record["_aws"]["CloudWatchMetrics"]
    assert said["Namespace"] == "Tollgate/shop"
    assert said["Dimensions"] == [["service"]]
    assert said["Metrics"] == [
        {"Name": "reconcile.done", "Unit": "Count"},
        {"Name": "reconcile.done.oldest_open_seconds", "Unit": "Seconds"},
    ]
    assert (record["service"], record["reconcile.done.oldest_open_seconds"]) == ("settle", [70.0])


def test_what_is_measured_per_network_can_be_seen_for_all_and_for_each(
    written: tuple[PowertoolsJournal, Metrics, io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two dimension sets: an alarm's minimum over ``service`` is the poorest network's."""
    journal, metrics, _ = written
    journal.record(Event.RELAYER_STATUS, network="eip155:8453", settlements_left=12)
    journal.record(Event.RELAYER_STATUS, network="eip155:84532", settlements_left=500)
    measured = _records(capsys)
    assert [record["relayer.status.settlements_left"] for record in measured] == [[12.0], [500.0]]
    for record in measured:
        assert record["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"], ["service", "network"]]
    metrics.flush_metrics()
    (counted,) = _records(capsys)
    assert counted["relayer.status"] == [1.0, 1.0]
    assert "network" not in counted, "a count must not be split by what one event was about"


def test_an_upstreams_answers_are_measured_by_route_and_by_kind(
    written: tuple[PowertoolsJournal, Metrics, io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    """How many there were is the sample count, how long they took the percentiles."""
    journal, _, _ = written
    journal.record(Event.UPSTREAM_ANSWERED, route="weather", answer="2xx", took_seconds=0.25)
    (measured,) = _records(capsys)
    assert measured["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"], ["service", "route", "answer"]]
    assert (measured["route"], measured["answer"]) == ("weather", "2xx")
    assert measured["upstream.answered.took_seconds"] == [0.25]


def test_a_status_without_an_answer_measures_nothing(
    written: tuple[PowertoolsJournal, Metrics, io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown is not zero: the gas alarms keep their state."""
    journal, metrics, _ = written
    journal.record(Event.RELAYER_STATUS, why="function error")
    metrics.flush_metrics()
    (record,) = _records(capsys)
    assert [m["Name"] for m in record["_aws"]["CloudWatchMetrics"][0]["Metrics"]] == ["relayer.status"]


def test_no_measure_has_the_name_of_an_event() -> None:
    """They share a namespace."""
    names = {f"{event.value}.{field}" for event, fields in MEASURED.items() for field in fields}
    assert not names & {event.value for event in Event}
