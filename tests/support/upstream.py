"""A small upstream over HTTP that counts how often it ran, and misbehaves when told to."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One connection; a behaviour answers on it."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        with self.server.lock:
            self.server.seen.append((self.command, self.path, dict(self.headers.items()), body))
        self.server.behaviour(self)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.behaviour: Behaviour = sunny

    def handle_error(self, request: object, client_address: object) -> None:
        """A proxy that was killed meanwhile is no news."""


def sunny(handler: Handler) -> None:
    """The usual answer."""
    handler.answer(200, b"sunny")


def answers(status: int, body: bytes = b"no", headers: dict[str, str] | None = None) -> Behaviour:
    """Always this answer."""
    return lambda handler: handler.answer(status, body, headers)


def slowly(seconds: float) -> Behaviour:
    """The usual answer, late."""

    def behave(handler: Handler) -> None:
        time.sleep(seconds)
        sunny(handler)

    return behave


class CountingUpstream:
    """Runs until ``stop``; ``behaviour`` may be replaced at any time."""

    def __init__(self) -> None:
        self._server = _Server()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Base URL without a trailing slash."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def runs(self) -> int:
        """How often it ran."""
        return len(self._server.seen)

    @property
    def seen(self) -> list[tuple[str, str, dict[str, str], bytes]]:
        """Method, path, headers and body of every run."""
        return list(self._server.seen)

    def behave(self, behaviour: Behaviour) -> None:
        """Answer like this from now on."""
        self._server.behaviour = behaviour

    def hold(self) -> None:
        """Let every run wait until ``release``."""
        self._go = threading.Event()
        self._held_from = self.runs
        go = self._go

        def behave(handler: Handler) -> None:
            go.wait(30)
            sunny(handler)

        self.behave(behave)

    def wait_entered(self, count: int = 1) -> None:
        """Wait until that many runs have begun since ``hold``."""
        deadline = time.monotonic() + 20
        while self.runs < self._held_from + count:
            if time.monotonic() > deadline:
                raise AssertionError(f"only {self.runs - self._held_from} of {count} runs began")
            time.sleep(0.01)

    def release(self) -> None:
        """Let the held runs answer, and all others too."""
        self.behave(sunny)
        self._go.set()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
