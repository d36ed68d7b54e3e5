"""A provider's API, as one has it by contract: a key in a header, a bill at the end of the month.

    PROVIDER_KEY=demo-key python3 provider.py 8081

Stands in for whatever you resell. Standard library only; it knows nothing of payments.
"""

import json
import os
import sys
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

KEY = os.environ.get("PROVIDER_KEY", "demo-key")
_PLACE = "/v1/quotes/"


class Provider(BaseHTTPRequestHandler):
    """GET /v1/quotes/{symbol}"""

    def do_GET(self) -> None:
        """A quote, for whoever has the key."""
        if self.headers.get("X-Api-Key") != KEY:
            self._answer(401, {"error": "who are you?"})
        elif not self.path.startswith(_PLACE):
            self._answer(404, {"error": "no such page"})
        else:
            symbol = unquote(self.path.removeprefix(_PLACE)).upper()
            cents = int.from_bytes(sha256(symbol.encode()).digest()[:2], "big")
            self._answer(200, {"symbol": symbol, "price": f"{cents / 100:.2f}", "for": self.headers.get("X-Tenant")})

    def _answer(self, status: int, said: dict[str, object]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def serve(port: int = 0) -> ThreadingHTTPServer:
    """A server that is ready for ``serve_forever``."""
    return ThreadingHTTPServer(("127.0.0.1", port), Provider)


if __name__ == "__main__":
    serve(int(sys.argv[1])).serve_forever()
