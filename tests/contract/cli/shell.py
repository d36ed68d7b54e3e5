"""An operator at a shell: a stack of tables and outputs on the local AWS, and commands typed against it.

The stack's two functions are written in Python here, because what they do is other tests' matter.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.support.aws import client, index_request
from tollgate.ledger.dynamo import Table
from tollgate.ledger.routes import RoutesTable
from tollgate.ledger.sellers import SellersTable
from tollgate.payment.routes import NetworkStatus
from tollgate.wire.primitives import Address, Network
from tollgate_cli.aws import Aws
from tollgate_cli.main import main

NOW = 1_800_000_000
RELAYER = Address(b"\x0a" * 20)
SEPOLIA = Network(84532)
_PROPERTIES: dict[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}
_TABLE = {"Type": "AWS::DynamoDB::Table", "Properties": _PROPERTIES}
_INDEXES = index_request()
_PAYMENTS = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        **_PROPERTIES,
        "AttributeDefinitions": [*_PROPERTIES["AttributeDefinitions"], *_INDEXES["AttributeDefinitions"]],
        "GlobalSecondaryIndexes": _INDEXES["GlobalSecondaryIndexes"],
    },
}
OUTPUTS: dict[str, object] = {
    "ApiUrl": "https://api.execute-api.example.com",
    "RoutesTableName": {"Ref": "Routes"},
    "PaymentsTableName": {"Ref": "Payments"},
    "SettlementsTableName": {"Ref": "Settlements"},
    "SellersTableName": {"Ref": "Sellers"},
    "SettleFunctionName": "settle",
    "ReconcileFunctionName": "reconcile",
}
PARAMETERS = {
    "Stage": "test",
    "Network": "eip155:84532",
    "Asset": "USDC",
    "PayTo": "0x" + "5e" * 20,
    "AllowPrivateUpstreams": "false",
}


class Functions:
    """A Lambda client whose functions are Python functions; counts what was invoked."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.invoked: list[tuple[str, Any]] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        """As the real one answers."""
        event = json.loads(Payload)
        self.invoked.append((FunctionName, event))
        try:
            answer = self.answers[FunctionName](event)
        except ZeroDivisionError:
            return {"FunctionError": "Unhandled", "Payload": BytesIO(b'{"errorMessage":"https://rpc/KEY"}')}
        return {"Payload": BytesIO(answer if isinstance(answer, bytes) else json.dumps(answer).encode())}


class Operator:
    """A stack, and somebody who types commands."""

    def __init__(self, endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.functions = Functions()
        cloudformation, dynamodb = client("cloudformation", endpoint), client("dynamodb", endpoint)
        self.aws = Aws(cloudformation, dynamodb, self.functions)  # type: ignore[arg-type]
        self.stack = f"cli-{secrets.token_hex(4)}"
        self.file = tmp_path / "routes.yaml"
        self._capsys = capsys
        create_stack(cloudformation, self.stack, PARAMETERS, OUTPUTS)
        outputs = cloudformation.describe_stacks(StackName=self.stack)["Stacks"][0]["Outputs"]
        names = {o["OutputKey"]: o["OutputValue"] for o in outputs}
        self.routes = RoutesTable(dynamodb, names["RoutesTableName"], [SEPOLIA])
        self.payments = Table(dynamodb, names["PaymentsTableName"])
        self.settlements = Table(dynamodb, names["SettlementsTableName"])
        self.sellers = SellersTable(dynamodb, names["SellersTableName"])
        self.functions.answers["reconcile"] = lambda event: self.check_relayers(has_gas=True)

    def check_relayers(self, *, has_gas: bool) -> None:
        """What reconcile does to the status."""
        self.routes.put_network_status(NetworkStatus(SEPOLIA, (RELAYER,), has_gas, NOW))

    def run(self, *argv: str, code: int = 0) -> tuple[str, str]:
        """Run a command against the stack; its standard output and error."""
        return self.run_anywhere(*argv, "--stack", self.stack, code=code)

    def run_anywhere(self, *argv: str, code: int = 0) -> tuple[str, str]:
        """Run a command."""
        assert main(argv, connect=lambda: self.aws, clock=lambda: NOW) == code
        out, err = self._capsys.readouterr()
        return out, err

    def apply(self, text: str, *more: str, code: int = 0) -> tuple[str, str]:
        """Apply a file with this text."""
        self.file.write_text(text, encoding="utf-8")
        return self.run("routes", "apply", str(self.file), *more, code=code)


def create_stack(cloudformation: Any, name: str, parameters: Mapping[str, str], outputs: Mapping[str, object]) -> None:
    """A stack with four tables."""
    template = {
        "Parameters": {key: {"Type": "String"} for key in parameters},
        "Resources": {"Routes": _TABLE, "Payments": _PAYMENTS, "Settlements": _TABLE, "Sellers": _TABLE},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
