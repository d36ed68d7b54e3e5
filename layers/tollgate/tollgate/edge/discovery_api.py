"""The discovery function's HTTP API.

    GET /x402/config            GET /.well-known/x402
    GET /discovery/resources    GET /discovery/search

They may be kept by anybody for a minute: they are the same for everybody, and a catalogue may be as old.
"""

import json
from collections.abc import Callable

from tollgate.gateway.discovery.documents import Documents
from tollgate.gateway.discovery.listing import CACHE
from tollgate.gateway.messages import Answer, Request

GET = ("GET", "HEAD")


def documents(source: Callable[[], Documents]) -> Callable[[Request], Answer]:
    """Serves a request. Raises ``BadRequest`` 400 or 404."""

    def serve(request: Request) -> Answer:
        message = source().get(request.raw_path, request.raw_query)
        body = json.dumps(message, separators=(",", ":")).encode()
        return Answer(200, (CACHE, ("content-type", "application/json")), body)

    return serve
