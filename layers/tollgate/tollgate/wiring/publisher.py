"""The publisher's composition root: the stream of the payments table, and an event bus."""

import os
from collections.abc import Mapping
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.event_bus import EventBus
from tollgate.edge.stream_records import failures, read_changes
from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.payment.events import Event
from tollgate.settings import read_event_bus
from tollgate.wiring.shared import AWS


class Publisher:
    """Publishes batches of the stream. Raises ``ConfigurationError`` naming what is missing."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        self.bus = EventBus(boto3.client("events", config=AWS), read_event_bus(os.environ))
        self.journal = PowertoolsJournal(logger, metrics)

    def publish(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Publish a batch, as far as it can be read and the bus takes it."""
        changes, unreadable = read_changes(event)
        published, stopped = self.bus.publish(changes)
        self.journal.record(Event.EVENTS_PUBLISHED, count=published)
        if stopped is not None:
            self.journal.record(Event.EVENTS_REFUSED, sequence=stopped)
            return failures(stopped)
        if unreadable is not None:
            self.journal.record(Event.STREAM_UNREADABLE, sequence=unreadable.sequence, why=str(unreadable))
        return failures(None if unreadable is None else unreadable.sequence)
