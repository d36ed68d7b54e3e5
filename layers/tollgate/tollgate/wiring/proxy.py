"""The proxy's composition root."""

import os
import time
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.gateway.call import Parts
from tollgate.gateway.catalogue_cache import CatalogueCache
from tollgate.gateway.serve import Gateway
from tollgate.gateway.upstream import HttpUpstream
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.resends import Resends
from tollgate.ledger.routes import RoutesTable
from tollgate.settings import read_ledger_settings, read_proxy_settings, read_settings
from tollgate.wiring.settler import make_settler
from tollgate.wiring.shared import AWS, ConfiguredChains, SecretReader, new_token


def make_gateway(logger: Logger, metrics: Metrics) -> Gateway:
    """The proxy's gateway. Raises ``ConfigurationError`` naming what is missing."""
    settings = read_settings(os.environ)
    ledger = read_ledger_settings(os.environ)
    proxy = read_proxy_settings(os.environ)
    journal = PowertoolsJournal(logger, metrics)
    secret = SecretReader()
    dynamo = boto3.client("dynamodb", config=AWS)
    payments = Table(dynamo, ledger.payments_table)
    parts = Parts(
        payments=PaymentsLedger(payments),
        books=Books(payments),
        resends=Resends(payments),
        chains=ConfiguredChains(settings, secret),
        settler=make_settler(ledger.settle_function, ledger.settle_timeout, journal),
        upstream=HttpUpstream(allow_private=proxy.allow_private_upstreams, clock=time.monotonic, secrets=secret.get),
        clock=time.time,
        sleep=time.sleep,
        new_token=new_token,
        journal=journal,
        base_url=proxy.public_base_url,
        domain=urlsplit(proxy.public_base_url).netloc,
        by_address=proxy.source_address_resends,
    )
    routes = RoutesTable(dynamo, ledger.routes_table)
    return Gateway.of(parts, CatalogueCache(routes.load, time.time))
