"""A REST API of API Gateway with a Lambda authorizer, as AWS documents it, from a template: no more than we rely on.

    api = RestApi(load(".../template.yaml"), lambda event: functions.invoke("authorizer", event))
    api.request("GET", "/weather/paris", {"payment-signature": ...})

Resources match literally before by parameter, and parameters come decoded; the authorizer is asked for every request,
unless its result is kept; a policy decides for one ARN; what is not allowed becomes the gateway response of its type,
whose templates are filled in without VTL. Sources: AWS, "Use API Gateway Lambda authorizers", "Input to" and "Output
from an API Gateway Lambda authorizer", "Gateway responses for REST APIs", "Gateway response types".
"""

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.support.template_values import ACCOUNT, REGION
from tests.template.cfn import of_type

API_ID, STAGE = "abcdef1234", "prod"
# Defaults of AWS for the types that are used here.
_STATUS = {"ACCESS_DENIED": 403, "UNAUTHORIZED": 401, "AUTHORIZER_FAILURE": 500, "AUTHORIZER_CONFIGURATION_ERROR": 500}
_DEFAULT_TTL = 300

Invoke = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class RestReply:
    """What the client gets; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class RestApi:
    """``passed`` are the events that reached what stands behind it."""

    template: dict[str, Any]
    authorizer: Invoke
    passed: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self._authorizer,) = (a["Properties"] for a in of_type(self.template, "AWS::ApiGateway::Authorizer").values())
        assert self._authorizer["Type"] == "REQUEST"
        self._kept: dict[tuple[str, ...], Any] = {}
        self._responses = {
            r["Properties"]["ResponseType"]: r["Properties"]
            for r in of_type(self.template, "AWS::ApiGateway::GatewayResponse").values()
        }

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str | list[str]] | None = None,
        source: str = "192.0.2.1",
    ) -> RestReply:
        """One request, below the stage."""
        raw_path, _, query = url.partition("?")
        found = self._resource(method, raw_path)
        if found is None:
            return RestReply(403, {}, '{"message":"Missing Authentication Token"}')
        resource, parameters, properties = found
        many = {name: [value] if isinstance(value, str) else value for name, value in (headers or {}).items()}
        arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}/{STAGE}/{method}{raw_path}"
        event = {
            "type": "REQUEST",
            "methodArn": arn,
            "resource": resource,
            "path": raw_path,
            "httpMethod": method,
            "headers": {name: values[-1] for name, values in many.items()},
            "multiValueHeaders": many,
            "queryStringParameters": {name: values[-1] for name, values in parse_qs(query, True).items()},
            "multiValueQueryStringParameters": parse_qs(query, True),
            "pathParameters": parameters,
            "stageVariables": {},
            "requestContext": {
                "resourcePath": resource,
                "httpMethod": method,
                "path": f"/{STAGE}{raw_path}",
                "accountId": ACCOUNT,
                "apiId": API_ID,
                "stage": STAGE,
                "domainName": f"{API_ID}.execute-api.{REGION}.amazonaws.com",
                "identity": {"sourceIp": source},
            },
        }
        if properties["AuthorizationType"] != "CUSTOM":
            return self._pass(event, {})
        try:
            output = self._ask(event)
        except Exception as error:
            # Lambda hands API Gateway the text of an error, which decides.
            return self._respond("UNAUTHORIZED" if str(error) == "Unauthorized" else "AUTHORIZER_CONFIGURATION_ERROR")
        context = output.get("context", {})
        if not all(isinstance(value, str | int | bool) for value in context.values()):
            return self._respond("AUTHORIZER_CONFIGURATION_ERROR")
        told = {name: str(value) for name, value in context.items()} | {"principalId": output["principalId"]}
        return self._pass(event, told) if _allows(output, arn) else self._respond("ACCESS_DENIED", told)

    def _ask(self, event: dict[str, Any]) -> Any:
        ttl = self._authorizer.get("AuthorizerResultTtlInSeconds", _DEFAULT_TTL)
        if not ttl:
            return self.authorizer(event)
        # Kept by the values of the identity sources; nothing here tells the time, so it is kept for good.
        names = [source.rpartition(".")[2].lower() for source in self._authorizer.get("IdentitySource", "").split(",")]
        sent = {name.lower(): values for name, values in event["multiValueHeaders"].items()}
        key = tuple(str(sent.get(name)) for name in names)
        if key not in self._kept:
            self._kept[key] = self.authorizer(event)
        return self._kept[key]

    def _pass(self, event: dict[str, Any], told: Mapping[str, str]) -> RestReply:
        self.passed.append(event | {"requestContext": event["requestContext"] | {"authorizer": told}})
        return RestReply(200, {}, "behind the API")

    def _respond(self, kind: str, told: Mapping[str, str] | None = None) -> RestReply:
        properties = self._responses.get(kind, {})
        known = {f"context.authorizer.{name}": value for name, value in (told or {}).items()}
        headers = {}
        for name, value in properties.get("ResponseParameters", {}).items():
            header = name.removeprefix("gatewayresponse.header.").lower()
            headers[header] = value[1:-1] if value.startswith("'") else known.get(value, "")
        body = properties.get("ResponseTemplates", {}).get("application/json", '{"message":"$context.error.message"}')
        body = re.sub(r"\$(context\.[A-Za-z.]+)", lambda found: known.get(found[1], ""), body)
        return RestReply(int(properties.get("StatusCode", _STATUS[kind])), headers, body)

    def _resource(self, method: str, raw_path: str) -> tuple[str, dict[str, str], dict[str, Any]] | None:
        """The most specific resource that has this method: its path, the decoded parameters, the method."""
        sent = raw_path[1:].split("/")
        found = []
        for properties in (m["Properties"] for m in of_type(self.template, "AWS::ApiGateway::Method").values()):
            path = self._path(properties["ResourceId"])
            parts = path[1:].split("/")
            greedy = parts[-1].endswith("+}")
            if len(sent) != len(parts) and not (greedy and len(sent) > len(parts)):
                continue
            last = ["/".join(sent[len(parts) - 1 :])] if greedy else sent[len(parts) - 1 :]
            pairs = list(zip(parts, [*sent[: len(parts) - 1], *last], strict=True))
            if properties["HttpMethod"] != method or any(p != s for p, s in pairs if not p.startswith("{")):
                continue
            parameters = {p.strip("{+}"): unquote(s) for p, s in pairs if p.startswith("{")}
            found.append((greedy, [p.startswith("{") for p in parts], path, parameters, properties))
        if not found:
            return None
        _, _, path, parameters, properties = min(found, key=lambda one: one[:2])
        return path, parameters, properties

    def _path(self, resource: Any) -> str:
        if "Ref" not in resource:
            return ""
        properties = self.template["Resources"][resource["Ref"]]["Properties"]
        return f"{self._path(properties['ParentId'])}/{properties['PathPart']}"


def _allows(output: Any, arn: str) -> bool:
    """IAM's decision: a Deny that matches wins, and what nothing allows is denied."""
    effects = {
        statement["Effect"]
        for statement in output["policyDocument"]["Statement"]
        if statement["Action"] == "execute-api:Invoke" and fnmatch.fnmatchcase(arn, statement["Resource"])
    }
    return effects == {"Allow"}
