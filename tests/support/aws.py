"""Clients and tables on the local AWS, for tests that need a real DynamoDB server over HTTP."""

import secrets
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def client(service: str, endpoint: str, config: Config | None = None) -> Any:
    """A boto3 client against the local AWS."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )


def create_table(dynamo: "DynamoDBClient", *, work_index: bool = False) -> str:
    """Create a table of the stack's shape (hash key ``pk``; the payments table also has ``work``); its name."""
    name = f"test-{secrets.token_hex(6)}"
    request: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    if work_index:
        request["AttributeDefinitions"] += [
            {"AttributeName": "work", "AttributeType": "S"},
            {"AttributeName": "due", "AttributeType": "N"},
        ]
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": "work",
                "KeySchema": [
                    {"AttributeName": "work", "KeyType": "HASH"},
                    {"AttributeName": "due", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ]
    dynamo.create_table(**request)
    return name
