"""AWS calls as IAM sees them: which action, on which resource."""

from dataclasses import dataclass
from typing import Any

from tests.support.template_values import ACCOUNT, REGION

_KINDS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def arn(service: str, resource: str) -> str:
    """The ARN of a resource of this account."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@dataclass(frozen=True, slots=True)
class Access:
    """One permission that a call needs. ``keys`` are the leading keys of DynamoDB items that it names."""

    action: str
    resource: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One request to AWS: ``invocation`` numbers the handler call that made it."""

    function: str
    invocation: int
    service: str
    operation: str
    needs: tuple[Access, ...]


@dataclass(frozen=True, slots=True)
class RpcCall:
    """One HTTP request to the chain's RPC endpoint; a JSON-RPC batch is one, with several methods."""

    function: str
    invocation: int
    methods: tuple[str, ...]


class Seen:
    """What was called, in order."""

    def __init__(self, trace: list[AwsCall | RpcCall]) -> None:
        self.trace = trace

    @property
    def aws(self) -> list[AwsCall]:
        """Requests to AWS."""
        return [call for call in self.trace if isinstance(call, AwsCall)]

    @property
    def rpc(self) -> list[RpcCall]:
        """HTTP requests to the chain."""
        return [call for call in self.trace if isinstance(call, RpcCall)]

    def count(self, service: str) -> int:
        """How many requests: ``dynamodb``, ``s3``, ``kms``, ``secretsmanager``, ``lambda``, or ``rpc``."""
        return len(self.rpc) if service == "rpc" else sum(call.service == service for call in self.aws)

    def before_broadcast(self) -> "Seen":
        """What came before the transaction was sent; everything when none was."""
        for index, call in enumerate(self.trace):
            if isinstance(call, RpcCall) and any(m.startswith("eth_sendRawTransaction") for m in call.methods):
                return Seen(self.trace[:index])
        return self


def needs(service: str, operation: str, parameters: dict[str, Any]) -> tuple[Access, ...]:
    """The permissions that a call needs. Raises ``KeyError`` for a service that nothing here knows."""
    match service:
        case "dynamodb":
            return tuple(_dynamodb(operation, parameters))
        case "s3":
            return (Access(f"s3:{operation}", f"arn:aws:s3:::{parameters['Bucket']}/{parameters['Key']}"),)
        case "kms":
            return (Access(f"kms:{operation}", parameters["KeyId"]),)
        case "secretsmanager":
            # Secrets Manager ends every ARN with six characters of its own.
            name = str(parameters["SecretId"])
            secret = name if name.startswith("arn:") else arn(service, f"secret:{name}-AbCdEf")
            return (Access(f"secretsmanager:{operation}", secret),)
        case "lambda":
            action = "InvokeFunction" if operation == "Invoke" else operation
            name = parameters["FunctionName"]
            return (Access(f"lambda:{action}", name if name.startswith("arn:") else arn(service, f"function:{name}")),)
        case "sqs":
            queue = parameters["QueueUrl"].rsplit("/", 1)[1]
            return (Access(f"sqs:{operation}", arn(service, queue)),)
        case "cloudwatch":
            return (Access(f"cloudwatch:{operation}", "*"),)
        case "events":
            buses = {entry["EventBusName"] for entry in parameters["Entries"]}
            return tuple(Access(f"events:{operation}", arn(service, f"event-bus/{bus}")) for bus in sorted(buses))
    raise KeyError(f"{service}.{operation}")


def _dynamodb(operation: str, parameters: dict[str, Any]) -> list[Access]:
    if operation in ("TransactWriteItems", "TransactGetItems"):
        return [
            _item(_KINDS[kind], request) for entry in parameters["TransactItems"] for kind, request in entry.items()
        ]
    if operation == "BatchGetItem":
        return [
            Access("dynamodb:BatchGetItem", arn("dynamodb", f"table/{table}"), _keys(asked["Keys"]))
            for table, asked in parameters["RequestItems"].items()
        ]
    return [_item(operation, parameters)]


def _item(action: str, request: dict[str, Any]) -> Access:
    index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
    named = [request[part] for part in ("Item", "Key") if part in request]
    return Access(f"dynamodb:{action}", arn("dynamodb", f"table/{request['TableName']}{index}"), _keys(named))


def _keys(items: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(item["pk"]["S"] for item in items)
