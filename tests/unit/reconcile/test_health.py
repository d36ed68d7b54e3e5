"""Looking at upstreams: within the time that is left, without secrets, and deciding nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.support.world import Diary
from tollgate.gateway.dialing import FailureKind, UpstreamFailed
from tollgate.gateway.upstream import UpstreamAnswer
from tollgate.payment.events import Event
from tollgate.payment.health import health_url
from tollgate.payment.routes import (
    FunctionTarget,
    Route,
    Snapshot,
    Target,
    UpstreamHeader,
    UpstreamHealth,
    UpstreamTarget,
)
from tollgate.reconcile.health import ALL_SECONDS, CHECK_SECONDS, MOST, RESERVE_SECONDS, HealthChecks

NOW = 1_800_000_000


def route(id: str, upstream: Target) -> Route:
    """One that costs nothing."""
    return Route(id, "GET", f"/{id}", (), (), upstream, free=True)


class Outside:
    """The store, the upstreams and the clock; each look takes ``takes`` seconds."""

    def __init__(self, *routes: Route) -> None:
        self.snapshot = Snapshot(routes)
        self.answers: dict[str, int | Exception] = {}
        self.asked: list[tuple[str, Any]] = []
        self.takes = 0.0
        self.now = float(NOW)
        self.diary = Diary()
        self.checks = HealthChecks(self, self, lambda: self.now, self.diary)

    def load_with_health(self) -> Snapshot:
        return self.snapshot

    def put_health(self, health: Sequence[UpstreamHealth], now: int) -> None:
        self.snapshot = Snapshot(self.snapshot.routes, health=tuple(health))

    def fetch(
        self,
        target: UpstreamTarget,
        params: Mapping[str, str],
        method: str,
        raw_query: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,
    ) -> UpstreamAnswer:
        self.asked.append((target.url, (method, dict(headers), body, target.headers)))
        assert 0 < timeout <= CHECK_SECONDS
        self.now += min(self.takes, timeout)
        answer = self.answers.get(target.url, 200)
        if isinstance(answer, Exception):
            raise answer
        return UpstreamAnswer(answer, (), b"")

    def run(self, seconds: float = 60.0) -> tuple[UpstreamHealth, ...]:
        """One pass with so much time left."""
        self.checks.run(self.now + seconds)
        return self.snapshot.health


A = UpstreamTarget(
    "https://a.example/v1/{city}", 5.0, (UpstreamHeader("X-Api-Key", secret="key"),), health="/healthz"
)  # fmt: skip
B = UpstreamTarget("https://b.example:8443/v1", 5.0, health="/up")


def test_each_place_is_looked_at_once_without_anything_of_the_routes() -> None:
    """On the upstream's own origin; routes that say no place, and functions, are left alone."""
    outside = Outside(
        route("a", A),
        route("again", A),
        route("b", B),
        route("plain", UpstreamTarget("https://c.example/", 5.0)),
        route("sold", FunctionTarget("report", 5.0)),
    )
    outside.answers = {"https://b.example:8443/up": 503}
    assert outside.run() == (
        UpstreamHealth("https://a.example/healthz", True, "status_200", NOW, NOW),
        UpstreamHealth("https://b.example:8443/up", False, "status_503", NOW, NOW),
    )
    assert outside.asked == [
        (url, ("GET", {}, b"", ())) for url in ("https://a.example/healthz", "https://b.example:8443/up")
    ]


def test_a_change_is_recorded_and_since_when_is_kept() -> None:
    """One event for each change; whatever stands in the way is down."""
    outside = Outside(route("a", A))
    for after, answer, expected in (
        (0, 200, (True, "status_200", NOW)),
        (60, 204, (True, "status_204", NOW)),
        (120, UpstreamFailed(FailureKind.TIMEOUT), (False, "timeout", NOW + 120)),
        (180, 302, (False, "status_302", NOW + 120)),
        (240, 200, (True, "status_200", NOW + 240)),
    ):
        outside.now, outside.answers = NOW + after, {"https://a.example/healthz": answer}
        (health,) = outside.run()
        assert (health.up, health.why, health.since, health.checked_at) == (*expected, NOW + after)
    assert [fields["up"] for event, fields in outside.diary.events if event is Event.UPSTREAM_HEALTH] == [
        True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("left", [60.0, 8.0, RESERVE_SECONDS, 1.0])
def test_a_pass_never_runs_out_of_its_time_for_this(left: float) -> None:
    """Slow ones: what is not reached keeps its state, and comes first in the next pass."""
    targets = [UpstreamTarget(f"https://h{n}.example/", 5.0, health="/up") for n in range(8)]
    outside = Outside(*(route(str(n), target) for n, target in enumerate(targets)))
    outside.takes = 100.0
    began = outside.now
    outside.run(left)
    assert outside.now - began <= max(0.0, min(ALL_SECONDS, left - RESERVE_SECONDS)) + 1e-6
    looked = len(outside.asked)
    outside.run(60.0)
    if looked < len(targets):
        assert outside.asked[looked][0] == f"https://h{looked}.example/up"


def test_many_routes_are_looked_at_in_turn() -> None:
    """At most fifty in a pass."""
    count = MOST + 10
    outside = Outside(
        *(route(str(n), UpstreamTarget(f"https://h{n}.example/", 5.0, health="/up")) for n in range(count))
    )
    assert len(outside.run()) == MOST
    outside.now += 60
    assert len(outside.run()) == count
    assert len({url for url, _ in outside.asked}) == count


def test_what_no_route_names_any_more_is_forgotten() -> None:
    """And without any place nothing is written."""
    outside = Outside(route("a", A))
    outside.run()
    outside.snapshot = Snapshot((), health=outside.snapshot.health)
    assert outside.run() == ()
    outside.put_health = None  # type: ignore[method-assign, assignment]
    assert outside.run() == ()


def test_a_place_is_on_the_upstreams_own_origin() -> None:
    """Whatever the template's path holds."""
    assert health_url(route("a", A)) == "https://a.example/healthz"
    assert health_url(route("b", B)) == "https://b.example:8443/up"
    assert health_url(route("f", FunctionTarget("x", 1.0))) is None
