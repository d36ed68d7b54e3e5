"""How old the routes may be."""

from tollgate.gateway.catalogue_cache import FRESH_SECONDS, REFRESH_SECONDS, CatalogueCache
from tollgate.payment.routes import Snapshot


class Source:
    """Counts its loads."""

    def __init__(self) -> None:
        self.loads = 0
        self.now = 1000.0

    def load(self) -> Snapshot:
        """An empty snapshot with the count as its version."""
        self.loads += 1
        return Snapshot((), (), self.loads)

    def clock(self) -> float:
        """The time that the test says."""
        return self.now


def test_a_warm_unpaid_call_reads_nothing_and_a_change_shows_within_a_minute() -> None:
    """Read once, then only when half a minute has passed."""
    source = Source()
    cache = CatalogueCache(source.load, source.clock)
    assert [cache.current().snapshot.version for _ in range(3)] == [1, 1, 1]
    source.now += REFRESH_SECONDS
    assert cache.current().snapshot.version == 2
    assert REFRESH_SECONDS <= 60


def test_terms_that_are_not_known_make_it_look_again_but_not_every_time() -> None:
    """Made-up payments cannot turn the cache into a read per request."""
    source = Source()
    cache = CatalogueCache(source.load, source.clock)
    cache.current()
    source.now += FRESH_SECONDS
    assert [cache.fresh().snapshot.version for _ in range(3)] == [2, 2, 2]
