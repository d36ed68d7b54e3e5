"""The authorizer's composition root: a gateway without upstreams and answers, over the same ledger as the proxy's."""

import os
import time
from typing import NoReturn
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools import Logger, Metrics

from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.gateway.api_routes import of_the_authorizer
from tollgate.gateway.authorize import Authorizer
from tollgate.gateway.call import Parts
from tollgate.gateway.catalogue_cache import CatalogueCache
from tollgate.gateway.free_call import FreeCall
from tollgate.gateway.messages import UpstreamRequest
from tollgate.gateway.paid_call import PaidCall
from tollgate.gateway.price_quotes import Quotes
from tollgate.gateway.serve import Gateway
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Table
from tollgate.ledger.executions import ExecutionsLedger
from tollgate.ledger.payers import Payers
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.resends import Resends
from tollgate.ledger.results import ResultsLedger
from tollgate.ledger.routes import RoutesTable
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.routes import Target
from tollgate.settings import read_authorizer_settings, read_ledger_settings, read_settings
from tollgate.wiring.settler import make_settler
from tollgate.wiring.shared import AWS, ConfiguredChains, SecretReader, new_token


class _NoUpstream:
    """An authorizer asks no upstream: whoever gets here is a bug."""

    def fetch(self, target: Target, request: UpstreamRequest, timeout: float) -> NoReturn:
        """Raises ``TypeError``."""
        raise TypeError("an authorizer has no upstream")


def _none_asked() -> NoReturn:
    raise TypeError("an authorizer asks no function what something costs")


def make_authorizer(logger: Logger, metrics: Metrics) -> Authorizer:
    """Raises ``ConfigurationError`` naming what is missing."""
    settings = read_settings(os.environ)
    ledger = read_ledger_settings(os.environ)
    own = read_authorizer_settings(os.environ)
    journal = PowertoolsJournal(logger, metrics)
    secret = SecretReader()
    dynamo = boto3.client("dynamodb", config=AWS)
    payments = Table(dynamo, ledger.payments_table)
    chains = ConfiguredChains(settings, secret)
    parts = Parts(
        payments=PaymentsLedger(payments),
        upfront=UpfrontLedger(payments),
        results=ResultsLedger(payments),
        executions=ExecutionsLedger(payments),
        payers=Payers(payments),
        books=Books(payments),
        resends=Resends(payments),
        chains=chains,
        settler=make_settler(settings, ledger, chains, secret, journal),
        upstream=_NoUpstream(),
        quotes=Quotes(_none_asked, _none_asked, time.time, journal),
        clock=time.time,
        sleep=time.sleep,
        new_token=new_token,
        journal=journal,
        base_url=own.public_base_url,
        domain=urlsplit(own.public_base_url).netloc,
        by_address=own.source_address_resends,
        most_open=own.most_open,
    )
    routes = RoutesTable(dynamo, ledger.routes_table, settings.network_ids)
    catalogues = CatalogueCache(lambda: of_the_authorizer(routes.load()), time.time)
    paid = PaidCall.of(parts, grants=True)
    return Authorizer(Gateway(parts, catalogues, paid, FreeCall(parts, paid.runner)))
