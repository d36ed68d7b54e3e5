"""CORS as an HTTP API applies its CorsConfiguration: to preflights, and to what an integration answered.

What an integration says about CORS itself is ignored; answers that API Gateway makes on its own
(404, 413, 431, 500, 503) are not promised any CORS headers, so they get none here. Source: AWS,
"Configure CORS for HTTP APIs in API Gateway".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Cors:
    """CorsConfiguration; header names in lower case, ``max_age`` in seconds.

    An origin is exact, ``*``, or all of a scheme: ``https://*`` or ``http://*``.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    allow_headers: tuple[str, ...]
    expose_headers: tuple[str, ...]
    max_age: int | None
    credentials: bool = False

    def preflight(self, origin: str | None) -> Headers:
        """The headers of a preflight's answer; none for an origin that is not allowed."""
        headers = self._allowed(origin)
        if headers:
            headers.append(("access-control-allow-methods", ",".join(self.methods)))
            headers.append(("access-control-allow-headers", ",".join(self.allow_headers)))
            if self.max_age is not None:
                headers.append(("access-control-max-age", str(self.max_age)))
        return headers

    def answered(self, origin: str | None) -> Headers:
        """The headers added to an integration's answer."""
        headers = self._allowed(origin)
        if headers and self.expose_headers:
            headers.append(("access-control-expose-headers", ",".join(self.expose_headers)))
        return headers

    def _allowed(self, origin: str | None) -> Headers:
        """One origin at most: the caller's, or ``*``. Several values in this header are valid nowhere."""
        if origin is None:
            return []
        if "*" in self.origins:
            return [("access-control-allow-origin", "*")]
        scheme = origin.partition("://")[0]
        if origin not in self.origins and f"{scheme}://*" not in self.origins:
            return []
        headers = [("access-control-allow-origin", origin)]
        if self.credentials:
            headers.append(("access-control-allow-credentials", "true"))
        return headers


def read_cors(said: Mapping[str, Any] | None) -> Cors | None:
    """Read a CorsConfiguration. Raises ``ValueError`` for what API Gateway refuses to create."""
    if said is None:
        return None
    cors = Cors(
        origins=tuple(said.get("AllowOrigins", ())),
        methods=tuple(said.get("AllowMethods", ())),
        allow_headers=tuple(h.lower() for h in said.get("AllowHeaders", ())),
        expose_headers=tuple(h.lower() for h in said.get("ExposeHeaders", ())),
        max_age=said.get("MaxAge"),
        credentials=bool(said.get("AllowCredentials", False)),
    )
    if cors.credentials and "*" in cors.origins:
        raise ValueError("AllowCredentials is not supported where AllowOrigins is *")
    return cors
