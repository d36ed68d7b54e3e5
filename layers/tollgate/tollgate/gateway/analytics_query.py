"""The parameters of ``GET /x402/analytics``, read strictly: what is not understood shows nobody a wrong sum."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tollgate.errors import BadRequest
from tollgate.payment.tally import DAY_SECONDS

# What rows can be told apart by; network and token always do, since amounts of two tokens have no sum.
GROUPS = ("route", "day", "owner")
MOST_DAYS = 92
DEFAULT_DAYS = 30
_NAMES = ("from", "to", "by")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AnalyticsQuery:
    """Days since 1970-01-01 (UTC), both included, and what rows are told apart by."""

    first: int
    last: int
    by: tuple[str, ...]


def read_analytics_query(given: Mapping[str, str], now: int) -> AnalyticsQuery:
    """Without days: the last 30. Raises ``BadRequest`` 400 ``invalid_parameters`` naming the first that is wrong."""
    unknown = sorted(set(given) - set(_NAMES))
    if unknown:
        raise _wrong(f"There is no parameter {unknown[0][:40]!r}. Those that there are: {', '.join(_NAMES)}.")
    last = _day(given, "to", now // DAY_SECONDS)
    first = _day(given, "from", max(0, last - DEFAULT_DAYS + 1))
    if not first <= last < first + MOST_DAYS:
        raise _wrong(f"from and to must be days in order, at most {MOST_DAYS} of them.")
    by = tuple(given.get("by", "route").split(","))
    if not set(by) <= set(GROUPS) or len(set(by)) != len(by):
        raise _wrong(f"by must be one or more of {', '.join(GROUPS)}, separated by commas.")
    return AnalyticsQuery(first, last, tuple(group for group in GROUPS if group in by))


def day_name(day: int) -> str:
    """``2027-01-15``."""
    return f"{datetime.fromtimestamp(day * DAY_SECONDS, UTC):%Y-%m-%d}"


def _day(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    try:
        if not _DAY.fullmatch(text):
            raise ValueError(text)
        day = int(datetime.fromisoformat(f"{text}T00:00:00+00:00").timestamp()) // DAY_SECONDS
    except ValueError:
        day = -1
    if day < 0:
        raise _wrong(f"{name} must be a day (UTC) such as 2026-01-31.")
    return day


def _wrong(sentence: str) -> BadRequest:
    return BadRequest(400, "invalid_parameters", sentence)
