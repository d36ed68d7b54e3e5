"""Look whether upstreams are there, with what is left of a pass: payments go first, and no call ever waits for this.

One GET each, without any header of a route's: no secret leaves for it. Where the proxy may not go, this may not either.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from tollgate.gateway.dialing import UpstreamFailed
from tollgate.gateway.upstreams import HttpFetch
from tollgate.payment.events import Event, Journal
from tollgate.payment.health import health_url
from tollgate.payment.routes import Snapshot, UpstreamHealth, UpstreamTarget

# For each, for all, and what is left of the pass for it to end well.
CHECK_SECONDS = 3.0
ALL_SECONDS = 12.0
RESERVE_SECONDS = 4.0
# A catalogue may hold hundreds of routes; those that were looked at the longest ago come first.
MOST = 50


class HealthStore(Protocol):
    """``RoutesTable``."""

    def load_with_health(self) -> Snapshot:
        """The routes, and what is known. Raises ``ConfigurationError``."""

    def put_health(self, health: Sequence[UpstreamHealth], now: int) -> None:
        """Keep all of it, unless newer is there."""


class HealthChecks:
    """The use case; ``clock`` gives Unix seconds."""

    def __init__(self, store: HealthStore, http: HttpFetch, clock: Callable[[], float], journal: Journal) -> None:
        self._store = store
        self._http = http
        self._clock = clock
        self._journal = journal

    def run(self, deadline: float) -> None:
        """Look at every place that a route names, until ``deadline`` (Unix seconds) is near; the last state stays."""
        snapshot = self._store.load_with_health()
        places = list(dict.fromkeys(url for route in snapshot.routes if (url := health_url(route)) is not None))
        known = {health.url: health for health in snapshot.health}
        if not places and not known:
            return
        until = min(self._clock() + ALL_SECONDS, deadline - RESERVE_SECONDS)
        seen: dict[str, UpstreamHealth] = {}
        for url in sorted(places, key=lambda url: known[url].checked_at if url in known else 0)[:MOST]:
            left = until - self._clock()
            if left <= 0:
                break
            seen[url] = self._look(url, known.get(url), min(CHECK_SECONDS, left))
        kept = [found for url in places if (found := seen.get(url) or known.get(url)) is not None]
        self._store.put_health(kept, int(self._clock()))

    def _look(self, url: str, before: UpstreamHealth | None, timeout: float) -> UpstreamHealth:
        try:
            status = self._http.fetch(UpstreamTarget(url, timeout), {}, "GET", "", {}, b"", timeout).status
            up, why = 200 <= status < 300, f"status_{status}"
        except UpstreamFailed as failed:
            up, why = False, failed.kind.value
        now = int(self._clock())
        changed = before is None or before.up != up
        if changed:
            self._journal.record(Event.UPSTREAM_HEALTH, upstream=url, up=up, why=why)
        return UpstreamHealth(url, up, why, now, now if before is None or changed else before.since)
