"""RateLimitPerAddress: CloudFront with WAF in front of the API, which then answers to nobody else."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.chain import Chain
from tests.support.functions import Functions
from tests.template.cfn import listed, of_type
from tests.template.stacks import ALWAYS, RIGHT, Stacks
from tollgate.gateway.forwarding import request_headers

HEADER = "x-tollgate-origin"
FRONT = {
    "FrontDistribution",
    "FrontWebAcl",
    "OriginSecret",
    "OriginAuthorizer",
    "OriginPermission",
    "OriginFunction",
    "OriginLogs",
    "OriginRole",
    "OriginPolicy",
    "OriginErrorsAlarm",
    "OriginThrottlesAlarm",
}


@pytest.fixture
def front(aws_endpoint: str, chain: Chain) -> Iterator[Functions]:
    """A stack with a front."""
    with Functions(aws_endpoint, chain, RateLimitPerAddress="1000") as made:
        yield made


def _distribution(template: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = template["Resources"]["FrontDistribution"]["Properties"]["DistributionConfig"]
    return config


def test_without_a_limit_there_is_no_front(template: dict[str, Any]) -> None:
    """Nothing of it is made, and nothing costs."""
    assert template["Parameters"]["RateLimitPerAddress"]["Default"] == "0"
    assert template["Conditions"]["HasFront"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "RateLimitPerAddress"}, "0"]}]}
    conditional = {name for name, r in template["Resources"].items() if r.get("Condition") == "HasFront"}
    assert conditional == FRONT


def test_with_a_front_every_route_asks_who_comes(template: dict[str, Any]) -> None:
    """One route without it would be the way around the limit (threat 33)."""
    for name, route in of_type(template, "AWS::ApiGatewayV2::Route").items():
        assert route["Properties"]["AuthorizationType"] == {"Fn::If": ["HasFront", "CUSTOM", "NONE"]}, name
        assert route["Properties"]["AuthorizerId"] == {
            "Fn::If": ["HasFront", {"Ref": "OriginAuthorizer"}, {"Ref": "AWS::NoValue"}]
        }, name


def test_the_api_is_shut_only_when_the_front_stands(template: dict[str, Any]) -> None:
    """CloudFront takes minutes to make, a route a second: an existing stack would answer 401 to everybody meanwhile."""
    assert "FrontDistribution" in listed(template["Resources"]["OriginAuthorizer"].get("DependsOn", []))


def test_a84_what_the_authorizer_remembers_is_the_fronts_header_and_nothing_of_a_buyer(
    template: dict[str, Any],
) -> None:
    """It is the only identity: whoever shows it is CloudFront, whatever it brings."""
    (authorizer,) = of_type(template, "AWS::ApiGatewayV2::Authorizer").values()
    properties = authorizer["Properties"]
    assert properties["IdentitySource"] == [f"$request.header.{HEADER}"]
    assert (properties["AuthorizerType"], properties["EnableSimpleResponses"]) == ("REQUEST", True)
    assert properties["AuthorizerPayloadFormatVersion"] == "2.0"
    assert "${OriginFunction.Arn}" in properties["AuthorizerUri"]["Fn::Sub"]


def test_a33_only_who_knows_the_secret_is_let_in(front: Functions) -> None:
    """Compared as a whole; without a header API Gateway does not even ask."""
    manager = front.client("secretsmanager")
    secret = manager.get_secret_value(SecretId=front.resource("OriginSecret"))["SecretString"]
    assert front.invoke("origin", {"headers": {HEADER: secret}}) == {"isAuthorized": True}
    for guess in ("", secret[:-1], secret + "0", secret.upper() + "é", f"{secret},{secret}"):
        assert front.invoke("origin", {"headers": {HEADER: guess}}) == {"isAuthorized": False}
    assert front.invoke("origin", {"headers": {}}) == {"isAuthorized": False}


def test_the_secret_does_not_go_up_to_an_upstream(template: dict[str, Any]) -> None:
    """A seller elsewhere who got it could walk past the limit."""
    (header,) = _distribution(template)["Origins"][0]["OriginCustomHeaders"]
    assert header["HeaderName"] == HEADER
    assert request_headers({HEADER: "secret", "x-city": "paris"}) == {"x-city": "paris"}


def test_a84_cloudfront_keeps_no_answer_and_no_error(template: dict[str, Any]) -> None:
    """It would keep a 503 for ten seconds whatever its headers say, and give it to the next buyer."""
    config = _distribution(template)
    assert config["DefaultCacheBehavior"]["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled"
    assert "CacheBehaviors" not in config
    errors = config["CustomErrorResponses"]
    assert {e["ErrorCode"] for e in errors} == {400, 403, 404, 405, 414, 500, 501, 502, 503, 504}
    assert all(e == {"ErrorCode": e["ErrorCode"], "ErrorCachingMinTTL": 0} for e in errors), "and none is replaced"


def test_cloudfront_passes_on_what_a_paid_call_needs(template: dict[str, Any]) -> None:
    """Every method and header but Host, for as long as API Gateway may take, by TLS on both sides."""
    config = _distribution(template)
    behaviour, (origin,) = config["DefaultCacheBehavior"], config["Origins"]
    assert set(behaviour["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}
    assert behaviour["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader"
    assert behaviour["ViewerProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"]["OriginReadTimeout"] > 30
    assert "Logging" not in config, "its logs would hold query strings"


def test_the_limit_counts_addresses_and_answers_in_our_form(template: dict[str, Any]) -> None:
    """429 with when to come again; no sampled requests, which would show payment headers in the console."""
    acl = template["Resources"]["FrontWebAcl"]["Properties"]
    (rule,) = acl["Rules"]
    statement = rule["Statement"]["RateBasedStatement"]
    assert statement == {
        "AggregateKeyType": "IP",
        "Limit": {"Ref": "RateLimitPerAddress"},
        "EvaluationWindowSec": 300,
    }
    answer = rule["Action"]["Block"]["CustomResponse"]
    assert answer["ResponseCode"] == 429
    assert {h["Name"] for h in answer["ResponseHeaders"]} == {
        "retry-after",
        "cache-control",
        "access-control-allow-origin",
    }
    body = acl["CustomResponseBodies"][answer["CustomResponseBodyKey"]]
    assert body["ContentType"] == "APPLICATION_JSON"
    for part in listed(acl["VisibilityConfig"]) + listed(rule["VisibilityConfig"]):
        assert part["SampledRequestsEnabled"] is False


def test_a110_a_front_is_planned_with_all_that_it_needs(stacks: Stacks) -> None:
    """The template that makes it is one that CloudFormation takes."""
    planned = stacks.plan({**ALWAYS, **RIGHT["test"], "RateLimitPerAddress": "1000"})
    assert set(planned) >= FRONT
