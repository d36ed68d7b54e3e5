"""Create and delete stacks of the packaged template on the local AWS."""

import secrets
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.support.aws import client


class _Code(NamedTuple):
    bucket: str
    key: str


CODE = _Code("code", "empty.zip")

# A deployment that every rule accepts, at each stage.
RIGHT = {
    "local": {"Stage": "local", "Network": "eip155:84532,eip155:31337"},
    "test": {"Stage": "test", "Network": "eip155:84532"},
    "prod": {"Stage": "prod", "Network": "eip155:8453"},
}
ALWAYS = {
    "Asset": "USDC",
    "PayTo": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "RpcSecretName": "tollgate/rpc",
}
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Stacks:
    """CloudFormation at ``endpoint``; ``url`` is where S3 has the packaged template, as ``sam deploy`` leaves it."""

    endpoint: str
    url: str

    def plan(self, parameters: dict[str, str]) -> list[str]:
        """The logical ids that a change set would add. Raises ``ClientError`` as CloudFormation refuses."""
        cloudformation = client("cloudformation", self.endpoint)
        planned = cloudformation.create_change_set(
            StackName=f"plan-{secrets.token_hex(4)}",
            ChangeSetName="plan",
            ChangeSetType="CREATE",
            TemplateURL=self.url,
            Capabilities=_CAPABILITIES,
            Parameters=_as_list(parameters),
        )
        described = cloudformation.describe_change_set(ChangeSetName=planned["Id"])
        assert described["Status"] == "CREATE_COMPLETE", described.get("StatusReason")
        return [change["ResourceChange"]["LogicalResourceId"] for change in described["Changes"]]

    def create(self, parameters: dict[str, str]) -> tuple[str, dict[str, str]]:
        """Create a stack; its id and outputs."""
        cloudformation = client("cloudformation", self.endpoint)
        created = cloudformation.create_stack(
            StackName=f"made-{secrets.token_hex(4)}",
            TemplateURL=self.url,
            Capabilities=_CAPABILITIES,
            Parameters=_as_list(parameters),
        )
        stack = self._settled(created["StackId"])
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        return stack["StackId"], {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}

    def delete(self, stack_id: str) -> None:
        """Delete a stack and wait for it."""
        client("cloudformation", self.endpoint).delete_stack(StackName=stack_id)
        stack = self._settled(stack_id)
        assert stack["StackStatus"] == "DELETE_COMPLETE", stack

    def _settled(self, stack_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            found = client("cloudformation", self.endpoint).describe_stacks(StackName=stack_id)
            stack: dict[str, Any] = found["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return stack
            assert time.monotonic() < deadline, stack
            time.sleep(0.05)


def _as_list(parameters: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
