"""The admin API's own OpenAPI document, as it is served: every status in it occurs, and nothing else comes."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from local.chain import Chain
from tests.support.functions import Functions
from tests.support.lambda_events import Reply
from tests.support.seats import READ, Seat, change_id, declared, sign_in
from tests.template.cfn import load, of_type
from tollgate.errors import LostRace
from tollgate.gateway.admin.openapi import OPENAPI_PATH, document
from tollgate.gateway.admin.routes import MOST_CHANGES
from tollgate.ledger.registered import RegisteredRoutes

DOCUMENT = document("https://api.example")
REGISTRY: Registry[Any] = Registry().with_resource("urn:api", Resource(DOCUMENT, DRAFT202012))
ROUTES, ONE, CHANGES = "/x402/admin/routes", "/x402/admin/routes/{id}", "/x402/admin/changes"
OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if method != "parameters"
]
STATUSES = [(path, method, int(status)) for path, method, said in OPERATIONS for status in said["responses"]]
_names = (f"made-{n}" for n in itertools.count())


@pytest.fixture(scope="module")
def functions(aws_endpoint: str, shared_chain: Chain) -> Iterator[Functions]:
    """The functions behind the document."""
    with Functions(aws_endpoint, shared_chain) as made:
        yield made


@pytest.fixture
def seat(functions: Functions) -> Seat:
    """A new owner with room for many routes."""
    return Seat.of_an_owner(functions, f"/{next(_names)}", max_routes=200)


def route_of(seat: Seat) -> tuple[str, int]:
    """A new route's id and version."""
    id = next(_names)
    made = seat.ask("POST", ROUTES, declared(id, path=f"{seat.path}/{id}"))
    assert made.status == 201, made.body
    return id, int(made.json()["version"])


def about(seat: Seat, path: str) -> tuple[str, int]:
    """A route to ask about, if the path is about one."""
    return route_of(seat) if "{id}" in path else ("", 0)


def asked(seat: Seat, path: str, method: str, **changes: Any) -> Reply:
    """The operation as it is meant, but for ``changes``: ``id``, ``version``, ``body``, ``query`` or ``header``."""
    id, version = about(seat, path)
    body: Any = None
    if method in ("post", "put"):
        new = next(_names)
        body = declared(new if method == "post" else id, path=f"{seat.path}/{new}")
    url = path.replace("{id}", changes.get("id", id)) + changes.get("query", "")
    at = changes.get("version", version) if method in ("put", "delete") else None
    return seat.ask(method.upper(), url, changes.get("body", body), version=at, header=changes.get("header"))


def stale(seat: Seat, path: str, method: str) -> Reply:
    """Signed an hour ago."""
    id, version = about(seat, path)
    url, match = path.replace("{id}", id), f'"{version}"' if method in ("put", "delete") else ""
    request_id = READ if method == "get" else change_id(method.upper(), url, match, b"{}")
    header = sign_in(seat.account, request_id, age=3600)
    return seat.ask(method.upper(), url, b"{}", version=version if match else None, header=header)


def used(seat: Seat, path: str, method: str) -> Reply:
    """The same signed request once more."""
    id, version = about(seat, path)
    new = next(_names)
    url, match = path.replace("{id}", id), f'"{version}"' if method in ("put", "delete") else ""
    body = declared(new if method == "post" else id, path=f"{seat.path}/{new}")
    data = b"" if method == "delete" else json.dumps(body).encode()
    header = sign_in(seat.account, change_id(method.upper(), url, match, data))
    at = version if match else None
    assert seat.ask(method.upper(), url, data, version=at, header=header).status < 300
    return seat.ask(method.upper(), url, data, version=at, header=header)


def row(seat: Seat, **values: Any) -> None:
    """Write over fields of the owner's item."""
    seat.functions.client("dynamodb").update_item(
        TableName=seat.functions.resource("RoutesTable"),
        Key={"pk": {"S": f"OWNER#{seat.address.lower}"}},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
    )


def broken(seat: Seat, path: str, method: str) -> Reply:
    """The owner's item cannot be read; the document has none: its settings are gone."""
    if path == OPENAPI_PATH:
        loaded = seat.functions.loaded["admin"]
        told, loaded.environment = loaded.environment, {**loaded.environment, "TOLLGATE_ROUTES_TABLE": ""}
        seat.functions.cold("admin")
        try:
            return seat.functions.request("GET", path)
        finally:
            loaded.environment = told
            seat.functions.cold("admin")
    id, version = about(seat, path)
    row(seat, owner={"S": "{}"})
    at = version if method in ("put", "delete") else None
    return seat.ask(method.upper(), path.replace("{id}", id), None, version=at)


def lively(seat: Seat, path: str, method: str) -> Reply:
    """After as many changes as there may be."""
    id, version = about(seat, path)
    until = int(time.time()) + 200
    row(seat, used={"L": [{"S": f"nonce{n:04} {until}"} for n in range(MOST_CHANGES)]})
    at = version if method in ("put", "delete") else None
    return seat.ask(method.upper(), path.replace("{id}", id), {}, version=at)


def busy(seat: Seat, path: str, method: str) -> Reply:
    """Somebody else is always faster."""
    id, version = about(seat, path)

    def lose(*_: Any) -> int:
        raise LostRace("always")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RegisteredRoutes, "commit", lose)
        body = declared(next(_names) if method == "post" else id, path=f"{seat.path}/{next(_names)}")
        at = version if method in ("put", "delete") else None
        return seat.ask(method.upper(), path.replace("{id}", id), body, version=at)


def unsigned(seat: Seat, path: str, method: str) -> Reply:
    """Nobody signed it."""
    return seat.functions.request(method.upper(), path.replace("{id}", "tea"))


HOW: dict[int, Callable[[Seat, str, str], Reply]] = {
    200: asked,
    201: asked,
    204: asked,
    400: lambda seat, path, method: asked(seat, path, method, query="?what=ever"),
    401: unsigned,
    403: stale,
    404: lambda seat, path, method: asked(seat, path, method, id="nobodys"),
    409: used,
    412: lambda seat, path, method: asked(seat, path, method, version=10**9),
    413: lambda seat, path, method: asked(seat, path, method, body=b" " * 16_385),
    422: lambda seat, path, method: asked(seat, path, method, body={}),
    428: lambda seat, path, method: asked(seat, path, method, version=None),
    429: lively,
    431: lambda seat, path, method: asked(seat, path, method, header="A" * 8196),
    500: broken,
    503: busy,
}


def resolved(value: Any) -> Any:
    """What a reference in the document points to."""
    while isinstance(value, dict) and "$ref" in value:
        target: Any = DOCUMENT
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = target
    return value


def conforms(reply: Reply, said: dict[str, Any]) -> None:
    """Headers, media type and body."""
    for name in said.get("headers", {}):
        assert reply.headers[name.lower()]
    if "content" not in said:
        assert reply.body == b""
        return
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "private, no-store"
    schema = said["content"]["application/json"]["schema"]
    inside = {"$ref": f"urn:api{schema['$ref']}"} if "$ref" in schema else schema
    Draft202012Validator(inside, registry=REGISTRY).validate(reply.json())


def test_the_document_is_openapi_and_is_what_is_served(functions: Functions) -> None:
    """An independent reader takes it."""
    assert functions.request("GET", OPENAPI_PATH).json() == DOCUMENT
    assert DOCUMENT["openapi"] == "3.1.0"
    operations = [found.ok().label for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]
    assert sorted(operations) == sorted(f"{method.upper()} {path}" for path, method, _ in OPERATIONS)
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_its_paths_are_those_of_the_template() -> None:
    """Each has a route of its own in front of the function."""
    keys = {route["Properties"]["RouteKey"] for route in of_type(load(), "AWS::ApiGatewayV2::Route").values()}
    assert {f"ANY {path}" for path in DOCUMENT["paths"]} == {key for key in keys if "/x402/admin/" in key}


@pytest.mark.parametrize(("path", "method", "status"), STATUSES)
def test_what_is_documented_occurs_and_looks_like_it(seat: Seat, path: str, method: str, status: int) -> None:
    """Status, headers and body."""
    reply = HOW[status](seat, path, method)
    assert reply.status == status, reply.body
    conforms(reply, resolved(DOCUMENT["paths"][path][method]["responses"][str(status)]))


@pytest.mark.parametrize("label", [f"{method.upper()} {path}" for path, method, _ in OPERATIONS])
def test_nothing_undocumented_comes_of_what_schemathesis_makes_up(functions: Functions, label: str) -> None:
    """Signed by an owner, so that it gets as far as it can."""
    seat = Seat.of_an_owner(functions, f"/{next(_names)}")
    found = (one.ok() for one in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations())
    operation = next(one for one in found if one.label == label)

    @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def tried(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url="https://api.example")
        prepared = requests.Request(**{k: v for k, v in sent.items() if k in _PARTS}).prepare()
        body = prepared.body or b""
        data = body.encode() if isinstance(body, str) else body
        headers = {"if-match": case.headers["If-Match"]} if "If-Match" in (case.headers or {}) else {}
        # What makes several signed changes within minutes would meet the limit and nothing else.
        row(seat, used={"L": []})
        reply = seat.ask(prepared.method, prepared.path_url, data, headers=headers)
        said = operation.definition.raw["responses"]
        assert str(reply.status) in said, (reply.status, reply.body)
        conforms(reply, resolved(said[str(reply.status)]))
        assert reply.status < 500

    tried()


_PARTS = ("method", "url", "params", "json", "data", "headers")
