"""Analytics' composition root: one table of sums to read, and the stack's metrics."""

import os
import time
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.edge.traffic import CloudWatchTraffic
from tollgate.gateway.analytics import Analytics
from tollgate.ledger.dynamo import Table
from tollgate.ledger.tallies import Tallies
from tollgate.settings import read_analytics_table, read_metrics_namespace, read_public_base_url
from tollgate.wiring.shared import AWS


def make_analytics(logger: Logger, metrics: Metrics) -> Analytics:
    """Over the table of sums. Raises ``ConfigurationError`` naming what is missing."""
    base_url = read_public_base_url(os.environ)
    table = Table(boto3.client("dynamodb", config=AWS), read_analytics_table(os.environ))
    journal = PowertoolsJournal(logger, metrics)
    traffic = CloudWatchTraffic(boto3.client("cloudwatch", config=AWS), read_metrics_namespace(os.environ))
    return Analytics(Tallies(table), traffic, base_url, urlsplit(base_url).netloc, time.time, journal)
