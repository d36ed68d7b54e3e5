"""Records' composition root: one table to read, one key that signs receipts and nothing else."""

import os
import time
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.chain.signer import KmsSigner
from tollgate.edge.records_api import RecordsApi
from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.gateway.history import PaymentHistory
from tollgate.gateway.receipt_issuer import ReceiptIssuer
from tollgate.gateway.records import Records
from tollgate.ledger.dynamo import Table
from tollgate.ledger.history import History
from tollgate.ledger.payments import PaymentsLedger
from tollgate.settings import read_records_settings, read_settings
from tollgate.wiring.shared import AWS, ConfiguredChains, SecretReader


def make_records(logger: Logger, metrics: Metrics) -> RecordsApi:
    """Over the payments table. Raises ``ConfigurationError`` naming what is missing."""
    settings = read_settings(os.environ)
    own = read_records_settings(os.environ)
    table = Table(boto3.client("dynamodb", config=AWS), own.payments_table)
    domain, journal = urlsplit(own.public_base_url).netloc, PowertoolsJournal(logger, metrics)
    records = Records(
        payments=PaymentsLedger(table),
        chains=ConfiguredChains(settings, SecretReader()),
        issuer=ReceiptIssuer(KmsSigner(boto3.client("kms", config=AWS), own.receipt_key), own.public_base_url),
        base_url=own.public_base_url,
        domain=domain,
        clock=time.time,
        journal=journal,
    )
    return RecordsApi(records, PaymentHistory(History(table), own.public_base_url, domain, time.time, journal))
