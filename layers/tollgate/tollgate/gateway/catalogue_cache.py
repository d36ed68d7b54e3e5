"""The routes as this process last saw them: read again when half a minute old, so a change shows within one."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.ports import Clock
from tollgate.payment.routes import Snapshot

REFRESH_SECONDS = 30
# A payment for terms that this process does not know makes it look again, at most this often.
FRESH_SECONDS = 5


@dataclass(slots=True)
class CatalogueCache:
    """A read-through cache; what it holds is a copy, and losing it loses nothing."""

    load: Callable[[], Snapshot]
    clock: Clock
    _held: Catalogue | None = field(default=None, init=False)
    _read_at: float = field(default=0.0, init=False)

    def current(self) -> Catalogue:
        """The catalogue, at most ``REFRESH_SECONDS`` old."""
        return self._at_most(REFRESH_SECONDS)

    def fresh(self) -> Catalogue:
        """The catalogue, at most ``FRESH_SECONDS`` old: for an offer that another process made meanwhile."""
        return self._at_most(FRESH_SECONDS)

    def _at_most(self, seconds: float) -> Catalogue:
        now = self.clock()
        held = self._held
        if held is None or now - self._read_at >= seconds:
            held = Catalogue(self.load())
            self._held = held
            self._read_at = now
        return held
