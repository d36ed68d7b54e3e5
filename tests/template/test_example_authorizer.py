"""examples/rest-authorizer and the snippets of docs/: what the page promises stands in the template that it shows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.template.cfn import ROOT, load, of_type
from tests.unit.cli.test_routes_file import STACK
from tollgate.edge.rest_authorizer import answer
from tollgate.gateway.authorize import Access
from tollgate.gateway.outcomes import Kind, Outcome
from tollgate.payment.routes import ApiTarget
from tollgate.payment.states import Flow
from tollgate_cli.routes_file import read_routes_file

FOLDER = ROOT / "examples" / "rest-authorizer"
PAGES = [ROOT / "docs" / name for name in ("ways-in.md", "rest-authorizer.md")]
_EVENT = {"methodArn": "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/prod/GET/weather/paris"}


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """The template."""
    return load(FOLDER / "template.yaml")


def responses(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The gateway responses by type."""
    found = of_type(template, "AWS::ApiGateway::GatewayResponse").values()
    return {response["Properties"]["ResponseType"]: response["Properties"] for response in found}


def test_results_are_never_kept_and_every_request_is_asked_about(example: dict[str, Any]) -> None:
    """TTL 0, no identity source, and every method of the example behind it."""
    (authorizer,) = (a["Properties"] for a in of_type(example, "AWS::ApiGateway::Authorizer").values())
    assert (authorizer["Type"], authorizer["AuthorizerResultTtlInSeconds"]) == ("REQUEST", 0)
    assert "IdentitySource" not in authorizer
    for method in of_type(example, "AWS::ApiGateway::Method").values():
        assert method["Properties"]["AuthorizationType"] == "CUSTOM"
        assert method["Properties"]["AuthorizerId"] == {"Ref": "Tollgate"}
    (stage,) = of_type(example, "AWS::ApiGateway::Stage").values()
    assert all(setting["CachingEnabled"] is False for setting in stage["Properties"]["MethodSettings"])
    assert "CacheClusterEnabled" not in stage["Properties"]


def test_a78_each_kind_of_denial_has_its_status_and_only_one_an_offer(example: dict[str, Any]) -> None:
    """402 out of the authorizer's context; 409 and 503 with fixed bodies in the one form of errors, and no offer."""
    found = responses(example)
    assert {kind: said["StatusCode"] for kind, said in found.items()} == {
        "ACCESS_DENIED": "402",
        "UNAUTHORIZED": "409",
        "AUTHORIZER_FAILURE": "503",
        "AUTHORIZER_CONFIGURATION_ERROR": "503",
    }
    for kind, said in found.items():
        headers = {name.removeprefix("gatewayresponse.header.") for name in said["ResponseParameters"]}
        assert ("PAYMENT-REQUIRED" in headers) == (kind == "ACCESS_DENIED")
        assert ("Retry-After" in headers) == kind.startswith("AUTHORIZER_")
        assert said["ResponseParameters"]["gatewayresponse.header.Cache-Control"] == "'private, no-store'"
        if kind != "ACCESS_DENIED":
            assert set(json.loads(said["ResponseTemplates"]["application/json"])) == {"error", "code"}


def test_what_the_responses_map_is_what_the_authorizer_says(example: dict[str, Any]) -> None:
    """Every $context.authorizer variable, letter by letter; flat, and of kinds that API Gateway takes."""
    text = json.dumps(responses(example)["ACCESS_DENIED"])
    mapped = set(re.findall(r"context\.authorizer\.(\w+)", text))
    output = answer(_EVENT, Access.UNPAID, Outcome(Kind.BAD_REQUEST, code="malformed", sentence="No.", status=400))
    assert mapped == set(output["context"])
    assert all(isinstance(value, str) for value in output["context"].values())
    assert output["policyDocument"]["Statement"] == [
        {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": _EVENT["methodArn"]}
    ]


def test_the_api_may_ask_the_authorizer_and_nobody_else_of_the_account(example: dict[str, Any]) -> None:
    """The permission names this API's authorizer; a deployment waits for the responses, which are part of it."""
    permission = example["Resources"]["ApiMayInvokeTollgate"]["Properties"]
    assert permission["SourceArn"]["Fn::Sub"].endswith(":${Api}/authorizers/${Tollgate}")
    (deployment,) = of_type(example, "AWS::ApiGateway::Deployment").values()
    needed = {*of_type(example, "AWS::ApiGateway::GatewayResponse"), *of_type(example, "AWS::ApiGateway::Method")}
    assert set(deployment["DependsOn"]) == needed


def test_its_routes_file_sells_its_method() -> None:
    """Settled first, at the URL of the stage."""
    (route,) = read_routes_file(FOLDER / "routes.yaml", STACK).routes
    assert isinstance(route.upstream, ApiTarget)
    assert (route.method, route.pattern, route.flow) == ("GET", "/weather/{city}", Flow.UPFRONT)
    assert route.base_url("https://own.example") == route.upstream.url


def snippets() -> list[tuple[str, str]]:
    """Every YAML block of the pages, with where it stands."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^( *)```yaml\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL):
            found.append((page.name, "\n".join(line.removeprefix(block[0]) for line in block[1].splitlines())))
    return found


def test_every_way_in_has_a_snippet_that_parses(tmp_path: Path) -> None:
    """As CloudFormation reads it, or as the routes checker does."""
    kinds = []
    for number, (page, text) in enumerate(snippets()):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        if "Resources:" in text:
            resources = load(file)["Resources"].values()
            assert all({"Type", "Properties"} <= set(resource) for resource in resources), page
            kinds.append((page, sorted({resource["Type"] for resource in resources})))
        else:
            assert read_routes_file(file, STACK).routes, page
    assert kinds == [
        ("ways-in.md", ["AWS::Serverless::Function"]),
        ("ways-in.md", ["AWS::Serverless::Function"]),
        ("ways-in.md", ["AWS::ApiGateway::Authorizer", "AWS::ApiGateway::GatewayResponse"]),
        ("ways-in.md", ["AWS::Serverless::Function"]),
    ]
    assert len(snippets()) == len(kinds) + 1


def test_the_snippet_of_the_authorizer_is_that_of_the_example(example: dict[str, Any], tmp_path: Path) -> None:
    """It may leave something out, and may not say anything else."""
    (text,) = (text for _, text in snippets() if "AWS::ApiGateway::Authorizer" in text)
    (tmp_path / "snippet.yaml").write_text(text)
    for name, resource in load(tmp_path / "snippet.yaml")["Resources"].items():
        whole = example["Resources"][name]["Properties"]
        for key, value in resource["Properties"].items():
            shown = {k: v for k, v in whole[key].items() if k in value} if isinstance(value, dict) else whole[key]
            assert shown == value, (name, key)


def test_the_marks_hold_all_that_an_api_needs() -> None:
    """What a seller copies: the authorizer, its permission, the four responses."""
    text = (FOLDER / "template.yaml").read_text()
    marked = text.partition("# >>> tollgate")[2].partition("# <<< tollgate")[0]
    names = re.findall(r"^  (\w+):$", marked, re.MULTILINE)
    assert names == ["Tollgate", "ApiMayInvokeTollgate", "Offered", "Spent", "Undecided", "NotDecided"]
    assert yaml.safe_load(re.sub(r"!\w+ ", "", marked)) is not None
