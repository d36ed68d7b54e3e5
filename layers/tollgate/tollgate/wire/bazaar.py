"""The ``bazaar`` extension: what a route takes and gives, for software that looks for services before it pays.

As PyPI ``x402`` 2.25.0 declares it (``extensions/bazaar/resource_service.py``, and ``server.py`` for the method and the
path's params): ``info`` holds values, ``schema`` the JSON schema that they meet. A test compares the two.
"""

import re
from collections.abc import Mapping
from typing import Any

EXTENSION = "bazaar"
BODY_TYPES = ("json", "form-data", "text")

_QUERY_METHODS = ("GET", "HEAD", "DELETE")
_BODY_METHODS = ("POST", "PUT", "PATCH")
_PARAM = re.compile(r"\{([^/{}]+)\}")
_STRING: dict[str, Any] = {"type": "string"}


def takes_body(method: str) -> bool:
    """Whether what a buyer sends with this method is a body; else it is the query."""
    return method in _BODY_METHODS


def route_template(pattern: str) -> str:
    """``/weather/:city`` for the pattern ``/weather/{city}``."""
    return _PARAM.sub(r":\1", pattern)


def declaration(
    method: str,
    pattern: str,
    params: Mapping[str, str],
    input: Mapping[str, Any] | None,
    output: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What stands under ``EXTENSION``.

    ``input`` may hold ``example``, ``schema``, ``pathParams`` (a schema) and ``bodyType``; ``output`` an ``example``
    and its ``schema``. ``params`` are the values of the path at hand, or nothing for all paths of the pattern.
    """
    given = input or {}
    info: dict[str, Any] = {"type": "http", "method": method}
    allowed: dict[str, Any] = {"type": {**_STRING, "const": "http"}}
    required = ["type", "method"]
    schema = given.get("schema", {"properties": {}})
    if takes_body(method):
        info |= {"bodyType": given.get("bodyType", BODY_TYPES[0]), "body": given.get("example", {})}
        allowed |= {
            "method": {**_STRING, "enum": list(_BODY_METHODS)},
            "bodyType": {**_STRING, "enum": list(BODY_TYPES)},
            "body": schema,
        }
        required += ["bodyType", "body"]
    else:
        if given.get("example"):
            info["queryParams"] = given["example"]
        allowed |= {
            "method": {**_STRING, "enum": list(_QUERY_METHODS)},
            "queryParams": {"type": "object", **schema},
        }
    template = route_template(pattern)
    if template != pattern:
        allowed["pathParams"] = {"type": "object", **given.get("pathParams", {})}
        if params:
            info["pathParams"] = dict(params)
    said: dict[str, Any] = {"input": info}
    properties: dict[str, Any] = {
        "input": {"type": "object", "properties": allowed, "required": required, "additionalProperties": False}
    }
    if output is not None:
        said["output"] = {"type": "json", "example": output["example"]}
        example = {"type": _type_of(output["example"]), **output.get("schema", {})}
        properties["output"] = {
            "type": "object",
            "properties": {"type": _STRING, "example": example},
            "required": ["type"],
        }
    declared: dict[str, Any] = {
        "info": said,
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": ["input"],
        },
    }
    if template != pattern:
        declared["routeTemplate"] = template
    return declared


def _type_of(example: object) -> str:
    for kind, name in ((bool, "boolean"), (int, "integer"), (str, "string"), (list, "array"), (dict, "object")):
        if isinstance(example, kind):
            return name
    return "null"
