"""What the proxy sells: HTTP APIs, and Lambda functions, whose client is made when a route first needs it."""

import os
import time
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from tollgate.errors import ConfigurationError
from tollgate.gateway.function_upstream import FunctionUpstream
from tollgate.gateway.price_quotes import Quotes
from tollgate.gateway.upstream import HttpUpstream
from tollgate.gateway.upstreams import Upstreams
from tollgate.payment.events import Journal
from tollgate.settings import LedgerSettings, ProxySettings
from tollgate.wiring.shared import SecretReader

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def make_upstreams(ledger: LedgerSettings, proxy: ProxySettings, domain: str, secret: SecretReader) -> Upstreams:
    """Every kind of upstream. ``domain`` is the public host name."""
    own = own_functions(ledger)
    http = HttpUpstream(allow_private=proxy.allow_private_upstreams, clock=time.monotonic, secrets=secret.get)
    return Upstreams(http, lambda: make_functions(own, domain))


def make_functions(own: tuple[str, ...], domain: str) -> FunctionUpstream:
    """Upstreams that are Lambda functions, never one of ``own``."""
    return FunctionUpstream(_client, own, domain=domain, clock=time.monotonic, now=time.time)


def make_quotes(own: tuple[str, ...], key_secret: str, secret: SecretReader, journal: Journal) -> Quotes:
    """Computed prices; ``own`` are functions that are never asked, ``key_secret`` the name of the seal's key or "".

    What asks is made when the first route needs it.
    """
    functions: list[FunctionUpstream] = []

    def asked() -> FunctionUpstream:
        if not functions:
            functions.append(make_functions(own, ""))
        return functions[0]

    def key() -> bytes:
        if not key_secret:
            raise ConfigurationError("computed prices need UpstreamFunctionArns")
        return secret.get(key_secret).encode()

    return Quotes(asked, key, time.time, journal)


def own_functions(ledger: LedgerSettings) -> tuple[str, ...]:
    """Those that no route may invoke."""
    return (ledger.settle_function, os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""))


def _client(read_timeout: float) -> "LambdaClient":
    config = Config(connect_timeout=2, read_timeout=read_timeout, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("lambda", config=config)
