"""The admin API over HTTP, for owners.

GET    /x402/admin/routes                              one's own routes
POST   /x402/admin/routes                              register one
GET    /x402/admin/routes/{id}                         read one; ETag is its version
PUT    /x402/admin/routes/{id}                         put another in its place, under If-Match
DELETE /x402/admin/routes/{id}                         take it away, under If-Match
GET    /x402/admin/routes/{id}/versions[?before=N]     what it was before
GET    /x402/admin/changes[?before=N]                  who changed what, and when
GET    /x402/admin/openapi.json                        this, as OpenAPI 3.1
{"op": "register", "signIn": "...", "declaration": "..."}     invoked, by IAM: the same POST, which was paid for
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tollgate.edge.json_api import error_answer, json_answer
from tollgate.errors import BadRequest
from tollgate.gateway.admin.openapi import OPENAPI_PATH, document
from tollgate.gateway.admin.routes import CHANGES_PATH, ROUTES_PATH, OwnedRoutes
from tollgate.gateway.admin.sign_in import AdminRefused
from tollgate.gateway.catalogue import MethodNotAllowed
from tollgate.gateway.messages import Answer, Request
from tollgate.wire import headers

METHODS = ("GET", "POST", "PUT", "DELETE")
_BEFORE = re.compile(r"before=([1-9][0-9]{0,14})")
_ONE = re.compile(rf"{ROUTES_PATH}/([^/]+)(/versions)?")

Serve = Callable[[], Answer]


def serve(routes: OwnedRoutes, request: Request, *, paid: bool = False) -> Answer:
    """Serve one request. Raises ``BadRequest`` for what cannot be read."""
    try:
        ways = _ways(routes, request, paid=paid)
        if request.method not in ways:
            raise MethodNotAllowed(ways)
        return ways[request.method]()
    except AdminRefused as refused:
        return _refused(refused)
    except MethodNotAllowed as wrong:
        plain = error_answer(wrong)
        return Answer(plain.status, (*plain.headers, ("allow", wrong.allow)), plain.body)


def answer(routes: OwnedRoutes, event: Mapping[str, Any]) -> dict[str, Any]:
    """Register for whom IAM let in; whoever that is has been paid for it. Raises ``ValueError`` for another event."""
    if event.get("op") != "register":
        raise ValueError("op must be register")
    # Half a surrogate pair is no UTF-8, which is then said of it.
    body = str(event["declaration"]).encode(errors="surrogatepass")
    request = Request("POST", ROUTES_PATH, "", {headers.SIGN_IN_WITH_X: str(event["signIn"])}, body, "")
    try:
        given = serve(routes, request, paid=True)
    except BadRequest as bad:
        given = error_answer(bad)
    return {"statusCode": given.status, "headers": dict(given.headers), "body": given.body.decode()}


def _ways(routes: OwnedRoutes, request: Request, *, paid: bool) -> dict[str, Serve]:
    """What each method does at this path. Raises ``BadRequest`` 404."""
    path = request.raw_path
    if path == ROUTES_PATH:
        return {
            "GET": _plain(request, lambda: json_answer(routes.listed(request))),
            "POST": _plain(request, lambda: _made(*routes.register(request, paid=paid))),
        }
    if path == CHANGES_PATH:
        return {"GET": lambda: json_answer(routes.changes(request, _before(request)))}
    if path == OPENAPI_PATH:
        return {"GET": _plain(request, lambda: json_answer(document(routes.sign_ins.base_url)))}
    match = _ONE.fullmatch(path)
    if match is None:
        raise BadRequest(404, "unknown_path", f"There is nothing here; {OPENAPI_PATH} says what there is.")
    id = match[1]
    if match[2]:
        return {"GET": lambda: json_answer(routes.versions(request, id, _before(request)))}
    return {
        "GET": _plain(request, lambda: _tagged(200, *routes.show(request, id))),
        "PUT": _plain(request, lambda: _tagged(200, *routes.change(request, id))),
        "DELETE": _plain(request, lambda: _removed(routes, request, id)),
    }


def _plain(request: Request, serve: Serve) -> Serve:
    def checked() -> Answer:
        if request.raw_query:
            raise BadRequest(400, "invalid_parameters", "This endpoint takes no parameters.")
        return serve()

    return checked


def _before(request: Request) -> int | None:
    if not request.raw_query:
        return None
    match = _BEFORE.fullmatch(request.raw_query)
    if match is None:
        raise BadRequest(400, "invalid_parameters", "The only parameter is before, a version: ?before=17")
    return int(match[1])


def _made(view: dict[str, Any], version: int) -> Answer:
    answer = _tagged(201, view, version)
    return Answer(answer.status, (*answer.headers, ("location", f"{ROUTES_PATH}/{view['id']}")), answer.body)


def _tagged(status: int, view: dict[str, Any], version: int) -> Answer:
    plain = json_answer(view)
    return Answer(status, (*plain.headers, *((("etag", f'"{version}"'),) if version else ())), plain.body)


def _removed(routes: OwnedRoutes, request: Request, id: str) -> Answer:
    routes.remove(request, id)
    return Answer(204, (("cache-control", "private, no-store"),))


def _refused(refused: AdminRefused) -> Answer:
    body = {"error": refused.sentence, "code": refused.code, "details": dict(refused.details)}
    kept = [(name, value) for name, value in error_answer(refused).headers if name != "www-authenticate"]
    return Answer(refused.status, (*kept, *refused.headers), json.dumps(body, separators=(",", ":")).encode())
