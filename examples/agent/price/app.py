"""What a run of the agent costs: by the length of its task, and by how hard it shall try.

A price function (docs/pricing.md): asked once for each offer, with the fields of the body that routes.yaml names. The
bounds there hold whatever it says. It uses whole cents, so there is nothing to round.
"""

from typing import Any

CENTS_PER_STARTED_HUNDRED_WORDS = 1
TIMES = {"low": 1, "high": 3}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """The price in dollars. What the agent would refuse costs the least, and is not charged."""
    task, effort = event["body"].get("task", ""), event["body"].get("effort", "low")
    words = len(task.split()) if isinstance(task, str) else 0
    cents = CENTS_PER_STARTED_HUNDRED_WORDS * max(1, -(-words // 100)) * TIMES.get(str(effort), 1)
    return {"price": f"${cents // 100}.{cents % 100:02}"}
