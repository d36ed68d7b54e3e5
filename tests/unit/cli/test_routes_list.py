"""What ``routes list`` and ``doctor`` say of upstreams that reconcile looked at."""

from dataclasses import replace

from tests.unit.cli.test_doctor import ROUTE
from tollgate.payment.routes import FunctionTarget, Snapshot, UpstreamHealth, UpstreamTarget
from tollgate_cli.doctor_report import Level, Report
from tollgate_cli.doctor_routes import check_health
from tollgate_cli.routes_list import described

NOW = 1_800_000_000
URL = "https://a.example/healthz"
UP = UpstreamHealth(URL, True, "status_200", NOW - 10, NOW - 7_200)
DOWN = replace(UP, up=False, why="status_503", since=NOW - 300)


def test_a_route_is_listed_with_its_price_and_what_was_last_seen() -> None:
    """In the file's order; aligned; nothing of a route that says no place to look."""
    looked = replace(
        ROUTE, id="a", pattern="/a", upstream=UpstreamTarget("https://a.example/v1", 5.0, health="/healthz")
    )
    new = replace(looked, id="b", pattern="/b", upstream=UpstreamTarget("https://b.example/", 5.0, health="/up"))
    sold = replace(ROUTE, id="f", pattern="/f", upstream=FunctionTarget("report", 5.0), accepts=(), free=True)
    for health, state in ((UP, "up for 2 h"), (DOWN, "down for 5 min (status_503)")):
        lines, routes = described(Snapshot((looked, new, sold), health=(health,)), NOW)
        assert [" ".join(line.split()) for line in lines] == [
            f"GET /a $0.01 USDC https://a.example/v1 {state}",
            "GET /b $0.01 USDC https://b.example/ not looked at yet",
            "GET /f free report",
        ]
        assert len({line.index("https://") for line in lines[:2]}) == 1
        assert routes[0]["health"] == {"up": health.up, "why": health.why, "checkedAt": NOW - 10, "since": health.since}
        assert [route["health"] for route in routes[1:]] == [None, None]


def test_the_doctor_notes_what_is_down() -> None:
    """It is nobody's bill: a note, not something to mend."""
    report = Report()
    check_health(Snapshot((), health=(UP, replace(DOWN, url="https://b.example/up"))), NOW, report)
    assert [finding.level for finding in report.findings] == [Level.OK, Level.NOTE]
    assert "https://b.example/up down for 5 min (status_503)" in report.findings[1].sentence
