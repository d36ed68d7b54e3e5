"""What the built template says about the HTTP API: its routes, the functions behind them, and CORS."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.cors import Cors, read_cors


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """A route: its key (``GET /x``, ``ANY /{proxy+}``, ``$default``) and its function's logical id."""

    key: str
    function: str

    def matches(self, method: str, path: str) -> bool:
        """Whether the route takes this request."""
        if self.key == "$default":
            return True
        wanted, _, pattern = self.key.partition(" ")
        expression = re.sub(r"\\\{[^}]*?\\\+\\\}", ".+", re.escape(pattern))
        expression = re.sub(r"\\\{[^}]*?\\\}", "[^/]+", expression)
        return wanted in ("ANY", method) and re.fullmatch(expression, path) is not None


@dataclass(frozen=True, slots=True)
class Api:
    """An HTTP API as the template describes it; ``$default`` comes last among the routes."""

    routes: tuple[ApiRoute, ...]
    cors: Cors | None


def read_api(template: Path) -> Api:
    """Read the one HTTP API of a built template. Raises ``ValueError`` for what this front door cannot do."""
    resources = yaml.load(template.read_text(), _Loader)["Resources"]
    apis = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::ApiGatewayV2::Api"]
    if len(apis) != 1 or apis[0].get("ProtocolType") != "HTTP":
        raise ValueError(f"{template} must hold exactly one HTTP API")
    integrations = {
        name: _function(r["Properties"])
        for name, r in resources.items()
        if r["Type"] == "AWS::ApiGatewayV2::Integration"
    }
    routes = [
        ApiRoute(r["Properties"]["RouteKey"], integrations[_integration(r["Properties"])])
        for r in resources.values()
        if r["Type"] == "AWS::ApiGatewayV2::Route"
    ]
    routes.sort(key=lambda route: (route.key == "$default", "{" in route.key, route.key.startswith("ANY ")))
    return Api(tuple(routes), read_cors(apis[0].get("CorsConfiguration")))


def _function(properties: Mapping[str, Any]) -> str:
    if properties["IntegrationType"] != "AWS_PROXY" or properties["PayloadFormatVersion"] != "2.0":
        raise ValueError("the front door only does AWS_PROXY integrations with payload format 2.0")
    target = properties["IntegrationUri"]["Fn::GetAtt"]
    return str(target[0] if isinstance(target, list) else target.split(".")[0])


def _integration(properties: Mapping[str, Any]) -> str:
    # The local stack has no CloudFront in front of it.
    if properties.get("AuthorizationType", "NONE") not in ("NONE", {"Fn::If": ["HasFront", "CUSTOM", "NONE"]}):
        raise ValueError("the front door knows no authorizers")
    named = re.fullmatch(r"integrations/\$\{(\w+)\}", properties["Target"]["Fn::Sub"])
    if named is None:
        raise ValueError(f"unexpected route target {properties['Target']}")
    return named[1]


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    raise ValueError(f"unexpected YAML node {node.tag}")


_Loader.add_multi_constructor("!", _intrinsic)
