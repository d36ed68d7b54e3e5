"""There is one way to a priced answer: through the API in front of the proxy (threat 33)."""

import json
from typing import Any

from tests.template.cfn import of_type


def test_a33_no_function_has_an_url_or_an_event_source_that_goes_around_the_api(template: dict[str, Any]) -> None:
    """No function URL, no second API, no load balancer, no alias that somebody else may invoke."""
    for kind in (
        "AWS::Lambda::Url",
        "AWS::Lambda::Alias",
        "AWS::Serverless::Api",
        "AWS::Serverless::HttpApi",
        "AWS::ApiGateway::RestApi",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
    ):
        assert not of_type(template, kind), kind
    assert len(of_type(template, "AWS::ApiGatewayV2::Api")) == 1
    for name, function in of_type(template, "AWS::Serverless::Function").items():
        assert "FunctionUrlConfig" not in function["Properties"], name
        assert "Events" not in function["Properties"], name


def test_a33_every_stage_of_the_api_is_the_priced_one(template: dict[str, Any]) -> None:
    """A stage without throttling or logs would be another door to the same proxy."""
    (stage,) = of_type(template, "AWS::ApiGatewayV2::Stage").values()
    assert stage["Properties"]["ApiId"] == {"Ref": "HttpApi"}
    for permission in of_type(template, "AWS::Lambda::Permission").values():
        assert "FunctionUrlAuthType" not in permission["Properties"]
        assert "${HttpApi}" in json.dumps(permission["Properties"]["SourceArn"])


def test_a81_kept_answers_are_private_encrypted_and_forgotten(template: dict[str, Any]) -> None:
    """Nobody reads the bucket from outside, and what is past its retention goes."""
    bucket = template["Resources"]["AnswersBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert "ServerSideEncryptionConfiguration" in bucket["BucketEncryption"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 2)
    assert "Prefix" not in rule
