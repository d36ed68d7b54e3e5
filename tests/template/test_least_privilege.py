"""Least privilege by evidence: what the functions really call against what their policies allow."""

from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.support.aws_calls import Access
from tests.support.template_values import Values
from tests.template.cfn import listed, of_type, statements
from tests.template.rehearsal import Rehearsed

# Allowed, and made by nobody's boto3.
_OTHERS = {
    "logs:CreateLogStream": "Lambda writes the function's lines",
    "logs:PutLogEvents": "Lambda writes the function's lines",
    "xray:PutTelemetryRecords": "Lambda's own tracing",
    "xray:PutTraceSegments": "Lambda's own tracing",
    "s3:ListBucket": "S3 asks for it before it says NoSuchKey to a GetObject",
    "sqs:SendMessage": "Lambda reports a failed asynchronous call, or what a stream's consumer gave up, under the role",
    "sqs:DeleteMessage": "Lambda takes a mapped queue's messages under the function's role",
    "sqs:GetQueueAttributes": "Lambda takes a mapped queue's messages under the function's role",
    "sqs:ReceiveMessage": "Lambda takes a mapped queue's messages under the function's role",
    "dynamodb:DescribeStream": "Lambda reads a mapped stream under the function's role",
    "dynamodb:GetRecords": "Lambda reads a mapped stream under the function's role",
    "dynamodb:GetShardIterator": "Lambda reads a mapped stream under the function's role",
    "dynamodb:ListStreams": "Lambda reads a mapped stream under the function's role",
}


def _role(template: dict[str, Any], function: str) -> str:
    role: str = template["Resources"][f"{function.capitalize()}Function"]["Properties"]["Role"]["Fn::GetAtt"][0]
    return role


def _names(template: dict[str, Any]) -> list[str]:
    return [name.removesuffix("Function").lower() for name in of_type(template, "AWS::Serverless::Function")]


def _allows(statement: dict[str, Any], access: Access, values: Values) -> list[tuple[str, str]]:
    """The pairs of action and resource (as the template writes it) of a statement that allow a call."""
    keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
    if "Condition" in statement:
        assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}
        if not all(any(fnmatchcase(key, pattern) for pattern in keys) for key in access.keys):
            return []
    return [
        (action, str(resource))
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if action == access.action and any(fnmatchcase(access.resource, p) for p in listed(values.of(resource)))
    ]


@pytest.mark.parametrize(
    "function",
    [
        "proxy",
        "admin",
        "authorizer",
        "challenge",
        "discovery",
        "verify",
        "supported",
        "records",
        "counter",
        "publisher",
        "webhooks",
        "settle",
        "reconcile",
        "origin",
        "analytics",
    ],
)
def test_a109_whatever_a_function_calls_its_policy_allows(
    template: dict[str, Any], rehearsed: Rehearsed, function: str
) -> None:
    """Action, resource and leading keys: in an account, anything else would be refused at night."""
    allowed = statements(template, _role(template, function))
    made = [
        (values, access)
        for values, calls in rehearsed.calls
        for call in calls
        if call.function == function
        for access in call.needs
    ]
    assert made, "nothing was rehearsed"
    refused = {
        (access.action, access.resource)
        for values, access in made
        if not any(_allows(statement, access, values) for statement in allowed)
    }
    assert not refused


def test_a109_whatever_a_policy_allows_some_function_needs(template: dict[str, Any], rehearsed: Rehearsed) -> None:
    """A permission that no work needs is one that only an intruder uses."""
    unused = {}
    for function in _names(template):
        allowed = statements(template, _role(template, function))
        pairs = {
            (action, str(resource))
            for statement in allowed
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
            if action not in _OTHERS
        }
        used = {
            pair
            for values, calls in rehearsed.calls
            for call in calls
            if call.function == function
            for access in call.needs
            for statement in allowed
            for pair in _allows(statement, access, values)
        }
        unused[function] = sorted(pairs - used)
    assert unused == {function: [] for function in unused}


def test_every_function_was_rehearsed(template: dict[str, Any]) -> None:
    """A function that is added must be added to the rehearsal, too."""
    assert sorted(_names(template)) == [
        "admin",
        "analytics",
        "authorizer",
        "challenge",
        "counter",
        "discovery",
        "origin",
        "proxy",
        "publisher",
        "reconcile",
        "records",
        "settle",
        "supported",
        "verify",
        "webhooks",
    ]
