"""The AWS that the commands talk to; endpoint, region and credentials come from the usual AWS environment."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import NoRegionError

from tollgate.errors import ConfigurationError, TollgateError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient

# Longer than the longest function runs (reconcile, 60 s). Nothing is invoked twice behind our back.
_INVOKE_SECONDS = 70


class FunctionFailed(TollgateError):
    """A function of the stack did not answer; its log says why."""


@dataclass(frozen=True, slots=True)
class Aws:
    """The three clients that most commands need, and a maker for any other."""

    cloudformation: "CloudFormationClient"
    dynamodb: "DynamoDBClient"
    functions: "LambdaClient"
    client: Callable[[str], Any] | None = None


def connect() -> Aws:
    """Clients from the environment. Raises ``ConfigurationError`` when it names no Region."""
    patient = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3, "mode": "standard"})
    once = Config(connect_timeout=5, read_timeout=_INVOKE_SECONDS, retries={"total_max_attempts": 1})
    # boto3 itself reads AWS_DEFAULT_REGION only; every other AWS tool reads AWS_REGION first.
    region = os.environ.get("AWS_REGION") or None
    try:
        return Aws(
            boto3.client("cloudformation", region_name=region, config=patient),
            boto3.client("dynamodb", region_name=region, config=patient),
            boto3.client("lambda", region_name=region, config=once),
            lambda service: boto3.client(service, region_name=region, config=patient),  # type: ignore[call-overload]
        )
    except NoRegionError as error:
        raise ConfigurationError("no AWS Region is chosen: set AWS_REGION, or an AWS_PROFILE that has one") from error


def invoke(functions: "LambdaClient", name: str, event: Mapping[str, Any]) -> Any:
    """Invoke a function and read its JSON answer. Raises ``FunctionFailed``."""
    out = functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    payload = out["Payload"].read()
    if failure := out.get("FunctionError"):
        raise FunctionFailed(f"{name} failed ({failure}); see its log")
    try:
        return json.loads(payload or b"null")
    except ValueError as error:
        raise FunctionFailed(f"{name} answered something that is not JSON") from error
