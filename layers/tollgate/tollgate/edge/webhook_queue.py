"""Events in from the webhooks' queue, and back into it until later when a receiver does not take them.

    {"Records": [{"messageId", "receiptHandle", "body": "<an EventBridge event>", "attributes": {...}}]}

A message that is not dealt with becomes visible again after ten seconds, a minute, and so on up to hours; after the
last attempt the queue moves it to the dead letters.
Source: AWS, "Using Lambda with Amazon SQS", example event and partial batch responses.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tollgate.gateway.webhooks import NotDelivered, Webhooks

# Seconds until the next attempt; over 17 hours in all. The template's maxReceiveCount is one more.
BACKOFF_SECONDS = (10, 60, 300, 1_800, 7_200, 18_000, 36_000)


class Delays(Protocol):
    """boto3's client of SQS."""

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> Any:
        """ChangeMessageVisibility."""


@dataclass(frozen=True, slots=True)
class WebhookQueue:
    """Delivers what a queue brings. ``jitter`` gives 0 to 1."""

    webhooks: Webhooks
    client: Delays
    url: str
    jitter: Callable[[], float]

    def consume(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Deliver each message of a batch; says which are to come again."""
        later = [message["messageId"] for message in event["Records"] if not self._done(message)]
        return {"batchItemFailures": [{"itemIdentifier": id} for id in later]}

    def _done(self, message: Mapping[str, Any]) -> bool:
        attempt = int(message["attributes"]["ApproximateReceiveCount"])
        try:
            self.webhooks.deliver(json.loads(message["body"])["detail"], attempt)
        except NotDelivered:
            self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=message["receiptHandle"], VisibilityTimeout=self._wait(attempt)
            )
            return False
        return True

    def _wait(self, attempt: int) -> int:
        seconds = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS)) - 1]
        return seconds + int(seconds * 0.1 * self.jitter())
