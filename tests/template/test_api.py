"""The API in front of the proxy: CORS, throttling, logs without headers, no cache, nested timeouts."""

import json
import re
from typing import Any

from tests.template.cfn import of_type
from tollgate.facilitator.verdicts import RPC_SECONDS
from tollgate.gateway.examine import RPC_TIMEOUT_SECONDS

API_LIMIT_SECONDS = 30  # of an HTTP API's integration; it cannot be raised
FACILITATOR_SECONDS = 25  # official clients lose the reason of any answer but 200
INVOKE_MARGIN_SECONDS = 1  # rule 12: the caller waits for the callee's limit plus this

FRONT_OR_API = {
    "Fn::If": [
        "HasFront",
        {"Fn::Sub": "https://${FrontDistribution.DomainName}"},
        {"Fn::GetAtt": ["HttpApi", "ApiEndpoint"]},
    ]
}


def test_a31_cors_names_the_payment_headers_and_nothing_by_wildcard(template: dict[str, Any]) -> None:
    """A browser may send the payment and read the offer and the receipt; no cookies, no credentials."""
    cors = template["Resources"]["HttpApi"]["Properties"]["CorsConfiguration"]
    assert cors["AllowHeaders"] == [
        "PAYMENT-SIGNATURE",
        "X-PAYMENT",
        "SIGN-IN-WITH-X",
        "Access-Control-Expose-Headers",
        "Content-Type",
        # Of owners, who change their routes from a page with their wallet.
        "If-Match",
    ]
    assert cors["ExposeHeaders"] == ["PAYMENT-REQUIRED", "PAYMENT-RESPONSE", "X-PAYMENT-RESPONSE"]
    assert cors["AllowOrigins"] == ["*"]
    assert cors["AllowMethods"] == ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    assert "AllowCredentials" not in cors


def test_every_request_reaches_its_function_in_payload_format_2(template: dict[str, Any]) -> None:
    """Our own endpoints by name, with any method; all else by $default: the proxy matches paths itself (rule 8)."""
    resources = template["Resources"]
    reached = {}
    for route in of_type(template, "AWS::ApiGatewayV2::Route").values():
        target = route["Properties"]["Target"]["Fn::Sub"].removeprefix("integrations/${").removesuffix("}")
        integration = resources[target]["Properties"]
        assert integration["IntegrationType"] == "AWS_PROXY"
        assert integration["PayloadFormatVersion"] == "2.0"
        reached[route["Properties"]["RouteKey"]] = integration["IntegrationUri"]["Fn::GetAtt"][0]
    assert reached == {
        "ANY /x402/challenge": "ChallengeFunction",
        "ANY /x402/config": "DiscoveryFunction",
        "ANY /.well-known/x402": "DiscoveryFunction",
        "ANY /discovery/resources": "DiscoveryFunction",
        "ANY /discovery/search": "DiscoveryFunction",
        "ANY /x402/facilitator/verify": "VerifyFunction",
        "ANY /x402/facilitator/settle": "SettleFunction",
        "ANY /x402/facilitator/supported": "SupportedFunction",
        "ANY /x402/facilitator/openapi.json": "SupportedFunction",
        "ANY /x402/payments": "RecordsFunction",
        "ANY /x402/payments/{id}": "RecordsFunction",
        "ANY /x402/receipts/{transaction}": "RecordsFunction",
        "ANY /x402/did.json": "RecordsFunction",
        "ANY /x402/admin/routes": "AdminFunction",
        "ANY /x402/admin/routes/{id}": "AdminFunction",
        "ANY /x402/admin/routes/{id}/versions": "AdminFunction",
        "ANY /x402/admin/changes": "AdminFunction",
        "ANY /x402/admin/openapi.json": "AdminFunction",
        "ANY /x402/analytics": "AnalyticsFunction",
        "$default": "ProxyFunction",
    }
    (stage,) = of_type(template, "AWS::ApiGatewayV2::Stage").values()
    assert stage["Properties"]["StageName"] == "$default", "another stage's name would stand in the path"
    assert stage["Properties"]["AutoDeploy"] is True


def test_unpaid_traffic_is_throttled(template: dict[str, Any]) -> None:
    """Each 402 costs the seller; the stage has a rate and a burst, and no way to switch them off."""
    stage = template["Resources"]["ApiStage"]["Properties"]
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": {"Ref": "ThrottleRate"},
        "ThrottlingBurstLimit": {"Ref": "ThrottleBurst"},
    }
    for name in ("ThrottleRate", "ThrottleBurst", "FacilitatorThrottleRate", "FacilitatorThrottleBurst"):
        assert template["Parameters"][name]["MinValue"] >= 1
        assert template["Parameters"][name]["Default"] > 0


def test_sellers_elsewhere_have_a_narrower_throttle_of_their_own(template: dict[str, Any]) -> None:
    """A settlement takes seconds of settle's concurrency, which the proxy's own payments need (threat 77)."""
    stage = template["Resources"]["ApiStage"]
    narrow = {
        "ThrottlingRateLimit": {"Ref": "FacilitatorThrottleRate"},
        "ThrottlingBurstLimit": {"Ref": "FacilitatorThrottleBurst"},
    }
    assert stage["Properties"]["RouteSettings"] == {
        "ANY /x402/facilitator/verify": narrow,
        "ANY /x402/facilitator/settle": narrow,
        # A receipt takes two signatures of the account's quota, which the relayer needs.
        "ANY /x402/receipts/{transaction}": {"ThrottlingRateLimit": 10, "ThrottlingBurstLimit": 20},
        "ANY /x402/payments": {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 10},
        "ANY /x402/payments/{id}": {"ThrottlingRateLimit": 20, "ThrottlingBurstLimit": 40},
        "ANY /x402/analytics": {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 10},
    }
    # Settings of a route that does not exist yet fail the deployment.
    assert stage["DependsOn"] == [
        "VerifyRoute", "SettleRoute", "HistoryRoute", "PaymentsRoute", "ReceiptsRoute", "AnalyticsRoute",
    ]  # fmt: skip
    for what in ("Rate", "Burst"):
        default = {
            name: template["Parameters"][f"{name}{what}"]["Default"] for name in ("FacilitatorThrottle", "Throttle")
        }
        assert default["FacilitatorThrottle"] < default["Throttle"]


def test_a84_a_paid_answer_is_never_cached_or_authorized_once_for_many(template: dict[str, Any]) -> None:
    """No response cache, no authorizer that knows payments (its cached answer would give calls away), no REST API.

    What test_front.py allows knows nothing of a buyer.
    """
    text = json.dumps(template["Resources"])
    for word in ("CacheClusterEnabled", "CachingEnabled", "CacheTtl"):
        assert word not in text
    assert not of_type(template, "AWS::Serverless::Api")
    assert set(of_type(template, "AWS::ApiGatewayV2::Authorizer")) <= {"OriginAuthorizer"}
    assert set(of_type(template, "AWS::CloudFront::Distribution")) <= {"FrontDistribution"}


def test_a104_access_logs_hold_no_header_and_no_query(template: dict[str, Any]) -> None:
    """Whoever reads a log could replay a payment header (rule 9)."""
    settings = template["Resources"]["ApiStage"]["Properties"]["AccessLogSettings"]
    fields = json.loads(settings["Format"])
    assert "\n" not in settings["Format"]
    assert set(fields.values()) == {
        "$context.requestId",
        "$context.requestTime",
        "$context.identity.sourceIp",
        "$context.httpMethod",
        "$context.path",
        "$context.status",
        "$context.responseLength",
        "$context.responseLatency",
        "$context.integrationStatus",
        "$context.integrationLatency",
    }


def test_a77_timeouts_nest(template: dict[str, Any]) -> None:
    """rpc < settle < proxy < API Gateway, with room to hear settle out; the callers know settle's limit."""
    resources = template["Resources"]
    proxy, settle, reconcile = (
        resources[name]["Properties"]["Timeout"] for name in ("ProxyFunction", "SettleFunction", "ReconcileFunction")
    )
    api_seconds = resources["ApiIntegration"]["Properties"]["TimeoutInMillis"] / 1000
    assert max(RPC_SECONDS, RPC_TIMEOUT_SECONDS) < settle
    assert settle + INVOKE_MARGIN_SECONDS < proxy < api_seconds == API_LIMIT_SECONDS
    assert settle + INVOKE_MARGIN_SECONDS < reconcile
    assert settle < resources["SettleIntegration"]["Properties"]["TimeoutInMillis"] / 1000 <= FACILITATOR_SECONDS
    for name in ("Challenge", "Verify", "Supported", "Records", "Admin"):
        assert resources[f"{name}Function"]["Properties"]["Timeout"] <= FACILITATOR_SECONDS
    for caller in ("ProxyFunction", "ReconcileFunction"):
        told = resources[caller]["Properties"]["Environment"]["Variables"]["TOLLGATE_SETTLE_TIMEOUT"]
        assert told == str(settle)


def test_concurrency_is_reserved_only_on_request(template: dict[str, Any]) -> None:
    """0 reserves none, so the smallest account can deploy; Lambda itself would read 0 as "never run"."""
    for function, condition, parameter in (
        ("ProxyFunction", "ReservesProxy", "ProxyConcurrency"),
        ("SettleFunction", "ReservesSettle", "SettleConcurrency"),
    ):
        reserved = template["Resources"][function]["Properties"]["ReservedConcurrentExecutions"]
        assert reserved == {"Fn::If": [condition, {"Ref": parameter}, {"Ref": "AWS::NoValue"}]}
        assert template["Conditions"][condition] == {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, "0"]}]}
        assert template["Parameters"][parameter]["Default"] == 0


def test_outputs_are_what_the_tools_read(template: dict[str, Any]) -> None:
    """The commands and the local stack find everything by these names."""
    values = {name: output["Value"] for name, output in template["Outputs"].items()}
    assert values == {
        "LayerArn": {"Ref": "TollgateLayer"},
        "ApiUrl": FRONT_OR_API,
        "PayTo": {"Ref": "PayTo"},
        "PaymentsTableName": {"Ref": "PaymentsTable"},
        "AnalyticsTableName": {"Ref": "AnalyticsTable"},
        "AnalyticsFunctionName": {"Ref": "AnalyticsFunction"},
        "EventBusName": {"Ref": "EventBus"},
        "SettlementsTableName": {"Ref": "SettlementsTable"},
        "RoutesTableName": {"Ref": "RoutesTable"},
        "SellersTableName": {"Ref": "SellersTable"},
        "AnswersBucketName": {"Ref": "AnswersBucket"},
        "FacilitatorApiUrl": {
            "Fn::Sub": [
                "${Base}/x402/facilitator",
                {
                    "Base": {
                        "Fn::If": [
                            "HasPublicBaseUrl",
                            {"Ref": "PublicBaseUrl"},
                            FRONT_OR_API,
                        ]
                    }
                },
            ]
        },
        "ProxyFunctionName": {"Ref": "ProxyFunction"},
        "AuthorizerFunctionArn": {"Fn::GetAtt": ["AuthorizerFunction", "Arn"]},
        "SettleFunctionName": {"Ref": "SettleFunction"},
        "ReconcileFunctionName": {"Ref": "ReconcileFunction"},
        "RecordsFunctionName": {"Ref": "RecordsFunction"},
        "AdminFunctionName": {"Ref": "AdminFunction"},
        "ReceiptKeyId": {"Ref": "ReceiptKey"},
        "RelayerKeyId": {"Ref": "RelayerKey"},
    }


def test_every_reference_names_something_that_exists(template: dict[str, Any]) -> None:
    """A typo in a Sub is only found by CloudFormation, at deployment."""
    known = set(template["Resources"]) | set(template["Parameters"])
    for name in re.findall(r"\$\{([A-Za-z0-9]+)[.}]", json.dumps(template["Resources"])):
        assert name in known
