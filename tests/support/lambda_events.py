"""What API Gateway and Lambda hand to a handler, what they make of its answer, and Lambda's Invoke over HTTP."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.http_base import Handler, Server

Invoke = Callable[[str, Any], Any]


class Context:
    """A Lambda context whose time runs out."""

    memory_limit_in_mb = 512
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def __init__(self, function_name: str, arn: str, seconds: float) -> None:
        self.function_name = function_name
        self.invoked_function_arn = arn
        self._until = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end the call."""
        return max(0, int((self._until - time.monotonic()) * 1000))


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer as API Gateway would send it; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, answer: dict[str, Any]) -> "Reply":
        """Read a handler's answer. Raises ``KeyError`` when it lacks ``statusCode``."""
        text: str = answer.get("body", "")
        body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
        headers = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        return cls(answer["statusCode"], headers, body)

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def http_event(
    method: str, url: str, headers: Mapping[str, str], body: bytes, source: str, *, route_key: str, host: str
) -> dict[str, Any]:
    """An HTTP API's event in payload format 2.0; ``url`` is a path with its query."""
    parts = urlsplit(url)
    sent = {"host": host, "x-forwarded-for": source, "x-forwarded-proto": "https"}
    sent |= {name.lower(): value for name, value in headers.items()}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": sent | ({"content-length": str(len(body))} if body else {}),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": host,
            "domainPrefix": host.split(".", 1)[0],
            "http": {
                "method": method,
                "path": unquote(parts.path),
                "protocol": "HTTP/1.1",
                "sourceIp": source,
                "userAgent": sent.get("user-agent", ""),
            },
            "requestId": "UaBcDhEfoAMEJ7g=",
            "routeKey": route_key,
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": False,
    }
    if parts.query:
        query = parse_qs(parts.query, keep_blank_values=True)
        event["queryStringParameters"] = {name: ",".join(values) for name, values in query.items()}
    if body:
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event


class InvokeServer(Server):
    """Lambda's synchronous Invoke: runs ``invoke`` with the function's name and the event."""

    def __init__(self, invoke: Invoke) -> None:
        super().__init__(_InvokeHandler)
        self.invoke = invoke


class _InvokeHandler(Handler):
    server: InvokeServer

    def do_POST(self) -> None:
        """POST /2015-03-31/functions/<name>/invocations."""
        name = unquote(self.path.split("/")[3])
        event = json.loads(self.read_body(6 * 1024 * 1024) or b"null")
        try:
            self.answer_json(200, self.server.invoke(name, event))
        except Exception as error:
            # What Lambda does of a handler that raises: a 200 whose header says so.
            failure = {"errorMessage": str(error), "errorType": type(error).__name__}
            self.answer_json(200, failure, [("X-Amz-Function-Error", "Unhandled")])
