"""What CloudFormation makes of the template's functions, for the few that template.yaml uses."""

import re
from collections.abc import Mapping
from typing import Any

REGION = "us-east-1"
ACCOUNT = "000000000000"
_NOTHING = object()


class Values:
    """Evaluates values of the template. ``resources`` maps ``Name`` to what Ref gives, ``Name.Attribute`` to GetAtt's.

    A parameter that is not given takes its default; a GetAtt that is not given is an ARN that nothing has.
    """

    def __init__(
        self, template: dict[str, Any], stack: str, parameters: Mapping[str, str], resources: Mapping[str, str]
    ) -> None:
        self._conditions = template["Conditions"]
        self._resources = resources
        self._known: dict[str, Any] = {
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::StackName": stack,
            "AWS::NoValue": _NOTHING,
        }
        unknown = set(parameters) - set(template["Parameters"])
        assert not unknown, f"the template has no parameter {unknown}"
        for name, parameter in template["Parameters"].items():
            value = str(parameters.get(name, parameter.get("Default")))
            self._known[name] = value.split(",") if parameter["Type"] == "CommaDelimitedList" else value

    def of(self, value: Any) -> Any:
        """A value with every function evaluated. Raises ``KeyError`` for a name that is not known."""
        if isinstance(value, list):
            items = [self.of(item) for item in value]
            return [item for item in items if item is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        kept = {key: self.of(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not _NOTHING}

    def made(self, resource: Mapping[str, Any]) -> bool:
        """Whether a resource of the template is made at all: it has no condition, or one that holds."""
        return "Condition" not in resource or bool(self.of(self._conditions[resource["Condition"]]))

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._known[argument] if argument in self._known else self._resources[argument]
            case "Fn::GetAtt":
                return self._attribute(".".join(argument))
            case "Fn::If":
                condition, yes, no = argument
                return self.of(yes if self.of(self._conditions[condition]) else no)
            case "Fn::Equals":
                first, second = self.of(argument)
                return first == second
            case "Fn::Or":
                return any(self.of(argument))
            case "Fn::Not":
                return not self.of(argument[0])
            case "Fn::Join":
                separator, parts = argument
                return separator.join(self.of(parts))
            case "Fn::Split":
                separator, text = argument
                return self.of(text).split(separator)
            case "Fn::Sub":
                text, more = (argument, {}) if isinstance(argument, str) else argument
                return re.sub(r"\$\{([^}]+)\}", lambda found: self._named(found[1], more), text)
        raise KeyError(name)

    def _named(self, name: str, more: Mapping[str, Any]) -> str:
        if name in more:
            return str(self.of(more[name]))
        return str(self._attribute(name) if "." in name else self._function("Ref", name))

    def _attribute(self, name: str) -> str:
        return self._resources.get(name, f"arn:aws:none:{REGION}:{ACCOUNT}:{name}")
