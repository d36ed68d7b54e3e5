"""The sliding window: what it admits, and when it admits again."""

from hypothesis import given
from hypothesis import strategies as st

from tollgate.payment.rate_limits import NOTHING, Bought, RateLimit, most, most_before, wait

MINUTE = RateLimit(6, 60)
LIMITS = st.builds(RateLimit, st.integers(1, 50), st.sampled_from([1, 7, 60, 3600]))


def buy(limit: RateLimit, bought: Bought, now: int) -> Bought | None:
    """One more, or ``None`` when there may be none."""
    if wait(limit, bought, now):
        return None
    rolled = bought.rolled(limit, now)
    return Bought(rolled.window, rolled.count + 1, rolled.previous)


def test_what_the_window_before_held_counts_by_what_is_left_of_it() -> None:
    """Six a minute, all at the end of one: three more half a minute later, six when it is over."""
    bought = NOTHING
    for _ in range(6):
        bought = buy(MINUTE, bought, 59) or NOTHING
    assert bought == Bought(0, 6, 0)
    assert buy(MINUTE, bought, 59) is None
    assert [most(MINUTE, bought.rolled(MINUTE, now), now) for now in (60, 61, 70, 90, 110, 119)] == [0, 0, 1, 3, 5, 5]
    assert most(MINUTE, bought.rolled(MINUTE, 120), 120) == 6
    assert wait(MINUTE, bought, 59) == 11


@given(LIMITS, st.lists(st.integers(0, 4000), max_size=200))
def test_no_window_of_the_two_ever_holds_more_than_the_limit(limit: RateLimit, steps: list[int]) -> None:
    """Whenever calls come, also from a clock that is behind."""
    bought, held, now = NOTHING, {}, 10_000
    for step in steps:
        now += step - 500
        after = buy(limit, bought, max(0, now))
        if after is not None:
            bought = after
            held[bought.window] = held.get(bought.window, 0) + 1
    assert all(count <= limit.calls for count in held.values())


@given(LIMITS, st.integers(0, 60), st.integers(0, 60), st.integers(0, 8000))
def test_after_the_wait_and_not_before_one_more_is_admitted(
    limit: RateLimit, count: int, previous: int, at: int
) -> None:
    """Retry-After is true: neither too soon nor a second too late."""
    bought = Bought(0, min(count, limit.calls), min(previous, limit.calls))
    seconds = wait(limit, bought, at)
    assert wait(limit, bought, at + seconds) == 0
    if seconds:
        assert wait(limit, bought, at + seconds - 1) == 1


@given(LIMITS, st.integers(0, 60), st.integers(0, 8000))
def test_the_condition_of_a_new_window_says_the_same(limit: RateLimit, count: int, at: int) -> None:
    """The two ways in which a claim asks: by what it read, and by what must not have changed since."""
    bought = Bought(at // limit.seconds - 1, count, 0)
    assert (count <= most_before(limit, at // limit.seconds, at)) == (wait(limit, bought, at) == 0)
