"""Every role may do what its function does, on the resources it does it to, and nothing else."""

from typing import Any, get_args

import pytest

from tests.template.cfn import listed, of_type, statements
from tollgate.ledger.dynamo import Write

PAYMENTS = {"Fn::GetAtt": ["PaymentsTable", "Arn"]}
SETTLEMENTS = {"Fn::GetAtt": ["SettlementsTable", "Arn"]}
ROUTES = {"Fn::GetAtt": ["RoutesTable", "Arn"]}
SELLERS = {"Fn::GetAtt": ["SellersTable", "Arn"]}
ANSWERS = {"Fn::Sub": "${AnswersBucket.Arn}/*"}
SETTLE = {"Fn::GetAtt": ["SettleFunction", "Arn"]}
RECONCILE = {"Fn::GetAtt": ["ReconcileFunction", "Arn"]}
RECEIPT_KEY = {"Fn::GetAtt": ["ReceiptKey", "Arn"]}
ANALYTICS = {"Fn::GetAtt": ["AnalyticsTable", "Arn"]}
STREAM = {"Fn::GetAtt": ["PaymentsTable", "StreamArn"]}
EVENT_BUS = {"Fn::GetAtt": ["EventBus", "Arn"]}
STREAM_FAILURES = {"Fn::GetAtt": ["StreamFailures", "Arn"]}
# What Lambda does under the role of a function that a stream is mapped to.
READ_STREAM = [
    *[(f"dynamodb:{action}", STREAM) for action in ("DescribeStream", "GetRecords", "GetShardIterator")],
    ("dynamodb:ListStreams", {"Fn::Sub": "${PaymentsTable.Arn}/stream/*"}),
    ("sqs:SendMessage", STREAM_FAILURES),
]
RELAYER = {"Fn::GetAtt": ["RelayerKey", "Arn"]}
MORE_RELAYERS = {"Fn::Split": [",", {"Ref": "ExtraRelayerKeyArns"}]}
UPSTREAM_FUNCTIONS = {"Fn::Split": [",", {"Ref": "UpstreamFunctionArns"}]}
TREASURY = {"Ref": "TreasuryKeyArn"}
DEAD_LETTERS = {"Fn::GetAtt": ["DeadLetters", "Arn"]}
_SECRET = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
# Secrets Manager ends each ARN with six characters that nobody can choose or foresee.
RPC_SECRET = {"Fn::Sub": _SECRET + "${RpcSecretName}-??????"}
UPSTREAM_SECRETS = {"Fn::Sub": _SECRET + "${UpstreamSecretPrefix}*"}
QUOTE_KEY = {"Ref": "QuoteKey"}
WEBHOOK_SECRET = {"Fn::Sub": _SECRET + "${WebhookSecretName}-??????"}
WEBHOOK_QUEUE = {"Fn::GetAtt": ["WebhookQueue", "Arn"]}
FACILITATOR_SECRET = {"Fn::Sub": _SECRET + "${FacilitatorSecretName}-??????"}
# X-Ray's two actions name no resource; AWS requires "*" for them.
TRACES = [("xray:PutTelemetryRecords", "*"), ("xray:PutTraceSegments", "*")]
# Each kind of write that the ledgers know needs its own permission, inside a transaction too.
WRITES = [f"{kind.__name__}Item" for kind in get_args(Write)]
HISTORY = ["by_payer", "by_owner", "by_transaction"]
READS = ["BatchGetItem", "GetItem"]


def _logs(group: str) -> list[tuple[str, Any]]:
    arn = {"Fn::GetAtt": [group, "Arn"]}
    return [("logs:CreateLogStream", arn), ("logs:PutLogEvents", arn)]


ALLOWED: dict[str, list[tuple[str, Any]]] = {
    "OriginRole": [
        *_logs("OriginLogs"),
        ("secretsmanager:GetSecretValue", {"Ref": "OriginSecret"}),
        *TRACES,
    ],
    "ProxyRole": [
        *[(f"dynamodb:{action}", PAYMENTS) for action in [*READS, *WRITES, "ConditionCheckItem"]],
        ("s3:GetObject", ANSWERS),
        ("s3:PutObject", ANSWERS),
        ("s3:ListBucket", {"Fn::GetAtt": ["AnswersBucket", "Arn"]}),
        ("dynamodb:BatchGetItem", ROUTES),
        ("lambda:InvokeFunction", SETTLE),
        ("lambda:InvokeFunction", UPSTREAM_FUNCTIONS),
        ("secretsmanager:GetSecretValue", QUOTE_KEY),
        ("secretsmanager:GetSecretValue", RPC_SECRET),
        ("secretsmanager:GetSecretValue", UPSTREAM_SECRETS),
        ("secretsmanager:GetSecretValue", FACILITATOR_SECRET),
        *_logs("ProxyLogs"),
        *TRACES,
    ],
    # No upstream, no secret of one, no answers, no key.
    "AuthorizerRole": [
        *[(f"dynamodb:{action}", PAYMENTS) for action in [*READS, *WRITES, "ConditionCheckItem"]],
        ("dynamodb:BatchGetItem", ROUTES),
        ("lambda:InvokeFunction", SETTLE),
        ("secretsmanager:GetSecretValue", RPC_SECRET),
        ("secretsmanager:GetSecretValue", FACILITATOR_SECRET),
        *_logs("AuthorizerLogs"),
        *TRACES,
    ],
    "ChallengeRole": [
        ("dynamodb:BatchGetItem", ROUTES),
        # What a route costs may be a function's to say.
        ("lambda:InvokeFunction", UPSTREAM_FUNCTIONS),
        ("secretsmanager:GetSecretValue", QUOTE_KEY),
        *_logs("ChallengeLogs"),
        *TRACES,
    ],
    "DiscoveryRole": [("dynamodb:BatchGetItem", ROUTES), *_logs("DiscoveryLogs"), *TRACES],
    "VerifyRole": [
        ("dynamodb:GetItem", SELLERS),
        ("secretsmanager:GetSecretValue", RPC_SECRET),
        *_logs("VerifyLogs"),
        *TRACES,
    ],
    "SupportedRole": [("dynamodb:BatchGetItem", ROUTES), *_logs("SupportedLogs"), *TRACES],
    "AdminRole": [
        *[(f"dynamodb:{action}", ROUTES) for action in [*READS, "PutItem"]],
        *_logs("AdminLogs"),
        *TRACES,
    ],
    "RecordsRole": [
        *[(f"dynamodb:{action}", PAYMENTS) for action in READS],
        *[("dynamodb:Query", {"Fn::Sub": f"${{PaymentsTable.Arn}}/index/{index}"}) for index in HISTORY],
        ("kms:GetPublicKey", RECEIPT_KEY),
        ("kms:Sign", RECEIPT_KEY),
        ("secretsmanager:GetSecretValue", RPC_SECRET),
        *_logs("RecordsLogs"),
        *TRACES,
    ],
    "AnalyticsRole": [
        ("cloudwatch:GetMetricData", "*"),
        ("dynamodb:BatchGetItem", ANALYTICS),
        ("dynamodb:Query", {"Fn::Sub": "${AnalyticsTable.Arn}/index/work"}),
        *_logs("AnalyticsLogs"),
        *TRACES,
    ],
    "PublisherRole": [*READ_STREAM, ("events:PutEvents", EVENT_BUS), *_logs("PublisherLogs"), *TRACES],
    "WebhooksRole": [
        *[
            (f"sqs:{action}", WEBHOOK_QUEUE)
            for action in ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
        ],
        ("secretsmanager:GetSecretValue", WEBHOOK_SECRET),
        *_logs("WebhooksLogs"),
        *TRACES,
    ],
    "CounterRole": [
        *READ_STREAM,
        ("dynamodb:BatchGetItem", ANALYTICS),
        ("dynamodb:UpdateItem", ANALYTICS),
        *_logs("CounterLogs"),
        *TRACES,
    ],
    "SettleRole": [
        # It deletes only what it never signed: a stranger's settlement whose block is gone.
        *[(f"dynamodb:{action}", SETTLEMENTS) for action in READS + WRITES],
        ("dynamodb:GetItem", SELLERS),
        ("kms:GetPublicKey", RELAYER),
        ("kms:Sign", RELAYER),
        ("kms:GetPublicKey", MORE_RELAYERS),
        ("kms:Sign", MORE_RELAYERS),
        ("kms:GetPublicKey", TREASURY),
        ("kms:Sign", TREASURY),
        ("secretsmanager:GetSecretValue", RPC_SECRET),
        *_logs("SettleLogs"),
        *TRACES,
    ],
    "ReconcileRole": [
        *[(f"dynamodb:{action}", PAYMENTS) for action in READS + WRITES],
        ("dynamodb:Query", {"Fn::Sub": "${PaymentsTable.Arn}/index/work"}),
        ("dynamodb:BatchGetItem", ROUTES),
        ("dynamodb:PutItem", ROUTES),
        ("lambda:InvokeFunction", SETTLE),
        ("secretsmanager:GetSecretValue", RPC_SECRET),
        ("secretsmanager:GetSecretValue", FACILITATOR_SECRET),
        ("sqs:SendMessage", DEAD_LETTERS),
        *_logs("ReconcileLogs"),
        *TRACES,
    ],
    "ScheduleRole": [
        ("lambda:InvokeFunction", RECONCILE),
        ("sqs:SendMessage", DEAD_LETTERS),
    ],
}


def _flat(allowed: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [
        (action, resource)
        for statement in allowed
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def _sorted(pairs: list[tuple[str, Any]]) -> list[str]:
    return sorted(f"{action} on {resource}" for action, resource in pairs)


def test_every_role_of_the_template_is_judged_here(template: dict[str, Any]) -> None:
    """A role that is added without a list of what it may do fails here."""
    assert set(of_type(template, "AWS::IAM::Role")) == set(ALLOWED)


@pytest.mark.parametrize("role", ALLOWED)
def test_a109_a_role_may_do_exactly_what_is_listed(template: dict[str, Any], role: str) -> None:
    """No action more, none less, and each on the one resource it is for."""
    found = statements(template, role)
    assert {statement["Effect"] for statement in found} == {"Allow"}
    assert _sorted(_flat(found)) == _sorted(ALLOWED[role])


def test_no_role_has_a_managed_policy_or_a_boundary_around_the_list(template: dict[str, Any]) -> None:
    """Everything that a role may do is written in the template."""
    for role in of_type(template, "AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]
    for function in of_type(template, "AWS::Serverless::Function").values():
        assert not {"Policies", "Connectors"} & (set(function["Properties"]) | set(function))
    assert not of_type(template, "AWS::IAM::ManagedPolicy")


def test_star_resources_are_only_those_that_aws_requires(template: dict[str, Any]) -> None:
    """``*`` stands for X-Ray and for reading metrics, which name no resource, and nowhere else in a role."""
    starred = {action for role in ALLOWED for action, resource in _flat(statements(template, role)) if resource == "*"}
    assert starred == {"xray:PutTelemetryRecords", "xray:PutTraceSegments", "cloudwatch:GetMetricData"}


def test_a109_only_the_proxy_and_challenge_may_invoke_a_sellers_function_and_read_the_quote_key(
    template: dict[str, Any],
) -> None:
    """What is sold, and what says prices; whoever reads the key could name a price."""
    for role in ALLOWED:
        allowed = _flat(statements(template, role))
        for wanted in (UPSTREAM_FUNCTIONS, QUOTE_KEY):
            assert len([1 for _, resource in allowed if resource == wanted]) == (role in ("ProxyRole", "ChallengeRole"))
    conditional = [
        statement["Fn::If"]
        for policy in ("ProxyPolicy", "ChallengePolicy")
        for statement in template["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]
        if "Fn::If" in statement and statement["Fn::If"][0] == "HasUpstreamFunctions"
    ]
    assert [chosen[2] for chosen in conditional] == [{"Ref": "AWS::NoValue"}] * 4
    assert template["Resources"]["QuoteKey"]["Condition"] == "HasUpstreamFunctions"
    empty = {"Fn::Equals": [{"Ref": "UpstreamFunctionArns"}, ""]}
    assert template["Conditions"]["HasUpstreamFunctions"] == {"Fn::Not": [empty]}


def test_a109_what_reads_the_stream_can_touch_no_payment(template: dict[str, Any]) -> None:
    """The stream says all that the table says; its readers are few, and write neither the table nor money."""
    readers = {role for role in ALLOWED for _, resource in _flat(statements(template, role)) if resource == STREAM}
    assert readers == {"CounterRole", "PublisherRole"}
    for role in readers:
        named = [(action, resource) for action, resource in _flat(statements(template, role))]
        assert PAYMENTS not in [resource for _, resource in named]
        assert not [action for action, _ in named if action.startswith(("kms:", "lambda:", "secretsmanager:"))]


def test_reconcile_cannot_write_the_catalogue(template: dict[str, Any]) -> None:
    """Its writes to the routes table are bound to what it sees of networks and upstreams: it never sets a price."""
    writes = [
        statement
        for statement in statements(template, "ReconcileRole")
        if statement["Resource"] == ROUTES and "dynamodb:PutItem" in listed(statement["Action"])
    ]
    (only,) = writes
    assert only["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["NETWORK#*", "HEALTH"]}}


def test_a109_only_settle_may_sign(template: dict[str, Any]) -> None:
    """No other role has any KMS action, but records with a key of its own that owns nothing: it signs receipts."""
    signers = {
        (role, action, str(resource))
        for role in ALLOWED
        for action, resource in _flat(statements(template, role))
        if action.startswith("kms:") and role != "SettleRole"
    }
    assert signers == {("RecordsRole", f"kms:{action}", str(RECEIPT_KEY)) for action in ("GetPublicKey", "Sign")}
    relayers = {str(key) for key in (RELAYER, MORE_RELAYERS, TREASURY)}
    settle = {str(resource) for action, resource in ALLOWED["SettleRole"] if action.startswith("kms:")}
    assert settle == relayers


def test_a109_admin_writes_routes_and_not_what_is_known_of_the_networks(template: dict[str, Any]) -> None:
    """Whether a network has gas is reconcile's to say."""
    keys = [s["Condition"] for s in statements(template, "AdminRole") if "Condition" in s]
    assert keys == [{"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["CATALOGUE", "CHANGE#*", "OWNER#*"]}}]


def test_a102_records_reads_payments_and_nothing_else_of_their_table(template: dict[str, Any]) -> None:
    """No answer, no link's token, no payer's row: bound to the payments' own keys."""
    (only,) = [s for s in statements(template, "RecordsRole") if s["Resource"] == PAYMENTS]
    assert only["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["PAY#*"]}}


@pytest.mark.parametrize(("key", "role"), [("RelayerKey", "SettleRole"), ("ReceiptKey", "RecordsRole")])
def test_a68_the_key_lets_administrators_manage_it_but_not_sign_with_it(
    template: dict[str, Any], key: str, role: str
) -> None:
    """The key's own policy names kms:Sign once, for its one role, over digests; no IAM policy can add it."""
    policy = template["Resources"][key]["Properties"]["KeyPolicy"]
    by_sid = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert set(by_sid) == {"Manage", "Sign", "ReadPublicKey"}
    settle = {"AWS": {"Fn::GetAtt": [role, "Arn"]}}
    assert by_sid["Sign"]["Principal"] == settle
    assert by_sid["Sign"]["Action"] == "kms:Sign"
    assert by_sid["Sign"]["Condition"] == {
        "StringEquals": {"kms:MessageType": "DIGEST", "kms:SigningAlgorithm": "ECDSA_SHA_256"}
    }
    assert by_sid["ReadPublicKey"]["Principal"] == settle
    assert by_sid["ReadPublicKey"]["Action"] == "kms:GetPublicKey"
    manage = by_sid["Manage"]
    assert manage["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    assert "kms:PutKeyPolicy" in manage["Action"], "a key that nobody can manage cannot be rescued"
    assert not [a for a in manage["Action"] if "*" in a or a in ("kms:Sign", "kms:CreateGrant")]


def test_each_function_runs_as_its_own_role(template: dict[str, Any]) -> None:
    """Nothing that one function may do reaches another through a shared role."""
    functions = of_type(template, "AWS::Serverless::Function")
    roles = {name: f["Properties"]["Role"]["Fn::GetAtt"] for name, f in functions.items()}
    assert roles == {name: [name.replace("Function", "Role"), "Arn"] for name in functions}
    for name, function in functions.items():
        policy = function["DependsOn"]
        assert policy == name.replace("Function", "Policy"), "a function must not start before it may work"


def test_roles_are_assumed_by_their_service_only(template: dict[str, Any]) -> None:
    """Functions by Lambda; the schedule's by Scheduler, for this account."""
    for name, role in of_type(template, "AWS::IAM::Role").items():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        service = "scheduler.amazonaws.com" if name == "ScheduleRole" else "lambda.amazonaws.com"
        assert statement["Principal"] == {"Service": service}
        assert statement["Action"] == "sts:AssumeRole"
    schedule = template["Resources"]["ScheduleRole"]["Properties"]["AssumeRolePolicyDocument"]
    assert schedule["Statement"][0]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_api_gateway_reaches_each_function_by_its_own_routes_only(template: dict[str, Any]) -> None:
    """Settle over HTTP by one path, reconcile by none: no path of a seller's leads to another function."""
    allowed: dict[str, list[str]] = {}
    for permission in of_type(template, "AWS::Lambda::Permission").values():
        properties = permission["Properties"]
        assert properties["Action"] == "lambda:InvokeFunction"
        assert properties["Principal"] == "apigateway.amazonaws.com"
        arn = properties["SourceArn"]["Fn::Sub"]
        stem = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${HttpApi}"
        assert arn.startswith(stem)
        allowed.setdefault(properties["FunctionName"]["Ref"], []).append(arn.removeprefix(stem))
    assert allowed == {
        "ProxyFunction": ["/*/$default"],
        "ChallengeFunction": ["/*/*/x402/challenge"],
        "DiscoveryFunction": [
            "/*/*/x402/config",
            "/*/*/.well-known/x402",
            "/*/*/discovery/resources",
            "/*/*/discovery/search",
        ],
        "VerifyFunction": ["/*/*/x402/facilitator/verify"],
        "SettleFunction": ["/*/*/x402/facilitator/settle"],
        "SupportedFunction": ["/*/*/x402/facilitator/supported", "/*/*/x402/facilitator/openapi.json"],
        "AdminFunction": ["/*/*/x402/admin/*"],
        "RecordsFunction": ["/*/*/x402/payments", "/*/*/x402/payments/*", "/*/*/x402/receipts/*", "/*/*/x402/did.json"],
        "OriginFunction": ["/authorizers/${OriginAuthorizer}"],
        "AnalyticsFunction": ["/*/*/x402/analytics"],
    }


def test_no_function_has_a_front_door_of_its_own(template: dict[str, Any]) -> None:
    """No URL, no event that SAM would turn into a route and a permission."""
    assert not of_type(template, "AWS::Lambda::Url")
    for function in of_type(template, "AWS::Serverless::Function").values():
        assert not {"Events", "FunctionUrlConfig"} & set(function["Properties"])


def test_verify_challenge_discovery_supported_and_records_write_nothing(template: dict[str, Any]) -> None:
    """Read-only by their roles, whatever their code does."""
    for role in ("VerifyRole", "ChallengeRole", "DiscoveryRole", "SupportedRole", "RecordsRole"):
        verbs = {action.split(":")[1] for action, _ in _flat(statements(template, role)) if "dynamodb" in action}
        assert verbs <= {"BatchGetItem", "GetItem", "Query"}
