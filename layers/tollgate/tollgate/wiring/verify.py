"""Verify's composition root: it holds no signer and no table but the sellers'."""

import os
import time

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.facilitator.verify import VerifyService
from tollgate.ledger.sellers import SellersTable
from tollgate.settings import read_sellers_settings, read_settings
from tollgate.wiring.assets import settled_assets
from tollgate.wiring.shared import AWS, ConfiguredChains, SecretReader


class Verifier:
    """What the verify function runs: who calls, and what the chain says."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        settings = read_settings(os.environ)
        own = read_sellers_settings(os.environ)
        self.journal = PowertoolsJournal(logger, metrics)
        self.sellers = SellersTable(boto3.client("dynamodb", config=AWS), own.sellers_table)
        self.service = VerifyService(
            settled_assets(settings, own.asset), ConfiguredChains(settings, SecretReader()), self.journal, time.time
        )
