"""All kinds of upstreams behind one ``fetch``; what Lambda functions need is made when a route first asks for one."""

from collections.abc import Callable, Mapping
from typing import Protocol

from tollgate.gateway.function_upstream import FunctionUpstream
from tollgate.gateway.messages import UpstreamRequest
from tollgate.gateway.upstream import UpstreamAnswer
from tollgate.payment.routes import ApiTarget, FunctionTarget, Target, UpstreamTarget


class HttpFetch(Protocol):
    """``HttpUpstream``."""

    def fetch(
        self,
        target: UpstreamTarget,
        params: Mapping[str, str],
        method: str,
        raw_query: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,
    ) -> UpstreamAnswer:
        """Ask the upstream once, within ``timeout`` seconds. Raises ``UpstreamFailed``."""


class Upstreams:
    """HTTP APIs and Lambda functions."""

    def __init__(self, http: HttpFetch, make_functions: Callable[[], FunctionUpstream]) -> None:
        self._http = http
        self._make_functions = make_functions
        self._functions: FunctionUpstream | None = None

    def fetch(self, target: Target, request: UpstreamRequest, timeout: float) -> UpstreamAnswer:
        """Run the upstream exactly once, within ``timeout`` seconds. Raises ``UpstreamFailed``."""
        if isinstance(target, FunctionTarget):
            if self._functions is None:
                self._functions = self._make_functions()
            return self._functions.fetch(target, request, timeout)
        if isinstance(target, ApiTarget):
            raise TypeError("what an authorizer sells is not asked for by anybody else")
        return self._http.fetch(
            target, request.params, request.method, request.raw_query, request.headers, request.body, timeout
        )
