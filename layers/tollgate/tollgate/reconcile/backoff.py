"""How long an item waits that was looked at in vain."""

LONGEST_BACKOFF_SECONDS = 900
_FIRST_SECONDS = 30


def backoff_seconds(attempts: int) -> int:
    """Seconds until the next look, with ``attempts`` looks begun in vain: 30, 60, 120, ... up to 15 minutes."""
    return min(_FIRST_SECONDS << min(max(attempts - 1, 0), 5), LONGEST_BACKOFF_SECONDS)
