"""The composition root: the only place that knows the concrete classes. Called once per cold start.

boto3 clients are made here with retries off where a retry would hide a second run (rule 12).
"""

import json
import os
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools import Logger, Metrics
from botocore.config import Config

from tollgate.chain.evm import EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.edge.telemetry import PowertoolsJournal
from tollgate.errors import ConfigurationError
from tollgate.facilitator.invoke import FunctionSettler
from tollgate.gateway.call import Parts
from tollgate.gateway.catalogue_cache import CatalogueCache
from tollgate.gateway.serve import Gateway
from tollgate.gateway.settling import Settling
from tollgate.gateway.upstream import HttpUpstream
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.resends import Resends
from tollgate.ledger.routes import RoutesTable
from tollgate.payment.events import Journal
from tollgate.payment.networks import NetworkInfo
from tollgate.reconcile.sweep import Sweep
from tollgate.settings import (
    Settings,
    read_ledger_settings,
    read_proxy_settings,
    read_settings,
)
from tollgate.wire.primitives import Network

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_DYNAMO = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
_SECRETS = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


def new_token() -> str:
    """An owner token: 128 bits from the operating system."""
    return secrets.token_hex(16)


class SecretReader:
    """Secrets Manager values, kept for five minutes per process; a rotated secret is seen within that."""

    KEEP_SECONDS = 300

    def __init__(self) -> None:
        self._client = boto3.client("secretsmanager", config=_SECRETS)
        self._held: dict[str, tuple[float, str]] = {}

    def get(self, name: str) -> str:
        """The secret's string value."""
        held = self._held.get(name)
        now = time.monotonic()
        if held is None or now - held[0] > self.KEEP_SECONDS:
            held = (now, self._client.get_secret_value(SecretId=name)["SecretString"])
            self._held[name] = held
        return held[1]


class ConfiguredChains:
    """The networks of this stack; each RPC client is made when it is first needed."""

    def __init__(self, settings: Settings, secret: SecretReader) -> None:
        self._infos: Mapping[Network, NetworkInfo] = {i.network: i for i in settings.networks}
        self._secret_name = settings.rpc_secret
        self._secret = secret
        self._made: dict[Network, EvmChain] = {}

    def get(self, network: Network) -> EvmChain | None:
        """The chain of a network, or ``None`` when this stack does not speak to it."""
        info = self._infos.get(network)
        if info is None:
            return None
        if network not in self._made:
            self._made[network] = EvmChain(RpcClient(self._urls(network)), info)
        return self._made[network]

    def _urls(self, network: Network) -> list[str]:
        try:
            urls = json.loads(self._secret.get(self._secret_name))[str(network)]
        except (ValueError, KeyError, TypeError):
            raise ConfigurationError(
                f"the RPC secret must be a JSON object with an URL, or a list of them, under {network}"
            ) from None
        return [urls] if isinstance(urls, str) else list(urls)


def _settler(function_name: str, timeout: int, journal: Journal) -> FunctionSettler:
    def make(read_timeout: int) -> "LambdaClient":
        config = Config(
            connect_timeout=2,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        return boto3.client("lambda", config=config)

    return FunctionSettler(make, function_name, timeout, journal)


def make_gateway(logger: Logger, metrics: Metrics) -> Gateway:
    """The proxy's gateway. Raises ``ConfigurationError`` naming what is missing."""
    settings = read_settings(os.environ)
    ledger = read_ledger_settings(os.environ)
    proxy = read_proxy_settings(os.environ)
    journal = PowertoolsJournal(logger, metrics)
    secret = SecretReader()
    dynamo = boto3.client("dynamodb", config=_DYNAMO)
    payments = Table(dynamo, ledger.payments_table)
    parts = Parts(
        payments=PaymentsLedger(payments),
        books=Books(payments),
        resends=Resends(payments),
        chains=ConfiguredChains(settings, secret),
        settler=_settler(ledger.settle_function, ledger.settle_timeout, journal),
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


class Reconciler:
    """What the reconcile function runs: publish the relayers, then one sweep."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        settings = read_settings(os.environ)
        ledger = read_ledger_settings(os.environ)
        self.journal = PowertoolsJournal(logger, metrics)
        dynamo = boto3.client("dynamodb", config=_DYNAMO)
        table = Table(dynamo, ledger.payments_table)
        chains = ConfiguredChains(settings, SecretReader())
        self.settler = _settler(ledger.settle_function, ledger.settle_timeout, self.journal)
        self.routes = RoutesTable(dynamo, ledger.routes_table)
        payments = PaymentsLedger(table)
        books = Books(table)
        self.sweep = Sweep(
            payments=payments,
            books=books,
            settling=Settling(payments, books, self.settler, time.time, time.sleep, self.journal),
            chains=chains,
            clock=time.time,
            new_token=new_token,
            journal=self.journal,
        )
