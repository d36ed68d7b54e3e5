"""An agent that is run by the call: it plans, calls its tools, and answers. A stand-in without a model behind it.

    python3 agent.py 8083

Standard library only. A real one calls its model where ``_think`` is.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_STEPS = {"low": 1, "high": 3}


class Agent(BaseHTTPRequestHandler):
    """POST /v1/runs {"task": ..., "effort": "low" or "high"}"""

    def do_POST(self) -> None:
        """One run, from the task to the answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            asked = json.loads(body)
            task, effort = asked["task"], asked.get("effort", "low")
            steps = [f"step {number}: {_think(task, number)}" for number in range(1, _STEPS[effort] + 1)]
        except (ValueError, KeyError, TypeError, AttributeError):
            # Refused before any work: passed on to the buyer, and not charged.
            self._answer(400, {"error": 'POST {"task": "...", "effort": "low"}'})
            return
        self._answer(200, {"answer": f"Done: {task}", "steps": steps, "words": len(task.split())})

    def _answer(self, status: int, said: dict[str, object]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _think(task: str, number: int) -> str:
    words = task.split()
    return f"looked at {words[(number - 1) % len(words)]!r}" if words else "nothing to look at"


def serve(port: int = 0) -> ThreadingHTTPServer:
    """A server that is ready for ``serve_forever``."""
    return ThreadingHTTPServer(("127.0.0.1", port), Agent)


if __name__ == "__main__":
    serve(int(sys.argv[1])).serve_forever()
