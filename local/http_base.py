"""What the local HTTP servers share: threads, keep-alive, a free port of 127.0.0.1, a quiet log."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """A server on a thread of its own. Reachable from every loopback address (127.0.0.2 and so on)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type["Handler"], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with a body reader and an answer writer."""

    protocol_version = "HTTP/1.1"
    server_version = "tollgate-local"
    sys_version = ""
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def read_body(self, limit: int) -> bytes | None:
        """The request's body, or None when it is longer than ``limit`` bytes."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunks(limit)
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(length) if length <= limit else None

    def answer(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
        """Send a whole response; Content-Length is added, and a HEAD's body is left out."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        bodiless = status in (204, 304) or status < 200
        if not bodiless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not bodiless and self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, status: int, value: Any, headers: list[tuple[str, str]] | None = None) -> None:
        body = json.dumps(value, separators=(",", ":")).encode()
        self.answer(status, body, [("Content-Type", "application/json"), *(headers or [])])

    def _read_chunks(self, limit: int) -> bytes | None:
        body = b""
        while size := int(self.rfile.readline(66).split(b";")[0], 16):
            if len(body) + size > limit:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(3)
        while self.rfile.readline(1024) not in (b"\r\n", b"\n", b""):
            pass
        return body
