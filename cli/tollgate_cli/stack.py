"""A deployed stack, read from its own outputs and parameters, so that nothing has to be configured twice."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tollgate.errors import ConfigurationError
from tollgate.gateway.declaring.facts import StackFacts
from tollgate.payment.networks import network_info
from tollgate.wire.primitives import Address

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


@dataclass(frozen=True, slots=True)
class Stack:
    """What the commands need to know of a stack. ``facilitator_url`` is "" while it settles its payments itself.

    It may be several, separated by commas. ``records_function`` and what belongs to analytics are "" in a stack of an
    earlier version.
    """

    name: str
    stage: str
    facts: StackFacts
    routes_table: str
    payments_table: str
    settlements_table: str
    settle_function: str
    sellers_table: str
    reconcile_function: str
    facilitator_url: str
    records_function: str = ""
    analytics_table: str = ""
    analytics_function: str = ""

    def log(self, function: str) -> str:
        """The command that prints what a function (``settle``, ``reconcile``) logged lately."""
        return f"aws logs tail /aws/lambda/{self.name}-{function} --since 15m"


def read_stack(cloudformation: "CloudFormationClient", name: str) -> Stack:
    """Describe a stack. Raises ``ConfigurationError`` when it is not there or is not Tollgate's."""
    try:
        described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise ConfigurationError(f"there is no stack {name} in this account and Region") from error
    outputs = {o.get("OutputKey", ""): o.get("OutputValue", "") for o in described.get("Outputs", [])}
    parameters = {p.get("ParameterKey", ""): p.get("ParameterValue", "") for p in described.get("Parameters", [])}
    return Stack(
        name=name,
        stage=_value(parameters, "Stage", name),
        facts=_with_functions(
            _facts(parameters, outputs, name), described.get("StackId", ""), parameters, cloudformation
        ),
        routes_table=_value(outputs, "RoutesTableName", name),
        payments_table=_value(outputs, "PaymentsTableName", name),
        settlements_table=_value(outputs, "SettlementsTableName", name),
        sellers_table=outputs.get("SellersTableName", ""),
        settle_function=_value(outputs, "SettleFunctionName", name),
        reconcile_function=_value(outputs, "ReconcileFunctionName", name),
        facilitator_url=parameters.get("FacilitatorUrl", ""),
        records_function=outputs.get("RecordsFunctionName", ""),
        analytics_table=outputs.get("AnalyticsTableName", ""),
        analytics_function=outputs.get("AnalyticsFunctionName", ""),
    )


def _facts(parameters: Mapping[str, str], outputs: Mapping[str, str], name: str) -> StackFacts:
    try:
        pay_to = Address.parse(_value(parameters, "PayTo", name))
    except ValueError as error:
        raise ConfigurationError(f"stack {name}: parameter PayTo {error}") from error
    return StackFacts(
        networks=tuple(network_info(n.strip()) for n in _value(parameters, "Network", name).split(",")),
        asset=_value(parameters, "Asset", name),
        pay_to=pay_to,
        allow_private_upstreams=parameters.get("AllowPrivateUpstreams", "false") == "true",
        base_url=parameters.get("PublicBaseUrl") or _value(outputs, "ApiUrl", name),
        secret_prefix=parameters.get("UpstreamSecretPrefix", ""),
    )


def _with_functions(
    facts: StackFacts, stack_id: str, parameters: Mapping[str, str], cloudformation: "CloudFormationClient"
) -> StackFacts:
    """What has to be known to sell Lambda functions; the stack's own are only looked up where it may sell any."""
    arns = tuple(filter(None, parameters.get("UpstreamFunctionArns", "").split(",")))
    own: list[str] = []
    if arns:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id)
        resources = (resource for page in pages for resource in page["StackResourceSummaries"])
        own = [r.get("PhysicalResourceId", "") for r in resources if r["ResourceType"] == "AWS::Lambda::Function"]
    # arn:aws:cloudformation:<Region>:<account>:stack/<name>/<id>
    parts = stack_id.split(":")
    prefix = f"arn:{parts[1]}:lambda:{parts[3]}:{parts[4]}:function:" if len(parts) > 5 else ""
    return replace(facts, function_arns=arns, own_functions=frozenset(own), function_prefix=prefix)


def _value(values: Mapping[str, str], key: str, name: str) -> str:
    value = values.get(key, "")
    if not value:
        raise ConfigurationError(f"stack {name} has no {key}: is it a Tollgate stack, and was it fully deployed?")
    return value
