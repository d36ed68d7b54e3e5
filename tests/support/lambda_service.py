"""Lambda's synchronous Invoke over HTTP, which notes what it was asked and misbehaves when told to."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from local.http_base import Handler, Server

Behaviour = Callable[["InvokeHandler", Any], None]

HELLO = {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "hello"}


class LambdaService(Server):
    """``invoked`` has the function and the event of every call."""

    def __init__(self) -> None:
        super().__init__(InvokeHandler)
        self.invoked: list[tuple[str, Any]] = []
        self.behaviour: Behaviour = returns(HELLO)

    @property
    def event(self) -> Any:
        """The one event so far."""
        ((_, event),) = self.invoked
        return event


class InvokeHandler(Handler):
    """POST /2015-03-31/functions/<name>/invocations."""

    server: LambdaService

    def do_POST(self) -> None:
        """One Invoke."""
        event = json.loads(self.read_body(6_291_455) or b"null")
        assert self.headers.get("X-Amz-Invocation-Type", "RequestResponse") == "RequestResponse"
        self.server.invoked.append((unquote(self.path.split("/")[3]), event))
        self.server.behaviour(self, event)


def returns(value: Any) -> Behaviour:
    """What the function returns; bytes as they are."""
    return runs(lambda event: value)


def runs(handler: Callable[[Any], Any]) -> Behaviour:
    """A handler of Python's; one that raises ends as Lambda says it: status 200, and a header that says so."""

    def behave(http: InvokeHandler, event: Any) -> None:
        try:
            value = handler(event)
        except Exception as error:
            failed = {"errorMessage": str(error), "errorType": type(error).__name__}
            http.answer_json(200, failed, [("X-Amz-Function-Error", "Unhandled")])
            return
        http.answer(200, value if isinstance(value, bytes) else json.dumps(value).encode(), [])

    return behave


def refuses(status: int, code: str) -> Behaviour:
    """Lambda itself says no."""
    return lambda http, event: http.answer_json(status, {"Message": "no"}, [("x-amzn-ErrorType", code)])


def slowly(seconds: float) -> Behaviour:
    """The usual answer, late."""

    def behave(http: InvokeHandler, event: Any) -> None:
        time.sleep(seconds)
        http.answer_json(200, HELLO)

    return behave


def cut_short(payload: bytes) -> Behaviour:
    """More was announced than comes."""

    def behave(http: InvokeHandler, event: Any) -> None:
        http.send_response(200)
        http.send_header("Content-Length", str(len(payload) + 10))
        http.end_headers()
        http.wfile.write(payload)
        http.close_connection = True

    return behave


def hangs_up(http: InvokeHandler, event: Any) -> None:
    """The connection is closed without a word."""
    http.close_connection = True
