"""Our own settle function as the ``Settler`` of the proxy and of reconcile."""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from tollgate.facilitator.invoke import FunctionSettler
from tollgate.payment.events import Journal

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def make_settler(function_name: str, timeout: int, journal: Journal) -> FunctionSettler:
    def make(read_timeout: int) -> "LambdaClient":
        config = Config(
            connect_timeout=2,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        return boto3.client("lambda", config=config)

    return FunctionSettler(make, function_name, timeout, journal)
