"""A seller's own handler as the upstream: called once, in this process, with the event that Lambda would bring it.

What it raises is no answer, as with a function that fails; its traceback goes where Lambda would write it.
"""

import json
import secrets
import traceback
from collections.abc import Callable
from typing import Any

from tollgate.gateway.dialing import Clock, FailureKind, UpstreamFailed
from tollgate.gateway.function_event import function_payload
from tollgate.gateway.function_upstream import within_caps
from tollgate.gateway.messages import UpstreamRequest
from tollgate.gateway.upstream import UpstreamAnswer
from tollgate.payment.routes import Target

Handler = Callable[[dict[str, Any], Any], Any]


class HandlerUpstream:
    """``context`` is the Lambda context of the invocation under way. ``clock`` gives seconds, of which only differences
    count; ``now`` Unix seconds. ``domain`` is the public host name."""

    def __init__(self, handler: Handler, *, domain: str, clock: Clock, now: Clock) -> None:
        self._handler = handler
        self._domain = domain
        self._clock = clock
        self._now = now
        self.context: Any = None

    def fetch(self, target: Target, request: UpstreamRequest, timeout: float) -> UpstreamAnswer:
        """Call it once. Raises ``UpstreamFailed``, also when it came back after more than ``timeout`` seconds.

        Nothing can stop it meanwhile: a handler that outlasts its invocation dies with it, and nobody is charged.
        """
        try:
            payload = function_payload(request, domain=self._domain, now=self._now(), request_id=secrets.token_hex(16))
        except ValueError as error:
            raise UpstreamFailed(FailureKind.INVALID_REQUEST) from error
        began = self._clock()
        try:
            returned = json.dumps(self._handler(json.loads(payload), self.context)).encode()
        except Exception as error:
            traceback.print_exc()
            raise UpstreamFailed(FailureKind.FUNCTION_ERROR) from error
        if self._clock() - began > timeout:
            raise UpstreamFailed(FailureKind.TIMEOUT)
        return within_caps(returned)
