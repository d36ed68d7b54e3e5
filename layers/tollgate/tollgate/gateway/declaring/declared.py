"""What a route says of itself: ``input`` and ``output``, examples and JSON schemas for who looks before paying.

Whole numbers only: buyers' software sends the examples back in its payment, and x402 messages hold no fractions here.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.tree import Kind, Node, fields_of
from tollgate.gateway.path_pattern import PathPattern
from tollgate.wire import bazaar
from tollgate.wire.strict_json import MAX_SAFE_INTEGER

_POINTERS = ("$ref", "$id", "$dynamicRef", "$anchor", "$dynamicAnchor")
_LONGEST_TEXT = 2000
_WHOLE = re.compile(r"-?[0-9]+")

Declared = Mapping[str, Any] | None


class Schemas(Protocol):
    """Who knows JSON Schema 2020-12."""

    def flaw(self, schema: Mapping[str, Any]) -> str | None:
        """Why it is no JSON schema."""

    def refusals(self, schema: Mapping[str, Any], value: Any) -> Iterable[tuple[str, str]]:
        """What the schema refuses of a value: the field of the value that it is in ("" for none), and why."""


def read_declared(
    input: Node | None,
    output: Node | None,
    method: str,
    pattern: PathPattern | None,
    schemas: Schemas | None,
    findings: Findings,
) -> tuple[Declared, Declared]:
    """Both as JSON; ``None`` where nothing is said. What is wrong goes to ``findings``.

    Without ``schemas`` there are examples only: a schema that nobody checks is not taken.
    """
    before = len(findings.problems)
    taken = _read_input(input, method, pattern, findings)
    given = None
    if output is not None:
        given = {name: json_of(node, findings) for name, node in fields_of(
            output, findings, ("example",), ("schema",)
        ).items()}  # fmt: skip
    for node, value in ((input, taken), (output, given)):
        if node is not None and value is not None:
            for name in ("schema", "pathParams"):
                if name in value:
                    _check_schema(node.fields[name], value[name], schemas, findings)
    if schemas and len(findings.problems) == before and method and (taken is not None or given is not None):
        _check_examples(input, output, method, taken, given, schemas, findings)
    return taken, given


def json_of(node: Node, findings: Findings) -> Any:
    """A node as JSON; what JSON or an x402 message cannot hold becomes a problem."""
    if node.kind is Kind.FIELDS:
        return {name: json_of(value, findings) for name, value in node.fields.items()}
    if node.kind is Kind.LIST:
        return [json_of(item, findings) for item in node.items]
    if node.kind is Kind.FLAG:
        return node.text == "true"
    if node.kind is Kind.EMPTY:
        return None
    if node.kind is Kind.TEXT and len(node.text) <= _LONGEST_TEXT:
        return node.text
    if node.kind is Kind.NUMBER and _WHOLE.fullmatch(node.text) and abs(int(node.text)) <= MAX_SAFE_INTEGER:
        return int(node.text)
    if node.kind is Kind.NUMBER:
        sentence = f'must be a whole number within 2^53, or text: quote it ("{node.text}")'
    elif node.kind is Kind.TEXT:
        sentence = f"must be at most {_LONGEST_TEXT} characters"
    else:
        sentence = "must be text, a whole number, true, false, null, a list or fields: quote it"
    findings.add(node.line, node.at, sentence)
    return None


def _read_input(node: Node | None, method: str, pattern: PathPattern | None, findings: Findings) -> Declared:
    if node is None:
        return None
    fields = fields_of(node, findings, (), ("example", "schema", "pathParams", "bodyType"))
    body_type = fields.get("bodyType")
    if body_type is not None and method and not bazaar.takes_body(method):
        findings.add(body_type.line, body_type.at, f"is for POST, PUT and PATCH; {method} is described by its query")
    elif body_type is not None and body_type.text not in bazaar.BODY_TYPES:
        findings.add(body_type.line, body_type.at, f"must be one of {', '.join(bazaar.BODY_TYPES)}")
    example = fields.get("example")
    if example is not None and method and not bazaar.takes_body(method) and example.kind is not Kind.FIELDS:
        findings.add(example.line, example.at, "must be a set of fields: the parameters of the query")
    params = fields.get("pathParams")
    if params is not None and pattern is not None:
        described = params.fields.get("properties")
        for name in () if described is None else described.fields:
            if name not in pattern.params:
                findings.add(params.line, params.at, f"describes {name}, which is no {{param}} of the path")
    return {name: json_of(value, findings) for name, value in fields.items()}


def _check_schema(node: Node, schema: Any, schemas: Schemas | None, findings: Findings) -> None:
    if schemas is None:
        findings.add(node.line, node.at, "cannot be checked here: leave it out, an example is enough")
    elif not isinstance(schema, dict):
        findings.add(node.line, node.at, "must be a JSON schema, as fields")
    elif pointer := _pointer(schema):
        findings.add(node.line, node.at, f"holds {pointer}: write it out, readers of an offer resolve no references")
    elif (flaw := schemas.flaw(schema)) is not None:
        findings.add(node.line, node.at, f"is no JSON schema: {flaw}")


def _check_examples(
    input: Node | None,
    output: Node | None,
    method: str,
    taken: Declared,
    given: Declared,
    schemas: Schemas,
    findings: Findings,
) -> None:
    """An example that its own schema refuses would keep the route out of every catalogue."""
    declared = bazaar.declaration(method, "/", {}, taken, given)
    for where, why in schemas.refusals(declared["schema"], declared["info"]):
        node = output if where == "output" else input
        if node is not None and "example" in node.fields:
            place = node.fields["example"]
            findings.add(place.line, place.at, f"is refused by its schema: {why}")
        elif node is not None:
            findings.add(node.line, node.at, f"needs an example that its schema takes: {why}")


def _pointer(value: Any) -> str:
    if isinstance(value, dict):
        return next((key for key in value if key in _POINTERS), next(filter(None, map(_pointer, value.values())), ""))
    if isinstance(value, list):
        return next(filter(None, map(_pointer, value)), "")
    return ""
