"""The resources of template.yaml that functions talk to, made on the local AWS with fresh names."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from tests.support.aws import client
from tests.support.aws_calls import arn
from tests.support.template_values import Values
from tests.template.cfn import of_type

_TABLE_PROPERTIES = (
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "BillingMode",
    "StreamSpecification",
)


class Made:
    """Tables, bucket, key and secrets; ``resources`` is what Ref and GetAtt give of everything in the template."""

    def __init__(self, template: dict[str, Any], endpoint: str) -> None:
        self.stack = f"test-{secrets.token_hex(5)}"
        self.rpc_secret = f"{self.stack}/rpc"
        self.upstream_prefix = f"{self.stack}/upstream/"
        self._endpoint = endpoint
        self.resources: dict[str, str] = {"HttpApi.ApiEndpoint": "https://abcdef1234.execute-api.example"}
        values = Values(template, self.stack, {}, self.resources)
        for name, table in of_type(template, "AWS::DynamoDB::Table").items():
            self._table(name, {key: values.of(table["Properties"].get(key, [])) for key in _TABLE_PROPERTIES})
        for name in of_type(template, "AWS::SQS::Queue"):
            queue = f"{self.stack}-{name.lower()}"
            url = client("sqs", endpoint).create_queue(QueueName=queue)["QueueUrl"]
            self.resources |= {name: url, f"{name}.Arn": arn("sqs", queue)}
        for name in of_type(template, "AWS::Events::EventBus"):
            bus = f"{self.stack}-{name.lower()}"
            made = client("events", endpoint).create_event_bus(Name=bus)
            self.resources |= {name: bus, f"{name}.Arn": made["EventBusArn"]}
        for name in of_type(template, "AWS::S3::Bucket"):
            bucket = f"{self.stack}-{name.lower()}"
            client("s3", endpoint).create_bucket(Bucket=bucket)
            self.resources |= {name: bucket, f"{name}.Arn": f"arn:aws:s3:::{bucket}"}
        for name, key in of_type(template, "AWS::KMS::Key").items():
            properties = key["Properties"]
            made = client("kms", endpoint).create_key(KeySpec=properties["KeySpec"], KeyUsage=properties["KeyUsage"])
            self.resources |= {name: made["KeyMetadata"]["KeyId"], f"{name}.Arn": made["KeyMetadata"]["Arn"]}
        for name in of_type(template, "AWS::SecretsManager::Secret"):
            secret = client("secretsmanager", endpoint).create_secret(
                Name=f"{self.stack}-{name.lower()}", SecretString=secrets.token_hex(24)
            )
            self.resources[name] = secret["ARN"]
        for name, function in of_type(template, "AWS::Serverless::Function").items():
            physical = f"{self.stack}-{function['Properties']['CodeUri'].rsplit('/', 1)[1]}"
            self.resources |= {name: physical, f"{name}.Arn": arn("lambda", f"function:{physical}")}

    def put_secret(self, name: str, value: Any) -> None:
        """Create or replace a secret; what is no text is written as JSON."""
        text = value if isinstance(value, str) else json.dumps(value)
        manager = client("secretsmanager", self._endpoint)
        try:
            manager.create_secret(Name=name, SecretString=text)
        except manager.exceptions.ResourceExistsException:
            manager.put_secret_value(SecretId=name, SecretString=text)

    def public_key(self, key: str) -> bytes:
        """The DER of a KMS key's public half."""
        der: bytes = client("kms", self._endpoint).get_public_key(KeyId=key)["PublicKey"]
        return der

    def _table(self, name: str, properties: Mapping[str, Any]) -> None:
        physical = f"{self.stack}-{name}"
        wanted = {key: value for key, value in properties.items() if value}
        if "StreamSpecification" in wanted:
            wanted["StreamSpecification"] = {"StreamEnabled": True, **wanted["StreamSpecification"]}
        made = client("dynamodb", self._endpoint).create_table(TableName=physical, **wanted)["TableDescription"]
        self.resources |= {name: physical, f"{name}.Arn": arn("dynamodb", f"table/{physical}")}
        if "LatestStreamArn" in made:
            self.resources[f"{name}.StreamArn"] = made["LatestStreamArn"]
