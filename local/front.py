"""The front door: an API Gateway HTTP API for the local stack.

MiniStack's own one puts a fixed address where the client's belongs and applies neither routes nor
CORS of the template. This one turns each request into a payload-format-2.0 event, invokes the
function through the local AWS, and renders what it answers by the rules of HTTP APIs. Source of
the rules and limits: AWS, "Working with AWS Lambda proxy integrations for HTTP APIs" and "Quotas".
"""

import base64
import itertools
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import urllib3

from local.api_template import Api
from local.http_base import Handler, Server

HEADER_CAP = 10_240  # bytes, request line and header values together
BODY_CAP = 10 * 1024 * 1024
INTEGRATION_SECONDS = 30.0
RESPONSE_CAP = 6_291_556  # bytes of a Lambda's JSON answer

_TEXT = ("text/", "application/json", "application/javascript", "application/xml")
_CONNECTION = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


class FrontDoor(Server):
    """``functions`` maps the template's logical ids to the deployed functions' names.

    AWS answers preflights "even if there isn't an OPTIONS route", but also says that ``$default``
    catches OPTIONS. ``preflights_reach_functions`` is the second reading: the function answers, and
    the CORS headers are added. Tests try both.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(_Handler, port)
        self.api = Api((), None)
        self.preflights_reach_functions = False
        self.functions: Mapping[str, str] = {}
        self.endpoint = ""
        self.http = urllib3.PoolManager(maxsize=64, retries=False)
        self.numbers = itertools.count(1)

    def open(self, api: Api, functions: Mapping[str, str], endpoint: str) -> None:
        """Say what stands behind the door, then answer requests."""
        self.api, self.functions, self.endpoint = api, functions, endpoint
        self.start()


class _Handler(Handler):
    server: FrontDoor

    def handle_request(self) -> None:
        self.request_id = f"local-{next(self.server.numbers):08d}"
        line = self.requestline.split()
        target = line[1] if len(line) > 1 else "/"
        path, _, query = target.partition("?")
        size = len(self.requestline.encode()) + sum(len(v.encode()) for v in self.headers.values())
        if size > HEADER_CAP:
            return self._refuse(431, "Request Header Fields Too Large")
        body = self.read_body(BODY_CAP)
        if body is None:
            return self._refuse(413, "Request Entity Too Large")
        cors = self.server.api.cors
        if cors is not None and self._is_preflight() and not self.server.preflights_reach_functions:
            return self.answer(204, b"", cors.preflight(self.headers.get("Origin")))
        route = next((r for r in self.server.api.routes if r.matches(self.command, path)), None)
        if route is None:
            return self.answer_json(404, {"message": "Not Found"})
        event = self._event(route.key, path or "/", query, body)
        return self._render(self.server.functions[route.function], event)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_request

    def _refuse(self, status: int, message: str) -> None:
        self.close_connection = True
        self.answer_json(status, {"message": message}, [("Connection", "close")])

    def _event(self, route_key: str, path: str, query: str, body: bytes) -> dict[str, Any]:
        source = str(self.client_address[0])
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            if key not in _CONNECTION and key != "cookie":
                headers[key] = f"{headers[key]},{value}" if key in headers else value
        host = headers.get("host", "")
        forwarded = headers.get("x-forwarded-for")
        headers["x-forwarded-for"] = f"{forwarded}, {source}" if forwarded else source
        headers["x-forwarded-proto"] = "http"
        headers["content-length"] = str(len(body))
        now = time.time()
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "domainName": host,
                "domainPrefix": host.partition(".")[0],
                "http": {
                    "method": self.command,
                    "path": path,
                    "protocol": self.request_version,
                    "sourceIp": source,
                    "userAgent": headers.get("user-agent", ""),
                },
                "requestId": self.request_id,
                "routeKey": route_key,
                "stage": "$default",
                "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
                "timeEpoch": int(now * 1000),
            },
            "isBase64Encoded": False,
        }
        cookies = [c.strip() for line in self.headers.get_all("Cookie", []) for c in line.split(";")]
        if cookies:
            event["cookies"] = cookies
        if body:
            event["body"], event["isBase64Encoded"] = _event_body(body, headers.get("content-type", ""))
        return event

    def _render(self, function: str, event: Mapping[str, Any]) -> None:
        url = f"{self.server.endpoint}/2015-03-31/functions/{quote(function)}/invocations"
        try:
            invoked = self.server.http.request(
                "POST",
                url,
                body=json.dumps(event).encode(),
                headers={"Content-Type": "application/json", "X-Amz-Invocation-Type": "RequestResponse"},
                timeout=urllib3.Timeout(connect=5, read=INTEGRATION_SECONDS),
            )
        except urllib3.exceptions.HTTPError:
            return self.answer_json(503, {"message": "Service Unavailable"})
        if invoked.status == 429:
            return self.answer_json(503, {"message": "Service Unavailable"})
        rendered = None
        if invoked.status == 200 and "X-Amz-Function-Error" not in invoked.headers:
            rendered = _read_answer(invoked.data)
        if rendered is None:
            return self.answer_json(500, {"message": "Internal Server Error"})
        status, headers, body = rendered
        return self.answer(status, body, [*headers, ("apigw-requestid", self.request_id), *self._cors()])

    def _is_preflight(self) -> bool:
        return (
            self.command == "OPTIONS" and "Origin" in self.headers and "Access-Control-Request-Method" in self.headers
        )

    def _cors(self) -> list[tuple[str, str]]:
        cors, origin = self.server.api.cors, self.headers.get("Origin")
        if cors is None:
            return []
        return cors.preflight(origin) if self._is_preflight() else cors.answered(origin)


def _event_body(body: bytes, content_type: str) -> tuple[str, bool]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith(_TEXT) or kind.endswith(("+json", "+xml")):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            return base64.b64encode(body).decode(), True
    return base64.b64encode(body).decode(), True


def _read_answer(payload: bytes) -> tuple[int, list[tuple[str, str]], bytes] | None:
    """Status, headers and body of a function's answer; None is API Gateway's 500."""
    if len(payload) > RESPONSE_CAP:
        return None
    answer = json.loads(payload)
    if not isinstance(answer, dict) or "statusCode" not in answer:
        # Format 2.0: JSON without a status code is the body of a 200.
        return 200, [("content-type", "application/json")], payload
    try:
        status, text = int(answer["statusCode"]), answer.get("body") or ""
        body = base64.b64decode(text, validate=True) if answer.get("isBase64Encoded") else text.encode()
    except (AttributeError, TypeError, ValueError):
        return None
    headers = [
        (str(name).lower(), str(value))
        for name, value in (answer.get("headers") or {}).items()
        if str(name).lower() not in _CONNECTION | {"content-length"}
        and not str(name).lower().startswith("access-control-")
    ]
    headers += [("set-cookie", str(cookie)) for cookie in answer.get("cookies") or []]
    if body and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    return status, headers, body
