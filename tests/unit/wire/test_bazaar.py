"""Our declarations are those of the official SDK, and its facilitator side reads them."""

from types import SimpleNamespace
from typing import Any

import pytest
from x402.extensions.bazaar import (
    OutputConfig,
    bazaar_resource_server_extension,
    declare_discovery_extension,
    extract_discovery_info,
    validate_and_extract,
    validate_discovery_extension_spec,
)

from tollgate.wire import bazaar

CITY = {"properties": {"city": {"type": "string", "minLength": 2}}, "required": ["city"]}
UNITS = {"properties": {"units": {"enum": ["metric", "imperial"]}}, "required": ["units"]}
OUT = {"example": {"celsius": 21}, "schema": {"properties": {"celsius": {"type": "integer"}}}}

CASES: list[tuple[str, str, str, dict[str, Any] | None, dict[str, Any] | None]] = [
    ("GET", "/tides", "/tides", None, {"example": {"high": "06:12"}}),
    ("GET", "/tides", "/tides", {"example": {"units": "metric"}, "schema": UNITS}, OUT),
    ("GET", "/weather/{city}", "/weather/oslo", {}, OUT),
    ("DELETE", "/weather/{city}", "/weather/oslo", {"pathParams": CITY}, None),
    ("POST", "/orders", "/orders", {"example": {"units": "metric"}, "schema": UNITS}, OUT),
    (
        "PUT",
        "/orders/{city}",
        "/orders/oslo",
        {"bodyType": "form-data", "example": {"a": "b"}, "pathParams": CITY},
        OUT,
    ),
    ("PATCH", "/orders", "/orders", None, OUT),
]


def official(
    method: str, pattern: str, path: str, input: dict[str, Any] | None, output: dict[str, Any] | None
) -> dict[str, Any]:
    """What the official server would declare: the declaration, then its enrichment for a request."""
    given = input or {}
    said = None if output is None else OutputConfig(output["example"], output.get("schema"))
    declared = declare_discovery_extension(
        input=given.get("example"),
        input_schema=given.get("schema"),
        path_params_schema=given.get("pathParams"),
        body_type=given.get("bodyType", "json") if bazaar.takes_body(method) else None,
        output=said,
    )["bazaar"]
    adapter = SimpleNamespace(get_path=lambda: path)
    context = SimpleNamespace(method=method, adapter=adapter, route_pattern=pattern.replace("{", ":").replace("}", ""))
    enriched: dict[str, Any] = bazaar_resource_server_extension.enrich_declaration(declared, context)
    return enriched


def sorted_lists(value: Any) -> Any:
    """``required`` is a set."""
    if isinstance(value, dict):
        return {key: sorted(v) if key == "required" else sorted_lists(v) for key, v in value.items()}
    return value


@pytest.mark.parametrize(("method", "pattern", "path", "input", "output"), CASES)
def test_a_declaration_is_the_official_sdks(
    method: str, pattern: str, path: str, input: dict[str, Any] | None, output: dict[str, Any] | None
) -> None:
    """Field by field."""
    params = {"city": "oslo"} if "{" in pattern else {}
    ours = bazaar.declaration(method, pattern, params, input, output)
    assert sorted_lists(ours) == sorted_lists(official(method, pattern, path, input, output))


@pytest.mark.parametrize(("method", "pattern", "path", "input", "output"), CASES)
def test_an_official_facilitator_can_catalogue_it(
    method: str, pattern: str, path: str, input: dict[str, Any] | None, output: dict[str, Any] | None
) -> None:
    """Its two validations, and what it reads from a payment that echoes it."""
    params = {"city": "oslo"} if "{" in pattern else {}
    declared = bazaar.declaration(method, pattern, params, input, output)
    assert validate_discovery_extension_spec(declared).errors == []
    assert validate_and_extract(declared).errors == []
    payload = {
        "x402Version": 2,
        "resource": {"url": f"https://api.example{path}?units=metric", "description": "Weather"},
        "extensions": {"bazaar": declared},
    }
    found = extract_discovery_info(payload, {})
    assert found is not None
    assert found.method == method
    assert found.resource_url == "https://api.example" + bazaar.route_template(pattern)


@pytest.mark.parametrize("example", [{"a": 1}, ["a"], "text", 7, True, None])
def test_any_example_of_an_output_meets_its_own_schema(example: Any) -> None:
    """The SDK's own declaration takes objects only."""
    declared = bazaar.declaration("GET", "/x", {}, None, {"example": example})
    assert validate_and_extract(declared).valid
