"""What the functions are told, how they are built, and what never stands in plain text."""

import json
from typing import Any

import pytest

from tests.template.cfn import ROOT, environment, of_type

SHARED = {
    "TOLLGATE_STAGE": {"Ref": "Stage"},
    "TOLLGATE_NETWORKS": {"Fn::Join": [",", {"Ref": "Network"}]},
    "TOLLGATE_SETTLEMENT_DEPTH": {"Ref": "SettlementDepth"},
    "TOLLGATE_ASSET": {"Ref": "Asset"},
    "TOLLGATE_RPC_SECRET": {"Ref": "RpcSecretName"},
    # Two stacks of an account must not ring for each other.
    "POWERTOOLS_METRICS_NAMESPACE": {"Fn::Sub": "Tollgate/${AWS::StackName}"},
    "POWERTOOLS_TRACER_CAPTURE_RESPONSE": "false",
    "POWERTOOLS_TRACER_CAPTURE_ERROR": "false",
    "POWERTOOLS_LOGGER_LOG_EVENT": "false",
    "LOG_LEVEL": "INFO",
}
LEDGER = {
    "TOLLGATE_PAYMENTS_TABLE": {"Ref": "PaymentsTable"},
    "TOLLGATE_ROUTES_TABLE": {"Ref": "RoutesTable"},
    "TOLLGATE_SETTLE_FUNCTION": {"Ref": "SettleFunction"},
    "TOLLGATE_SETTLE_TIMEOUT": "20",
    "TOLLGATE_FACILITATOR_URL": {"Ref": "FacilitatorUrl"},
    "TOLLGATE_FACILITATOR_SECRET": {"Ref": "FacilitatorSecretName"},
}
ROUTES = {"TOLLGATE_ROUTES_TABLE": {"Ref": "RoutesTable"}}
SELLERS = {"TOLLGATE_SELLERS_TABLE": {"Ref": "SellersTable"}}
FRONT = {"Fn::Sub": "https://${FrontDistribution.DomainName}"}
BASE_URL = {
    "TOLLGATE_PUBLIC_BASE_URL": {
        "Fn::If": [
            "HasPublicBaseUrl",
            {"Ref": "PublicBaseUrl"},
            {"Fn::If": ["HasFront", FRONT, {"Fn::GetAtt": ["HttpApi", "ApiEndpoint"]}]},
        ]
    }
}
QUOTE_KEY = {"TOLLGATE_QUOTE_KEY_SECRET": {"Fn::If": ["HasUpstreamFunctions", {"Ref": "QuoteKey"}, ""]}}
RELAYER = {"Fn::GetAtt": ["RelayerKey", "Arn"]}
VARIABLES: dict[str, dict[str, Any]] = {
    "ProxyFunction": {
        **SHARED,
        **LEDGER,
        "POWERTOOLS_SERVICE_NAME": "proxy",
        **BASE_URL,
        "TOLLGATE_ANSWERS_BUCKET": {"Ref": "AnswersBucket"},
        "TOLLGATE_ALLOW_PRIVATE_UPSTREAMS": {"Ref": "AllowPrivateUpstreams"},
        "TOLLGATE_SOURCE_ADDRESS_RESENDS": {"Fn::If": ["HasFront", "false", {"Ref": "SourceAddressResends"}]},
        "TOLLGATE_MAX_OPEN_PER_PAYER": {"Ref": "MaxOpenPerPayer"},
        **QUOTE_KEY,
    },
    "ChallengeFunction": {**SHARED, **ROUTES, **BASE_URL, **QUOTE_KEY, "POWERTOOLS_SERVICE_NAME": "challenge"},
    "DiscoveryFunction": {
        **SHARED,
        **ROUTES,
        **BASE_URL,
        "POWERTOOLS_SERVICE_NAME": "discovery",
        "TOLLGATE_FACILITATOR_URL": {"Ref": "FacilitatorUrl"},
    },
    "VerifyFunction": {**SHARED, **SELLERS, "POWERTOOLS_SERVICE_NAME": "verify"},
    "SupportedFunction": {
        **SHARED,
        **ROUTES,
        "POWERTOOLS_SERVICE_NAME": "supported",
        "TOLLGATE_FACILITATOR_URL": {"Ref": "FacilitatorUrl"},
    },
    "AdminFunction": {
        **SHARED,
        **ROUTES,
        **BASE_URL,
        "POWERTOOLS_SERVICE_NAME": "admin",
        "TOLLGATE_ALLOW_PRIVATE_UPSTREAMS": {"Ref": "AllowPrivateUpstreams"},
        "TOLLGATE_UPSTREAM_SECRET_PREFIX": {"Ref": "UpstreamSecretPrefix"},
        "TOLLGATE_REGISTRATION_PATH": {"Ref": "RegistrationPath"},
    },
    "AuthorizerFunction": {
        **SHARED,
        **ROUTES,
        **BASE_URL,
        "POWERTOOLS_SERVICE_NAME": "authorizer",
        "TOLLGATE_PAYMENTS_TABLE": {"Ref": "PaymentsTable"},
        "TOLLGATE_SETTLE_FUNCTION": {"Ref": "SettleFunction"},
        "TOLLGATE_SETTLE_TIMEOUT": "20",
        "TOLLGATE_SOURCE_ADDRESS_RESENDS": {"Ref": "SourceAddressResends"},
        "TOLLGATE_MAX_OPEN_PER_PAYER": {"Ref": "MaxOpenPerPayer"},
        "TOLLGATE_FACILITATOR_URL": {"Ref": "FacilitatorUrl"},
        "TOLLGATE_FACILITATOR_SECRET": {"Ref": "FacilitatorSecretName"},
    },
    "RecordsFunction": {
        **SHARED,
        **BASE_URL,
        "POWERTOOLS_SERVICE_NAME": "records",
        "TOLLGATE_PAYMENTS_TABLE": {"Ref": "PaymentsTable"},
        "TOLLGATE_RECEIPT_KEY": {"Fn::GetAtt": ["ReceiptKey", "Arn"]},
    },
    "AnalyticsFunction": {
        **SHARED,
        **BASE_URL,
        "POWERTOOLS_SERVICE_NAME": "analytics",
        "TOLLGATE_ANALYTICS_TABLE": {"Ref": "AnalyticsTable"},
    },
    "PublisherFunction": {
        **SHARED,
        "POWERTOOLS_SERVICE_NAME": "publisher",
        "TOLLGATE_EVENT_BUS": {"Ref": "EventBus"},
    },
    "WebhooksFunction": {
        **SHARED,
        "POWERTOOLS_SERVICE_NAME": "webhooks",
        "TOLLGATE_WEBHOOK_QUEUE": {"Ref": "WebhookQueue"},
        "TOLLGATE_WEBHOOK_SECRET": {"Ref": "WebhookSecretName"},
        "TOLLGATE_ALLOW_PRIVATE_UPSTREAMS": {"Ref": "AllowPrivateUpstreams"},
    },
    "CounterFunction": {
        **SHARED,
        "POWERTOOLS_SERVICE_NAME": "counter",
        "TOLLGATE_ANALYTICS_TABLE": {"Ref": "AnalyticsTable"},
    },
    "SettleFunction": {
        **SHARED,
        **SELLERS,
        "POWERTOOLS_SERVICE_NAME": "settle",
        "TOLLGATE_SETTLEMENTS_TABLE": {"Ref": "SettlementsTable"},
        "TOLLGATE_RELAYER_KEYS": {
            "Fn::If": [
                "HasExtraRelayerKeys",
                {"Fn::Sub": "${RelayerKey.Arn},${ExtraRelayerKeyArns}"},
                RELAYER,
            ]
        },
        "TOLLGATE_MAX_FEE_GWEI": {"Ref": "MaxFeeGwei"},
        "TOLLGATE_REFUNDS": {"Ref": "Refunds"},
        "TOLLGATE_REFUND_PAY_TO": {"Ref": "PayTo"},
        "TOLLGATE_TREASURY_KEY": {"Fn::If": ["HasTreasuryKey", {"Ref": "TreasuryKeyArn"}, RELAYER]},
        "TOLLGATE_MAX_OPEN_PER_PAYER": {"Ref": "MaxOpenPerPayer"},
    },
    "OriginFunction": {
        **SHARED,
        "POWERTOOLS_SERVICE_NAME": "origin",
        "TOLLGATE_ORIGIN_SECRET": {"Ref": "OriginSecret"},
    },
    "ReconcileFunction": {
        **SHARED,
        **LEDGER,
        "POWERTOOLS_SERVICE_NAME": "reconcile",
        "TOLLGATE_REFUNDS": {"Ref": "Refunds"},
        "TOLLGATE_ALLOW_PRIVATE_UPSTREAMS": {"Ref": "AllowPrivateUpstreams"},
    },
}


def test_every_function_is_judged_here(template: dict[str, Any]) -> None:
    """A function that is added without a list of what it is told fails here."""
    assert set(of_type(template, "AWS::Serverless::Function")) == set(VARIABLES)


@pytest.mark.parametrize("function", VARIABLES)
def test_a_function_is_told_exactly_what_it_reads(template: dict[str, Any], function: str) -> None:
    """The functions' settings and the template cannot drift apart."""
    assert environment(template, function) == VARIABLES[function]


@pytest.mark.parametrize("function", VARIABLES)
def test_a104_traces_and_logs_capture_neither_answers_nor_errors_nor_events(
    template: dict[str, Any], function: str
) -> None:
    """Powertools would put signatures and paid bodies into traces and logs by default (rule 9)."""
    variables = environment(template, function)
    for switch in ("TRACER_CAPTURE_RESPONSE", "TRACER_CAPTURE_ERROR", "LOGGER_LOG_EVENT"):
        assert variables[f"POWERTOOLS_{switch}"] == "false"
    assert "POWERTOOLS_DEV" not in variables
    assert "POWERTOOLS_LOGGER_SAMPLE_RATE" not in variables, "sampled debug lines would hold events"


def test_a86_no_rpc_url_and_no_secret_stands_in_the_template(template: dict[str, Any]) -> None:
    """RPC URLs hold keys: the functions get a secret's name, and read it themselves."""
    text = json.dumps({key: template[key] for key in ("Globals", "Resources", "Outputs")})
    assert "https://" not in text.replace("https://${FrontDistribution.DomainName}", "")
    assert "http://" not in text
    # Resolved, it is plain text in the configuration. CloudFront knows no other way to send a header that is secret.
    header = "{{resolve:secretsmanager:${OriginSecret}}}"
    assert text.count(header) == 1
    assert "{{resolve:" not in text.replace(header, "")
    assert not [name for name in template["Parameters"] if "url" in name.lower() and "rpc" in name.lower()]


def test_functions_share_one_layer_built_for_their_runtime_and_processor(template: dict[str, Any]) -> None:
    """A function's architecture does not carry over to the layer: unsaid, its libraries would not load."""
    shared = template["Globals"]["Function"]
    assert shared["Runtime"] == {"Ref": "Runtime"}
    assert shared["Architectures"] == [{"Ref": "Architecture"}]
    assert shared["Layers"] == [{"Ref": "TollgateLayer"}]
    layer = template["Resources"]["TollgateLayer"]
    assert layer["Properties"]["ContentUri"] == "layers/tollgate"
    assert layer["Properties"]["CompatibleRuntimes"] == [{"Ref": "Runtime"}]
    assert layer["Properties"]["CompatibleArchitectures"] == [{"Ref": "Architecture"}]
    assert layer["Metadata"] == {
        "BuildMethod": {"Ref": "Runtime"},
        "BuildArchitecture": {"Ref": "Architecture"},
    }
    for name, function in of_type(template, "AWS::Serverless::Function").items():
        assert not {"Runtime", "Architectures", "Layers", "Handler"} & set(function["Properties"]), name


def test_functions_are_traced_and_live_in_their_own_folder(template: dict[str, Any]) -> None:
    """functions/<name>/app.py with handler(event, context)."""
    shared = template["Globals"]["Function"]
    assert shared["Tracing"] == "Active"
    assert shared["Handler"] == "app.handler"
    folders = {
        name: function["Properties"]["CodeUri"]
        for name, function in of_type(template, "AWS::Serverless::Function").items()
    }
    assert folders == {
        f"{path.parent.name.capitalize()}Function": f"functions/{path.parent.name}"
        for path in ROOT.glob("functions/*/app.py")
    }
