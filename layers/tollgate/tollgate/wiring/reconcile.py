"""Reconcile's composition root."""

import os
import time

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.errors import ConfigurationError
from tollgate.gateway.settling import Settling
from tollgate.gateway.upstream import HttpUpstream
from tollgate.ledger.books import Books
from tollgate.ledger.discrepancies import Discrepancies
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.refund_marks import RefundMarks
from tollgate.ledger.routes import RoutesTable
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.ledger.work import WorkList
from tollgate.reconcile.health import HealthChecks
from tollgate.reconcile.receipts import ReceiptCheck
from tollgate.reconcile.receivers import Receivers
from tollgate.reconcile.refunds import RefundVisits
from tollgate.reconcile.scan import Scan
from tollgate.reconcile.sweep import Sweep
from tollgate.reconcile.unexplained import Unexplained
from tollgate.reconcile.upfront import UpfrontVisits
from tollgate.reconcile.visits import Visits
from tollgate.settings import read_allow_private, read_ledger_settings, read_refunds_begin, read_settings
from tollgate.wiring.settler import make_refunder, make_settler
from tollgate.wiring.shared import AWS, ConfiguredChains, SecretReader, new_token


class Reconciler:
    """What the reconcile function runs: publish the relayers, then one pass."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        settings = read_settings(os.environ)
        ledger = read_ledger_settings(os.environ)
        self.journal = PowertoolsJournal(logger, metrics)
        dynamo = boto3.client("dynamodb", config=AWS)
        table = Table(dynamo, ledger.payments_table)
        secret = SecretReader()
        chains = ConfiguredChains(settings, secret)
        self.settler = make_settler(settings, ledger, chains, secret, self.journal)
        self.routes = RoutesTable(dynamo, ledger.routes_table, settings.network_ids)
        payments = PaymentsLedger(table)
        books = Books(table)
        rows = Discrepancies(table)
        receivers = Receivers(rows, self.routes.load, chains, time.time)
        visits = Visits(
            payments=payments,
            books=books,
            settling=Settling(payments, books, self.settler, time.time, time.sleep, self.journal),
            upfront=UpfrontVisits(payments, UpfrontLedger(table), time.time, self.journal),
            refunds=RefundVisits(
                payments,
                RefundMarks(table),
                make_refunder(ledger, self.journal),
                read_refunds_begin(os.environ),
                time.time,
                self.journal,
            ),
            receipts=ReceiptCheck(rows, receivers, time.time, self.journal),
            chains=chains,
            clock=time.time,
            new_token=new_token,
            journal=self.journal,
        )
        self.sweep = Sweep(WorkList(table), visits, time.time, self.journal)
        unexplained = Unexplained(rows, chains, time.time, self.journal)
        self.scan = Scan(rows, receivers, unexplained, chains, time.time, self.journal)
        http = HttpUpstream(
            allow_private=read_allow_private(os.environ),
            clock=time.monotonic,
            secrets=_no_secret,
            max_answer_bytes=65_536,
        )
        self.health = HealthChecks(self.routes, http, time.time, self.journal)

    def run(self, deadline: float) -> int:
        """Payments first, then comparison and upstreams with what time is left; how many payments were visited."""
        try:
            return self.sweep.run(deadline)
        finally:
            try:
                self.scan.run(deadline)
            finally:
                self.health.run(deadline)


def _no_secret(name: str) -> str:
    raise ConfigurationError(f"the secret {name} is not reconcile's to read")
