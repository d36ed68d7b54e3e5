"""The AWS that the commands talk to; endpoint, region and credentials come from the usual AWS environment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from tollgate.errors import TollgateError

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
    """The three clients."""

    cloudformation: "CloudFormationClient"
    dynamodb: "DynamoDBClient"
    functions: "LambdaClient"


def connect() -> Aws:
    """Clients from the environment. Raises ``BotoCoreError`` when it names no region."""
    patient = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3, "mode": "standard"})
    once = Config(connect_timeout=5, read_timeout=_INVOKE_SECONDS, retries={"total_max_attempts": 1})
    return Aws(
        boto3.client("cloudformation", config=patient),
        boto3.client("dynamodb", config=patient),
        boto3.client("lambda", config=once),
    )


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
