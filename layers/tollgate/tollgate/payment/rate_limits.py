"""How often a route may be bought, counted over a sliding window: two buckets, the older one weighted.

The window slides over two fixed ones. Of the one before, that share counts which the sliding window still covers,
rounded up; what was bought in it is taken as spread evenly, so a burst at its end may count for less than it was.
Times are Unix seconds.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``calls`` within ``seconds``; both over 0."""

    calls: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.calls} per {self.seconds} s"


@dataclass(frozen=True, slots=True)
class RouteLimits:
    """What one payer may buy of a route, and what all payers together may; ``None`` is any number."""

    per_payer: RateLimit | None = None
    per_route: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class Bought:
    """What stands on the books: calls in window number ``window``, and in the one before it."""

    window: int
    count: int
    previous: int

    def rolled(self, limit: RateLimit, now: int) -> "Bought":
        """As it stands in the window of ``now``. Another machine's clock may be ahead: windows never go back."""
        window = max(now // limit.seconds, self.window)
        if window == self.window:
            return self
        return Bought(window, 0, self.count if window == self.window + 1 else 0)


NOTHING = Bought(-2, 0, 0)


def most(limit: RateLimit, bought: Bought, now: int) -> int:
    """How many calls the window of ``bought``, which is rolled to ``now``, may hold by now."""
    return limit.calls - -(-bought.previous * _left(limit, bought, now) // limit.seconds)


def most_before(limit: RateLimit, window: int, now: int) -> int:
    """How many calls the window before ``window`` may have held, for one more to be bought at ``now``."""
    return (limit.calls - 1) * limit.seconds // _left(limit, Bought(window, 0, 0), now)


def wait(limit: RateLimit, bought: Bought, now: int) -> int:
    """Seconds until one more may be bought, if nobody else buys; 0: it may be now."""
    bought = bought.rolled(limit, now)
    if bought.count < most(limit, bought, now):
        return 0
    start = bought.window * limit.seconds
    room = limit.calls - 1 - bought.count
    if room < 0:
        # Not in this window any more: it becomes the one before.
        start += limit.seconds
        bought, room = Bought(bought.window + 1, 0, bought.count), limit.calls - 1
    left = room * limit.seconds // bought.previous
    return max(1, start + limit.seconds - left - now)


def _left(limit: RateLimit, bought: Bought, now: int) -> int:
    """Of the window before, the seconds that the sliding window still covers."""
    return limit.seconds - max(0, now - bought.window * limit.seconds)
