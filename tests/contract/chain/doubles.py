"""An RPC endpoint over real HTTP whose answers a test writes, honest or hostile."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# The path of every double's URL: what hosted endpoints put there is their customer's API key.
SECRET = "v2/KEY-0123456789abcdef"

Method = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """A JSON-RPC error to answer with."""

    code: int
    message: str
    data: Any = None


@dataclass
class Exchange:
    """One HTTP request as it came in, and the raw way to answer it."""

    handler: BaseHTTPRequestHandler
    body: Any

    def send(self, status: int, data: bytes, **headers: str) -> None:
        """Answer with any status, body and headers (``_`` stands for ``-``)."""
        self.handler.send_response(status)
        for name, value in {"content_length": str(len(data)), **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def send_json(self, value: Any) -> None:
        """Answer 200 with JSON."""
        self.send(200, json.dumps(value).encode())


@dataclass
class Node:
    """What a test sees of a double: where it is, what was asked, how many connections came."""

    url: str
    answer: Callable[[Exchange], None]
    methods: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    connections: int = 0


def replay(methods: dict[str, Any]) -> Callable[[Exchange], None]:
    """Answer each call from a table: a value, a ``Fault``, or a function of the params. Others are -32601."""

    def one(call: dict[str, Any]) -> dict[str, Any]:
        found = methods.get(call["method"], Fault(-32601, "Method not found"))
        result = found(*call["params"]) if callable(found) else found
        envelope = {"jsonrpc": "2.0", "id": call["id"]}
        if isinstance(result, Fault):
            return envelope | {"error": {"code": result.code, "message": result.message, "data": result.data}}
        return envelope | {"result": result}

    def answer(exchange: Exchange) -> None:
        body = exchange.body
        exchange.send_json([one(call) for call in body] if isinstance(body, list) else one(body))

    return answer


@contextmanager
def rpc_node(answer: Callable[[Exchange], None]) -> Iterator[Node]:
    """Serve ``answer`` on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            node.connections += 1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            node.bodies.append(body)
            node.methods += [call["method"] for call in (body if isinstance(body, list) else [body])]
            try:
                node.answer(Exchange(self, body))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def do_GET(self) -> None:
            node.methods.append("GET")
            self.send_error(400)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    node = Node(f"http://127.0.0.1:{server.server_port}/{SECRET}", answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
