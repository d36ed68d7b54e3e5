"""The facilitator's own OpenAPI document: what docs/openapi.yaml says of its paths, which is tested against them."""

import json
from typing import Any

import pytest
import schemathesis
import yaml

from tests.contract.test_openapi import DOCUMENT
from tests.support.functions import Functions
from tollgate.facilitator.openapi import OPENAPI_PATH, document


def without_examples(value: Any) -> Any:
    """A part of a document, without examples."""
    if isinstance(value, dict):
        return {name: without_examples(v) for name, v in value.items() if name not in ("example", "examples")}
    return [without_examples(v) for v in value] if isinstance(value, list) else value


def referred(value: Any) -> set[tuple[str, str]]:
    """Every component that a part refers to."""
    text = json.dumps(value)
    return {
        (kind, name)
        for kind, components in DOCUMENT["components"].items()
        for name in components
        if f'"#/components/{kind}/{name}"' in text
    }


def test_a_path_of_the_facilitators_is_described_as_in_the_tested_document() -> None:
    """Every path but the documents' own, to the letter but for examples; all that they need, and no more."""
    made = document()
    theirs = {path: said for path, said in DOCUMENT["paths"].items() if path.startswith("/x402/facilitator/")}
    theirs.pop(OPENAPI_PATH)
    assert made["paths"] == without_examples(theirs)
    for kind, components in made["components"].items():
        for name, said in components.items():
            assert said == without_examples(DOCUMENT["components"][kind][name]), f"{kind}/{name}"
    needed = referred([made["paths"], made["components"]]) | {("securitySchemes", "sellerKey")}
    assert needed == {(kind, name) for kind, components in made["components"].items() for name in components}


def test_an_independent_reader_takes_it() -> None:
    """With all three operations."""
    schema = schemathesis.openapi.from_dict(yaml.safe_load(json.dumps(document())))
    labels = sorted(found.ok().label for found in schema.get_all_operations())
    assert labels == [
        "GET /x402/facilitator/supported",
        "POST /x402/facilitator/settle",
        "POST /x402/facilitator/verify",
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_is_served_to_anybody(functions: Functions, method: str) -> None:
    """By the function that says what is supported, and nothing is asked for it."""
    with functions.recording() as seen:
        reply = functions.request(method, OPENAPI_PATH)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert not seen.trace
    if method == "GET":
        assert reply.json() == document()
