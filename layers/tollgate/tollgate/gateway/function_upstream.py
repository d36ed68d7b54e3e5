"""A Lambda function as an upstream: one synchronous Invoke, never repeated, and only a whole answer counts.

``FunctionError`` comes with status 200 and is no answer (threat 94). boto3's own retries are off, or one paid call
would run the function twice (threat 95). The stack's own functions are never invoked for a buyer: the proxy's role
may invoke settle, and only what is read here keeps a route from doing so.
"""

import math
import secrets
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError
from urllib3.exceptions import HTTPError

from tollgate.gateway.dialing import Clock, Deadline, FailureKind, UpstreamFailed
from tollgate.gateway.function_answer import read_function_answer
from tollgate.gateway.function_event import function_payload
from tollgate.gateway.messages import UpstreamRequest
from tollgate.gateway.upstream import MAX_ANSWER_BYTES, MAX_HEADER_BYTES, UpstreamAnswer
from tollgate.payment.function_names import FunctionName
from tollgate.payment.routes import FunctionTarget

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# What Lambda returns of a synchronous call at most (AWS, "Lambda quotas"); more would not be Lambda's.
_MAX_RETURNED_BYTES = 6_291_556
_CHUNK = 256 * 1024
_KINDS = {
    "TooManyRequestsException": FailureKind.THROTTLED,
    "ResourceNotFoundException": FailureKind.FUNCTION_NOT_FOUND,
    "AccessDeniedException": FailureKind.FUNCTION_REFUSED,
}


class FunctionUpstream:
    """Upstreams that are Lambda functions.

    ``make_client`` builds a Lambda client for a read timeout in seconds, with retries off; botocore fixes the timeout
    per client, so they are kept. ``own`` are the names of functions that no route may invoke. ``clock`` gives
    seconds, of which only differences count; ``now`` Unix seconds. ``domain`` is the public host name.
    """

    def __init__(
        self,
        make_client: "Callable[[float], LambdaClient]",
        own: Collection[str],
        *,
        domain: str,
        clock: Clock,
        now: Clock,
    ) -> None:
        self._make_client = make_client
        self._own = frozenset(own)
        self._domain = domain
        self._clock = clock
        self._now = now
        self._clients: dict[float, LambdaClient] = {}

    def fetch(self, target: FunctionTarget, request: UpstreamRequest, timeout: float) -> UpstreamAnswer:
        """Invoke it once and wait at most ``timeout`` seconds. Raises ``UpstreamFailed``."""
        try:
            payload = function_payload(request, domain=self._domain, now=self._now(), request_id=secrets.token_hex(16))
        except ValueError as error:
            raise UpstreamFailed(FailureKind.INVALID_REQUEST) from error
        return within_caps(self.invoke(target.function, payload, target.timeout_seconds, timeout))

    def invoke(self, function: str, payload: bytes, usual: float, timeout: float) -> bytes:
        """What it returned within ``timeout`` seconds, of the ``usual`` ones, asked once. Raises ``UpstreamFailed``."""
        try:
            if FunctionName.parse(function).name in self._own:
                raise UpstreamFailed(FailureKind.FUNCTION_REFUSED)
        except ValueError as error:
            raise UpstreamFailed(FailureKind.INVALID_REQUEST) from error
        try:
            client = self._client(timeout if timeout >= usual else _whole(timeout))
            deadline = Deadline(self._clock, timeout)
            response = client.invoke(FunctionName=function, InvocationType="RequestResponse", Payload=payload)
            returned = _read(response["Payload"], deadline)
        except (TimeoutError, ReadTimeoutError, ConnectTimeoutError) as error:
            raise UpstreamFailed(FailureKind.TIMEOUT) from error
        except ClientError as error:
            raise UpstreamFailed(_KINDS.get(error.response["Error"]["Code"], FailureKind.UNREACHABLE)) from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise UpstreamFailed(FailureKind.UNREACHABLE) from error
        if response.get("FunctionError") or response["StatusCode"] != 200:
            raise UpstreamFailed(FailureKind.FUNCTION_ERROR)
        return returned

    def _client(self, timeout: float) -> "LambdaClient":
        if timeout not in self._clients:
            self._clients[timeout] = self._make_client(timeout)
        return self._clients[timeout]


def _whole(timeout: float) -> float:
    """Rounded down, so that what happens to be left of a request does not make a client of its own each time."""
    return float(math.floor(timeout)) or timeout


def _read(payload: Any, deadline: Deadline) -> bytes:
    """All of it: botocore compares the length only when the end was read. Raises ``TimeoutError``."""
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := payload.read(_CHUNK):
            deadline.left()
            chunks.append(chunk)
            size += len(chunk)
            if size > _MAX_RETURNED_BYTES:
                raise UpstreamFailed(FailureKind.TOO_LARGE)
    finally:
        payload.close()
    return b"".join(chunks)


def within_caps(returned: bytes) -> UpstreamAnswer:
    """What a function returned, as an answer that can be passed on. Raises ``UpstreamFailed``."""
    try:
        answer = read_function_answer(returned)
    except ValueError as error:
        raise UpstreamFailed(FailureKind.INVALID_ANSWER) from error
    size = sum(len(name) + len(value) + 4 for name, value in answer.headers)
    if size > MAX_HEADER_BYTES or len(answer.body) > MAX_ANSWER_BYTES:
        raise UpstreamFailed(FailureKind.TOO_LARGE)
    return answer
