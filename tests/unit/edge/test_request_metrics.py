"""What is measured of a request, by route; and that the routes which metrics are told apart by stay few."""

import json

import pytest

from tests.support.payments import ASSET, NETWORK, PAY_TO
from tollgate.edge.telemetry import FAILURES, MILLISECONDS, OFFERS, measure_request
from tollgate.gateway.catalogue import MOST_MEASURED, OTHERS, Catalogue
from tollgate.payment.routes import Route, Snapshot, UpstreamTarget
from tollgate.wire.models import Requirements


@pytest.mark.parametrize(
    ("status", "measured"),
    [
        (402, {OFFERS: [1.0], FAILURES: [0.0]}),
        (200, {OFFERS: [0.0], FAILURES: [0.0], MILLISECONDS: [12.5]}),
        (404, {OFFERS: [0.0], FAILURES: [0.0]}),
        (503, {OFFERS: [0.0], FAILURES: [1.0]}),
    ],
)
def test_each_request_is_one_value_of_each_metric(
    status: int, measured: dict[str, list[float]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that the sample count of offers is how many requests there were."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "proxy")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Tollgate/shop")
    measure_request("GET /map", status, 12.5)
    record = json.loads(capsys.readouterr().out)
    (said,) = record["_aws"]["CloudWatchMetrics"]
    assert {metric["Name"]: record[metric["Name"]] for metric in said["Metrics"]} == measured
    assert [sorted(names) for names in said["Dimensions"]] == [["route", "service"]]
    assert (record["route"], record["service"]) == ("GET /map", "proxy")


def test_routes_beyond_a_hundred_are_measured_together() -> None:
    """A metric of each of a thousand routes would cost more than they earn."""
    terms = (Requirements("exact", NETWORK, 1, ASSET, PAY_TO, 60, {"name": "USDC", "version": "2"}),)
    target = UpstreamTarget("https://a.example/", 5.0)
    routes = tuple(Route(f"r{n}", "GET", f"/{n}", terms, (), target) for n in range(1_000))
    catalogue = Catalogue(Snapshot(routes))
    names = {catalogue.measured_as(catalogue.match("GET", f"/{n}").route) for n in range(1_000)}
    assert len(names) == MOST_MEASURED + 1
    assert OTHERS in names
