"""``sam deploy`` onto the local AWS, and what the deployed stack says about itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.build import run_sam
from local.paths import ROOT, lambda_architecture, lambda_runtime

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

STACK = "tollgate-local"
RPC_SECRET = "tollgate/rpc"


@dataclass(frozen=True, slots=True)
class Deployed:
    """The stack's outputs under the names that code uses."""

    payments_table: str
    settlements_table: str
    routes_table: str
    proxy_function: str
    settle_function: str
    reconcile_function: str
    relayer_key: str


def put_rpc_secret(secrets: "SecretsManagerClient", urls: Mapping[str, str]) -> None:
    """Create the secret that names each network's RPC URL, as an operator does before deploying."""
    secrets.create_secret(Name=RPC_SECRET, SecretString=json.dumps(dict(urls)))


def deploy(template: Path, endpoint: str, parameters: Mapping[str, str]) -> None:
    """Create the stack from a built template. Raises ``ToolFailed``."""
    chosen = {
        "Stage": "local",
        "Asset": "USDC",
        "RpcSecretName": RPC_SECRET,
        "AllowPrivateUpstreams": "true",
        "Runtime": lambda_runtime(),
        "Architecture": lambda_architecture(),
        **parameters,
    }
    run_sam(
        "deploy",
        "--config-file",
        str(ROOT / "samconfig.toml"),
        "--config-env",
        "local",
        "--template-file",
        str(template),
        "--stack-name",
        STACK,
        "--no-confirm-changeset",
        "--no-progressbar",
        "--parameter-overrides",
        *(f"ParameterKey={key},ParameterValue={value}" for key, value in chosen.items()),
        endpoint=endpoint,
    )


def read_deployed(cloudformation: "CloudFormationClient", stack: str = STACK) -> Deployed:
    """Read the outputs. Raises ``KeyError`` when the template lacks one."""
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {o.get("OutputKey", ""): o.get("OutputValue", "") for o in described.get("Outputs", [])}
    return Deployed(
        payments_table=outputs["PaymentsTableName"],
        settlements_table=outputs["SettlementsTableName"],
        routes_table=outputs["RoutesTableName"],
        proxy_function=outputs["ProxyFunctionName"],
        settle_function=outputs["SettleFunctionName"],
        reconcile_function=outputs["ReconcileFunctionName"],
        relayer_key=outputs["RelayerKeyId"],
    )
