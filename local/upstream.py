"""The small API that the demo and the tests put a price on. It knows nothing of payments; it counts.

/weather/{city}   a forecast                  /slow?seconds=3   a late one
/fail?status=503  an answer with that status  /big?bytes=90000  a long body
/redirect         302 to /weather/oslo        /drip?seconds=5   a body that comes a byte at a time
/report/{name}    a report, dear to make
/answer?status=201  that status and a Location, with every header that must not pass
/echo             method, path, query, headers and body as they arrived
"""

import time
from collections import Counter
from hashlib import sha256
from threading import Event, Lock
from urllib.parse import parse_qs, unquote, urlsplit

from local.http_base import Handler, Server

# A Location, validators, and what a hostile or careless API adds: caching for all, a session, payment headers.
_TELLTALE = (
    ("Location", "/things/1"),
    ("ETag", '"v1"'),
    ("Last-Modified", "Sat, 21 Nov 2026 00:00:00 GMT"),
    ("Cache-Control", "public, max-age=3600"),
    ("CDN-Cache-Control", "max-age=3600"),
    ("Expires", "Sat, 21 Nov 2099 00:00:00 GMT"),
    ("Set-Cookie", "session=1"),
    ("PAYMENT-RESPONSE", "Zm9yZ2Vk"),
    ("PAYMENT-REQUIRED", "Zm9yZ2Vk"),
    ("X-PAYMENT-RESPONSE", "Zm9yZ2Vk"),
    ("Access-Control-Allow-Origin", "https://evil.example"),
)
_SKIES = ("clear", "cloudy", "rain", "snow", "fog")


class Upstream(Server):
    """``runs`` counts requests by path."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.runs: Counter[str] = Counter()
        self._lock = Lock()
        self._open = Event()
        self._open.set()

    def hold(self) -> None:
        """Keep the requests that come from now on waiting until ``release``; they count as runs."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def begin(self, path: str) -> None:
        with self._lock:
            self.runs[path] += 1
        self._open.wait(60)


class _Handler(Handler):
    server: Upstream

    def handle_request(self) -> None:
        split = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        body = self.read_body(20_000_000) or b""
        self.server.begin(split.path)
        seconds = float(query.get("seconds", "3"))
        match split.path:
            case "/slow":
                time.sleep(seconds)
                self.answer_json(200, {"slept": seconds})
            case "/fail":
                self.answer_json(int(query.get("status", "500")), {"error": "as asked"})
            case "/big":
                self.answer(200, b"x" * int(query.get("bytes", "90000")), [("Content-Type", "text/plain")])
            case "/answer":
                self.answer(int(query["status"]), b"made", [*_TELLTALE, ("Content-Type", "text/plain")])
            case "/redirect":
                self.answer(302, b"", [("Location", "/weather/oslo")])
            case "/drip":
                self._drip(seconds)
            case "/echo":
                said = {
                    "method": self.command,
                    "path": split.path,
                    "query": split.query,
                    "body": body.decode("latin-1"),
                }
                self.answer_json(200, said | {"headers": [list(item) for item in self.headers.items()]})
            case path if path.startswith("/report/"):
                self.answer_json(200, {"report": path.removeprefix("/report/")})
            case path if path.startswith("/weather/") and len(path) > len("/weather/"):
                self.answer_json(200, _forecast(unquote(path.removeprefix("/weather/"))))
            case _:
                self.answer_json(404, {"error": "no such page"})

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

    def _drip(self, seconds: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "100")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b".")
            self.wfile.flush()
            time.sleep(seconds / 100)


def _forecast(city: str) -> dict[str, object]:
    """The same for a city each time."""
    seed = sha256(city.encode()).digest()
    return {"city": city, "sky": _SKIES[seed[0] % len(_SKIES)], "celsius": seed[1] % 45 - 10}
