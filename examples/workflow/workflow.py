"""A workflow behind a webhook, as n8n and the like run them: accepted at once, at work for a while, then it calls back.

    python3 workflow.py 8082

It knows its payment (X-Payment-Id), so that the same payment never starts it twice, and where to say its end
(X-Payment-Callback). Standard library only.
"""

import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Workflows(ThreadingHTTPServer):
    """``seconds`` is how long each is at work; ``None``: until ``finish``."""

    daemon_threads = True

    def __init__(self, port: int, seconds: float | None) -> None:
        super().__init__(("127.0.0.1", port), Webhook)
        self.executions: dict[str, int] = {}
        self._seconds = seconds
        self._waiting: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def start(self, payment: str, callback: str, text: str) -> int:
        """The execution's number: the one that it has, if this payment started it before."""
        with self._lock:
            if payment in self.executions:
                return self.executions[payment]
            number = self.executions[payment] = len(self.executions) + 1
            self._waiting.append((callback, text))
        if self._seconds is not None:
            threading.Timer(self._seconds, self.finish).start()
        return number

    def finish(self) -> None:
        """Whatever is at work ends, and says so."""
        with self._lock:
            ended, self._waiting = self._waiting, []
        for callback, text in ended:
            body = json.dumps({"summary": _summary(text), "words": len(text.split())}).encode()
            request = urllib.request.Request(callback, body, {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=30).close()


class Webhook(BaseHTTPRequestHandler):
    """POST /webhook/summarize"""

    server: Workflows

    def do_POST(self) -> None:
        """Accept it: 202, and the name that it has here."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            text = json.loads(body)["text"]
        except (ValueError, KeyError, TypeError):
            text = None
        if self.path != "/webhook/summarize" or not isinstance(text, str):
            self._answer(400, {"error": 'POST {"text": ...}'})
            return
        number = self.server.start(self.headers["X-Payment-Id"], self.headers["X-Payment-Callback"], text)
        self._answer(202, {"executionId": number})

    def _answer(self, status: int, said: dict[str, object]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _summary(text: str) -> str:
    return text.split(".", 1)[0].strip() + "."


def serve(port: int = 0, seconds: float | None = 1.0) -> Workflows:
    """A server that is ready for ``serve_forever``."""
    return Workflows(port, seconds)


if __name__ == "__main__":
    serve(int(sys.argv[1])).serve_forever()
