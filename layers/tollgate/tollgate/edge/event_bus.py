"""EventBridge out: events of payments are put on the stack's bus, and what it does not take is put again.

PutEvents answers 200 for a call of which it took a part; each entry says for itself whether it was taken.
Source: Amazon EventBridge API Reference, PutEvents (10 entries and 1 MB a call).
"""

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from tollgate.edge.stream_records import Change
from tollgate.payment.notices import Notice, notices

SOURCE = "tollgate"
_AT_ONCE = 10
_ATTEMPTS = 3


class PutsEvents(Protocol):
    """boto3's client of EventBridge."""

    def put_events(self, *, Entries: Sequence[dict[str, Any]]) -> Any:
        """PutEvents."""


@dataclass(frozen=True, slots=True)
class EventBus:
    """One bus, by name. ``sleep`` and ``jitter`` (0 to 1) space the attempts."""

    client: PutsEvents
    name: str
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def publish(self, changes: Sequence[Change]) -> tuple[int, str | None]:
        """Put the events of these changes, in order; how many were taken, and the record to go on from if not all.

        What comes after the first event that was not taken may have been: it comes again, under the same id.
        """
        waiting = [(change.sequence, notice) for change in changes for notice in notices(change.history, change.before)]
        taken = 0
        for start in range(0, len(waiting), _AT_ONCE):
            group = waiting[start : start + _AT_ONCE]
            left = self._put([notice for _, notice in group])
            taken += len(group) - len(left)
            if left:
                return taken, next(sequence for sequence, notice in group if notice.id == left[0].id)
        return taken, None

    def _put(self, group: Sequence[Notice]) -> Sequence[Notice]:
        """What was not taken after all attempts."""
        left = group
        for attempt in range(_ATTEMPTS):
            if attempt:
                self.sleep(0.2 * 2**attempt * self.jitter())
            try:
                said = self.client.put_events(Entries=[self._entry(notice) for notice in left])["Entries"]
            except (ClientError, BotoCoreError):
                continue
            left = [notice for notice, entry in zip(left, said, strict=True) if not entry.get("EventId")]
            if not left:
                break
        return left

    def _entry(self, notice: Notice) -> dict[str, Any]:
        return {
            "EventBusName": self.name,
            "Source": SOURCE,
            "DetailType": notice.type,
            "Time": datetime.fromtimestamp(notice.at, UTC),
            "Detail": json.dumps(notice.detail, separators=(",", ":")),
        }
