"""The proxy's composition root."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools import Logger, Metrics
from botocore.config import Config

from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.gateway.api_routes import of_the_proxy
from tollgate.gateway.call import Parts
from tollgate.gateway.catalogue_cache import CatalogueCache
from tollgate.gateway.ports import Upstream
from tollgate.gateway.serve import Gateway
from tollgate.ledger.answers import S3Bodies
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Table
from tollgate.ledger.executions import ExecutionsLedger
from tollgate.ledger.payers import Payers
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.resends import Resends
from tollgate.ledger.results import ResultsLedger
from tollgate.ledger.routes import RoutesTable
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.routes import Route, Snapshot
from tollgate.settings import Settings, read_ledger_settings, read_proxy_settings, read_settings
from tollgate.wiring.settler import make_settler
from tollgate.wiring.shared import AWS, ConfiguredChains, SecretReader, new_token
from tollgate.wiring.upstreams import make_quotes, make_upstreams, own_functions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# At most 6 s in all, of the 6 s that the upstream's own limit leaves of an invocation.
_S3 = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})


@dataclass(frozen=True, slots=True)
class OwnGoods:
    """What a function sells itself: its routes, and what runs for all of them."""

    routes: tuple[Route, ...]
    upstream: Upstream


def _make_s3() -> "S3Client":
    return boto3.client("s3", config=_S3)


def make_gateway(logger: Logger, metrics: Metrics, own: "Callable[[Settings, str], OwnGoods] | None" = None) -> Gateway:
    """The proxy's gateway, or with ``own`` that of a seller's function, made of the settings and the public host name.

    Raises ``ConfigurationError`` naming what is missing.
    """
    settings = read_settings(os.environ)
    ledger = read_ledger_settings(os.environ)
    proxy = read_proxy_settings(os.environ)
    journal = PowertoolsJournal(logger, metrics)
    secret = SecretReader()
    dynamo = boto3.client("dynamodb", config=AWS)
    payments = Table(dynamo, ledger.payments_table)
    chains = ConfiguredChains(settings, secret)
    domain = urlsplit(proxy.public_base_url).netloc
    goods = None if own is None else own(settings, domain)
    parts = Parts(
        payments=PaymentsLedger(payments, S3Bodies(_make_s3, proxy.answers_bucket)),
        upfront=UpfrontLedger(payments),
        results=ResultsLedger(payments),
        executions=ExecutionsLedger(payments),
        payers=Payers(payments),
        books=Books(payments),
        resends=Resends(payments),
        chains=chains,
        settler=make_settler(settings, ledger, chains, secret, journal),
        upstream=make_upstreams(ledger, proxy, domain, secret) if goods is None else goods.upstream,
        quotes=make_quotes(own_functions(ledger), proxy.quote_key_secret, secret, journal),
        clock=time.time,
        sleep=time.sleep,
        new_token=new_token,
        journal=journal,
        base_url=proxy.public_base_url,
        domain=domain,
        by_address=proxy.source_address_resends,
        most_open=proxy.most_open,
    )
    routes = RoutesTable(dynamo, ledger.routes_table, settings.network_ids)

    def load() -> Snapshot:
        # What the stack sells is not sold here; which networks can pay for gas holds for both.
        return of_the_proxy(routes.load()) if goods is None else replace(routes.load(), routes=goods.routes)

    return Gateway.of(parts, CatalogueCache(load, time.time))
