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


# The payments table's, as template.yaml has them: name, hash key, range key, what is projected besides keys.
INDEXES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("work", "work", "due", ()),
    ("by_payer", "of_payer", "listed_at", ("identity", "route")),
    ("by_owner", "of_owner", "listed_at", ("identity", "route")),
    ("by_transaction", "transaction", "", ()),
)


def index_request() -> dict[str, Any]:
    """Their part of a CreateTable."""
    keys = {key: "N" if key == "due" else "S" for _, hashed, ranged, _ in INDEXES for key in (hashed, ranged) if key}
    return {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in keys.items()],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": name,
                "KeySchema": [
                    {"AttributeName": hashed, "KeyType": "HASH"},
                    *([{"AttributeName": ranged, "KeyType": "RANGE"}] if ranged else []),
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(more)}
                if more
                else {"ProjectionType": "KEYS_ONLY"},
            }
            for name, hashed, ranged, more in INDEXES
        ],
    }


def create_table(dynamo: "DynamoDBClient", *, work_index: bool = False) -> str:
    """Create a table of the stack's shape (hash key ``pk``; the payments table also has indexes); its name."""
    name = f"test-{secrets.token_hex(6)}"
    request: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    if work_index:
        indexes = index_request()
        request["AttributeDefinitions"] += indexes.pop("AttributeDefinitions")
        request |= indexes
    dynamo.create_table(**request)
    return name
