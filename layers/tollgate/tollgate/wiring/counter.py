"""The counter's composition root: a table of sums, and the stream of the payments table."""

import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.stream_records import failures, read_changes
from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.gateway.analytics import in_dollars
from tollgate.ledger.dynamo import Table
from tollgate.ledger.tallies import Tallies
from tollgate.payment.events import Event
from tollgate.payment.tally import Cell, Sums
from tollgate.settings import read_analytics_table
from tollgate.wiring.shared import AWS


class Counter:
    """Counts batches of the stream. Raises ``ConfigurationError`` naming what is missing."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        table = read_analytics_table(os.environ)
        self.dollars = Decimal(0)
        self.tallies = Tallies(Table(boto3.client("dynamodb", config=AWS), table), self._earned)
        self.journal = PowertoolsJournal(logger, metrics)

    def _earned(self, cell: Cell, sums: Sums) -> None:
        self.dollars += in_dollars(cell, sums)

    def count(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Count a batch. Raises ``LedgerUnavailable``: then the whole batch comes again."""
        changes, unreadable = read_changes(event)
        self.dollars = Decimal(0)
        moves = self.tallies.count([change.history for change in changes])
        self.journal.record(
            Event.ANALYTICS_COUNTED, records=len(changes), moves=moves, revenue_dollars=float(self.dollars)
        )
        if unreadable is not None:
            self.journal.record(Event.STREAM_UNREADABLE, sequence=unreadable.sequence, why=str(unreadable))
        return failures(None if unreadable is None else unreadable.sequence)
