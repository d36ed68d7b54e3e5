"""Challenge's composition root."""

import os
import time

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.gateway.catalogue_cache import CatalogueCache
from tollgate.gateway.challenge import Challenger
from tollgate.ledger.routes import RoutesTable
from tollgate.settings import read_catalogue_settings, read_settings
from tollgate.wiring.shared import AWS, SecretReader
from tollgate.wiring.upstreams import make_quotes


def make_challenger(logger: Logger, metrics: Metrics) -> Challenger:
    """Over the routes table. Raises ``ConfigurationError`` naming what is missing."""
    settings = read_settings(os.environ)
    own = read_catalogue_settings(os.environ)
    table = RoutesTable(boto3.client("dynamodb", config=AWS), own.routes_table, settings.network_ids)
    journal = PowertoolsJournal(logger, metrics)
    itself = (os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),)
    quotes = make_quotes(itself, own.quote_key_secret, SecretReader(), journal)
    return Challenger(CatalogueCache(table.load, time.time), own.public_base_url, journal, quotes)
