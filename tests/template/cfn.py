"""Read template.yaml as data: ``!Ref``, ``!GetAtt`` and the other short forms become their long forms."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, and without aliases: CloudFormation reads none."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        assert not self.check_event(yaml.AliasEvent), "CloudFormation does not read YAML aliases"
        return super().compose_node(parent, index)


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def load(path: Path = ROOT / "template.yaml") -> dict[str, Any]:
    """The template with every short form written out."""
    template: dict[str, Any] = yaml.load(path.read_text(), Loader=_Loader)
    return template


def of_type(template: dict[str, Any], kind: str) -> dict[str, Any]:
    """The resources of one type, by logical id."""
    return {name: r for name, r in template["Resources"].items() if r["Type"] == kind}


def environment(template: dict[str, Any], function: str) -> dict[str, Any]:
    """A function's variables, the shared ones included."""
    own = template["Resources"][function]["Properties"]["Environment"]["Variables"]
    return {**template["Globals"]["Function"]["Environment"]["Variables"], **own}


def statements(template: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """Everything that a role's policies allow, its own and the attached ones; conditional ones included."""
    documents = [p["PolicyDocument"] for p in template["Resources"][role]["Properties"].get("Policies", [])]
    for policy in of_type(template, "AWS::IAM::Policy").values():
        if {"Ref": role} in policy["Properties"]["Roles"]:
            documents.append(policy["Properties"]["PolicyDocument"])
    found = []
    for document in documents:
        for statement in document["Statement"]:
            found.append(statement["Fn::If"][1] if "Fn::If" in statement else statement)
    return found


def listed(value: Any) -> list[Any]:
    """A policy's value that may be one or a list, as a list."""
    return value if isinstance(value, list) else [value]
