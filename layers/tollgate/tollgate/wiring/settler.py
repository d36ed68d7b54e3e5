"""Who settles for the proxy and for reconcile: our own settle function, or a remote facilitator."""

import os
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from tollgate.facilitator.invoke import FunctionSettler
from tollgate.facilitator.remote import RemoteSettler
from tollgate.facilitator.remote_http import RemoteHttp
from tollgate.facilitator.remote_one import RemoteFacilitator
from tollgate.payment.events import Journal
from tollgate.settings import FacilitatorSettings, LedgerSettings, Settings, read_facilitator_settings
from tollgate.wiring.shared import ConfiguredChains, SecretReader

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def make_settler(
    settings: Settings, ledger: LedgerSettings, chains: ConfiguredChains, secret: SecretReader, journal: Journal
) -> FunctionSettler | RemoteSettler:
    """The settler that the environment names. Raises ``ConfigurationError``."""
    remote = read_facilitator_settings(os.environ, settings.stage)
    if remote is None:
        return _own(ledger.settle_function, ledger.settle_timeout, journal)
    return _remote(remote, settings, chains, secret, journal)


def make_refunder(ledger: LedgerSettings, journal: Journal) -> FunctionSettler:
    """Our own settle function, whoever settles: what it has begun it finishes."""
    return _own(ledger.settle_function, ledger.settle_timeout, journal)


def _own(function_name: str, timeout: int, journal: Journal) -> FunctionSettler:
    def make(read_timeout: int) -> "LambdaClient":
        config = Config(
            connect_timeout=2,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        return boto3.client("lambda", config=config)

    return FunctionSettler(make, function_name, timeout, journal)


def _remote(
    remote: FacilitatorSettings, settings: Settings, chains: ConfiguredChains, secret: SecretReader, journal: Journal
) -> RemoteSettler:
    clock = time.monotonic
    facilitators = [
        RemoteFacilitator(
            urlsplit(url).netloc,
            RemoteHttp(
                url,
                remote.secret,
                secrets=secret.get,
                allow_private=settings.stage == "local",
                clock=clock,
                alone=len(remote.urls) == 1,
            ),
            journal,
            clock,
        )
        for url in remote.urls
    ]
    return RemoteSettler(facilitators, chains, settings.network_ids, journal, clock=clock, sleep=time.sleep)
