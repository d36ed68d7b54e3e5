"""A wrong parameter stops the deployment with a sentence; a deleted prod stack leaves the money's records."""

import pytest
from botocore.exceptions import ClientError

from tests.support.aws import client
from tests.template.cfn import listed
from tests.template.stacks import ALWAYS, RIGHT, Stacks

KEYS = ",".join(f"arn:aws:kms:us-east-1:123456789012:key/{n}1111111-1111-1111-1111-111111111111" for n in (1, 2))
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-90ab-cdef-1234-567890abcdef"
FUNCTIONS = ",".join(f"arn:aws:lambda:us-east-1:123456789012:function:{name}" for name in ("report", "map:live"))

# (the stage it happens at, what is changed, the sentence that the operator reads)
WRONG: list[tuple[str, dict[str, str], str]] = [
    ("local", {"Network": "base"}, "Network must be a comma-separated list of CAIP-2 networks"),
    ("local", {"Network": ""}, "Network must be a comma-separated list of CAIP-2 networks"),
    ("local", {"Network": "eip155:10"}, "Network names a network that Tollgate does not know"),
    ("prod", {"Network": "eip155:1"}, "ethereum (eip155:1) has a block every 12 s"),
    ("test", {"Network": "eip155:72344"}, "radius-testnet (eip155:72344) has no asset with EIP-3009"),
    ("local", {"Network": "eip155:84532,eip155:8453"}, "Network mixes a main network with a test network"),
    ("prod", {"Network": "eip155:8453,eip155:84532"}, "Network mixes a main network with a test network"),
    ("local", {"Network": "eip155:8453"}, "eip155:8453 (base) moves real money and needs Stage prod."),
    ("test", {"Network": "eip155:8453"}, "eip155:8453 (base) moves real money and needs Stage prod."),
    ("prod", {"Network": "eip155:84532"}, "Stage prod would serve buyers for worthless test tokens"),
    ("test", {"Network": "eip155:31337"}, "eip155:31337 is a chain on this machine and needs Stage local."),
    ("test", {"AllowPrivateUpstreams": "true"}, "would let a route reach addresses inside the account"),
    ("prod", {"AllowPrivateUpstreams": "true"}, "would let a route reach addresses inside the account"),
    ("local", {"Asset": "usdc"}, "Asset must be USDC, USDT0, USDC.e, USDT, USAT or a 0x address of"),
    ("local", {"Asset": "0x1234"}, "or a 0x address of 40 hexadecimal digits."),
    ("local", {"PayTo": "seller.eth"}, "PayTo must be a 0x address of 40 hexadecimal digits"),
    ("local", {"PayTo": "0x" + "0" * 40}, "and not the zero address."),
    ("local", {"RpcSecretName": "https://base.example/v2/key"}, "never an RPC URL."),
    ("local", {"RpcSecretName": "base.example/v2/key"}, "never an RPC URL."),
    ("local", {"PublicBaseUrl": "http://api.example.com"}, "PublicBaseUrl must be empty or an https URL"),
    ("local", {"PublicBaseUrl": "https://api.example.com/"}, "without a trailing slash"),
    ("local", {"MaxFeeGwei": "0.00"}, "MaxFeeGwei must be a decimal number of gwei above 0"),
    ("local", {"MaxFeeGwei": "1e9"}, "MaxFeeGwei must be a decimal number of gwei above 0"),
    ("local", {"ExtraRelayerKeyArns": "alias/mine"}, "a comma-separated list of KMS key ARNs"),
    ("local", {"ProxyConcurrency": "-1"}, "ProxyConcurrency must be a whole number from 0 (reserve none)"),
    ("local", {"SettleConcurrency": "-1"}, "SettleConcurrency must be a whole number from 0 (reserve none)"),
    ("local", {"UpstreamSecretPrefix": "tollgate"}, "and end with a slash."),
    ("local", {"UpstreamFunctionArns": "report"}, "of ARNs of Lambda functions."),
    ("local", {"UpstreamFunctionArns": FUNCTIONS + "*"}, "without spaces and wildcards"),
    ("local", {"ThrottleRate": "0"}, "ThrottleRate must be a number of requests per second"),
    ("local", {"ThrottleBurst": "0"}, "ThrottleBurst must be a number of requests from 1 to 5000."),
    ("test", {"RateLimitPerAddress": "9"}, "RateLimitPerAddress must be 0 (no WAF) or a number of requests from 10"),
    (
        "test",
        {"RateLimitPerAddress": "100", "PublicBaseUrl": "https://api.example.com"},
        "RateLimitPerAddress needs FrontCertificateArn",
    ),
    ("test", {"FrontCertificateArn": CERTIFICATE}, "FrontCertificateArn is for the host of PublicBaseUrl"),
    ("test", {"FrontCertificateArn": "mine"}, "the ARN of a certificate of ACM in us-east-1"),
    (
        "local",
        {"AlarmTopicArn": "ops@example.com"},
        "AlarmTopicArn must be empty or the ARN of an SNS topic.",
    ),
]


@pytest.mark.parametrize("stage", RIGHT)
def test_right_parameters_are_accepted_at_every_stage(stacks: Stacks, stage: str) -> None:
    """The refusals below are not refusals of everything."""
    planned = stacks.plan(ALWAYS | RIGHT[stage])
    assert {"ProxyFunction", "SettleFunction", "ReconcileFunction", "RelayerKey"} <= set(planned)


def test_all_optional_parameters_are_accepted_together(stacks: Stacks) -> None:
    """Patterns accept what they are for."""
    stacks.plan(
        ALWAYS
        | RIGHT["test"]
        | {
            "Asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
            "PublicBaseUrl": "https://api.example.com:8443/v1",
            "MaxFeeGwei": "0.05",
            "ExtraRelayerKeyArns": KEYS,
            "ProxyConcurrency": "50",
            "SettleConcurrency": "50",
            "SourceAddressResends": "false",
            "RateLimitPerAddress": "1000",
            "FrontCertificateArn": CERTIFICATE,
            "UpstreamSecretPrefix": "shop/upstream/",
            "UpstreamFunctionArns": FUNCTIONS,
            "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:operators",
        }
    )


@pytest.mark.parametrize(
    ("stage", "change", "sentence"), WRONG, ids=[f"{stage}-{change}" for stage, change, _ in WRONG]
)
def test_a110_a_wrong_parameter_stops_the_deployment_with_a_sentence(
    stacks: Stacks, stage: str, change: dict[str, str], sentence: str
) -> None:
    """No stack, and the operator reads what to change."""
    with pytest.raises(ClientError) as refused:
        stacks.plan(ALWAYS | RIGHT[stage] | change)
    assert sentence in refused.value.response["Error"]["Message"]


@pytest.mark.parametrize("name", ["Stage", "Network", "Asset", "PayTo", "RpcSecretName"])
def test_a110_what_decides_about_money_must_be_said(stacks: Stacks, name: str) -> None:
    """Left out, there is no deployment: nothing falls back to a test network or to nobody's address."""
    parameters = ALWAYS | RIGHT["test"]
    del parameters[name]
    with pytest.raises(ClientError, match=name):
        stacks.plan(parameters)


@pytest.mark.parametrize("stage", ["prod", "test"])
def test_deleting_a_stack_leaves_the_ledgers_and_the_key_in_prod_only(stacks: Stacks, stage: str) -> None:
    """Money's records outlive a mistake; what local and test leave behind is nothing."""
    stack_id, outputs = stacks.create(ALWAYS | RIGHT[stage])
    dynamodb, kms = client("dynamodb", stacks.endpoint), client("kms", stacks.endpoint)
    names = {outputs[f"{table}TableName"] for table in ("Payments", "Settlements", "Routes")}
    kept = stage == "prod"
    for name in names:
        assert dynamodb.describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"] is kept
    stacks.delete(stack_id)
    assert names & set(dynamodb.list_tables()["TableNames"]) == (names if kept else set())
    state = kms.describe_key(KeyId=outputs["RelayerKeyId"])["KeyMetadata"]["KeyState"]
    assert state == ("Enabled" if kept else "PendingDeletion")


def test_further_relayer_keys_reach_the_function_and_its_role(stacks: Stacks) -> None:
    """The stack's own key first, then the operator's, each signable by settle."""
    _, outputs = stacks.create(ALWAYS | RIGHT["test"] | {"ExtraRelayerKeyArns": KEYS})
    own = client("kms", stacks.endpoint).describe_key(KeyId=outputs["RelayerKeyId"])["KeyMetadata"]["Arn"]
    settle = client("lambda", stacks.endpoint).get_function_configuration(FunctionName=outputs["SettleFunctionName"])
    assert settle["Environment"]["Variables"]["TOLLGATE_RELAYER_KEYS"] == f"{own},{KEYS}"
    policy = client("iam", stacks.endpoint).get_role_policy(
        RoleName=settle["Role"].rsplit("/", 1)[1], PolicyName="settle"
    )["PolicyDocument"]
    signable = {
        arn
        for statement in policy["Statement"]
        if "kms:Sign" in statement["Action"]
        for arn in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
    }
    assert signable == {own, *KEYS.split(",")}


@pytest.mark.parametrize("functions", ["", FUNCTIONS])
def test_a109_the_proxy_may_invoke_the_functions_that_are_named_and_settle(stacks: Stacks, functions: str) -> None:
    """Without any named, settle alone."""
    _, outputs = stacks.create(ALWAYS | RIGHT["test"] | {"UpstreamFunctionArns": functions})
    lambdas = client("lambda", stacks.endpoint)
    role, settle = (
        lambdas.get_function_configuration(FunctionName=outputs[f"{name}FunctionName"]) for name in ("Proxy", "Settle")
    )
    policy = client("iam", stacks.endpoint).get_role_policy(
        RoleName=role["Role"].rsplit("/", 1)[1], PolicyName="proxy"
    )["PolicyDocument"]
    invocable = [
        arn
        for statement in policy["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
        for arn in listed(statement["Resource"])
    ]
    assert invocable == [settle["FunctionArn"], *filter(None, functions.split(","))]
