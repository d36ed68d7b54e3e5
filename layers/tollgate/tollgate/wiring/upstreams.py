"""What the proxy sells: HTTP APIs, and Lambda functions, whose client is made when a route first needs it."""

import os
import time
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from tollgate.gateway.function_upstream import FunctionUpstream
from tollgate.gateway.upstream import HttpUpstream
from tollgate.gateway.upstreams import Upstreams
from tollgate.settings import LedgerSettings, ProxySettings
from tollgate.wiring.shared import SecretReader

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def make_upstreams(ledger: LedgerSettings, proxy: ProxySettings, domain: str, secret: SecretReader) -> Upstreams:
    """Every kind of upstream. ``domain`` is the public host name."""
    own = (ledger.settle_function, os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""))
    http = HttpUpstream(allow_private=proxy.allow_private_upstreams, clock=time.monotonic, secrets=secret.get)
    return Upstreams(http, lambda: make_functions(own, domain))


def make_functions(own: tuple[str, ...], domain: str) -> FunctionUpstream:
    """Upstreams that are Lambda functions, never one of ``own``."""
    return FunctionUpstream(_client, own, domain=domain, clock=time.monotonic, now=time.time)


def _client(read_timeout: float) -> "LambdaClient":
    config = Config(connect_timeout=2, read_timeout=read_timeout, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("lambda", config=config)
