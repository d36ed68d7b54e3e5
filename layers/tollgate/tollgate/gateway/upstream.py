"""One HTTP/1.1 request to an upstream: one attempt, no redirects, no second guesses.

The answer is either whole and within its caps or ``UpstreamFailed``; a status of any kind, 3xx too,
is an answer, and the caller decides what may be charged (rule 7; threats 87-95).
"""

import http.client
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import errors as defects
from typing import Any, cast

from tollgate.errors import TollgateError
from tollgate.gateway.dialing import (
    Clock,
    Connection,
    Deadline,
    Dialer,
    FailureKind,
    Resolver,
    UpstreamFailed,
    system_resolver,
)
from tollgate.gateway.forwarding import Destination, confusable, destination, is_field, may_be_set
from tollgate.payment.routes import UpstreamHeader, UpstreamTarget

__all__ = ["MAX_ANSWER_BYTES", "FailureKind", "HttpUpstream", "UpstreamAnswer", "UpstreamFailed"]

# 4.5 MiB: base64 of more is over what Lambda can return, whatever else the answer holds.
MAX_ANSWER_BYTES = 4_718_592
MAX_HEADER_BYTES = 16 * 1024
# What an answer may weigh on the wire, times its body's cap: chunks of one byte take six.
_FRAMING = 8

_METHOD = re.compile(r"[A-Z]{3,10}")
_LENGTH = re.compile(r"[0-9]{1,18}")
# Lines between the headers that are none; those of a multipart body, which is not parsed here, are fine.
_HEAD_DEFECTS = (
    defects.FirstHeaderLineIsContinuationDefect,
    defects.InvalidHeaderDefect,
    defects.MissingHeaderBodySeparatorDefect,
)
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """What the upstream answered; header names are lower case, and nothing is stripped yet."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


class HttpUpstream:
    """Upstreams over HTTPS.

    ``allow_private`` also admits private addresses and plain HTTP (local stacks only). ``clock``
    gives seconds, of which only differences count. ``secrets`` gives the value of a named secret.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        clock: Clock,
        secrets: Callable[[str], str],
        resolver: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._dialer = Dialer(resolver, allow_private, tls or ssl.create_default_context())
        self._clock = clock
        self._secrets = secrets
        self._max_answer_bytes = max_answer_bytes

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
        """Ask the upstream once, within ``timeout`` seconds from name resolution to the last byte.

        ``headers`` are those of ``forwarding.request_headers``. Raises ``UpstreamFailed``.
        """
        deadline = Deadline(self._clock, timeout)
        to = _destination(target, params, raw_query)
        sent = False
        try:
            message = self._message(target, to, method, headers, body, deadline)
            connection = self._dialer.dial(to, deadline, MAX_HEADER_BYTES + _FRAMING * self._max_answer_bytes)
            try:
                sent = True
                connection.send(message)
                return self._read(connection, method)
            finally:
                connection.close()
        except TimeoutError as error:
            raise UpstreamFailed(FailureKind.TIMEOUT, sent=sent) from error
        except http.client.HTTPException as error:
            raise UpstreamFailed(FailureKind.INVALID_ANSWER) from error
        except OSError as error:
            raise UpstreamFailed(FailureKind.UNREACHABLE, sent=sent) from error

    def _message(
        self,
        target: UpstreamTarget,
        to: Destination,
        method: str,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
    ) -> bytes:
        own = {header.name.lower(): self._value(header, deadline) for header in target.headers}
        # A server may read x-api-key for X_Api_Key: what looks like the route's is not the buyer's to send (threat 91).
        taken = {confusable(name) for name in own}
        fields = {name.lower(): value for name, value in headers.items() if confusable(name) not in taken} | own
        # Ours, whatever came in: the length is that of the bytes which follow.
        fields |= {"host": to.authority, "accept-encoding": "identity", "connection": "close"}
        fields.pop("content-length", None)
        fields.pop("transfer-encoding", None)
        if body or method in _WITH_BODY:
            fields["content-length"] = str(len(body))
        if _METHOD.fullmatch(method) is None or not all(is_field(*pair) for pair in fields.items()):
            raise UpstreamFailed(FailureKind.INVALID_REQUEST)
        lines = [f"{method} {to.target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
        try:
            return "\r\n".join(lines).encode() + body
        except UnicodeEncodeError as error:
            raise UpstreamFailed(FailureKind.INVALID_REQUEST) from error

    def _value(self, header: UpstreamHeader, deadline: Deadline) -> str:
        value, wrong = header.value, FailureKind.INVALID_REQUEST
        if header.secret is not None:
            wrong = FailureKind.SECRET_UNAVAILABLE
            try:
                value = self._secrets(header.secret)
            except TollgateError as error:
                raise UpstreamFailed(wrong) from error
            deadline.left()
        if not value or not value.isprintable() or not may_be_set(header.name):
            raise UpstreamFailed(wrong)
        return value

    def _read(self, connection: Connection, method: str) -> UpstreamAnswer:
        # HTTPResponse only ever calls makefile on what it is given.
        response = http.client.HTTPResponse(cast(Any, connection), method=method)
        try:
            response.begin()
            headers = tuple((name.lower(), value) for name, value in response.getheaders())
            _check_head(response, headers)
            if (response.length or 0) > self._max_answer_bytes:
                raise UpstreamFailed(FailureKind.TOO_LARGE)
            body = response.read(self._max_answer_bytes + 1)
            if len(body) > self._max_answer_bytes:
                raise UpstreamFailed(FailureKind.TOO_LARGE)
            if response.length:
                raise UpstreamFailed(FailureKind.INVALID_ANSWER)
            return UpstreamAnswer(response.status, headers, body)
        except ValueError as error:  # of a chunk's negative length
            raise UpstreamFailed(FailureKind.INVALID_ANSWER) from error
        finally:
            response.close()


def _destination(target: UpstreamTarget, params: Mapping[str, str], raw_query: str) -> Destination:
    try:
        return destination(target.url, params, raw_query)
    except ValueError as error:
        raise UpstreamFailed(FailureKind.INVALID_REQUEST) from error


def _check_head(response: http.client.HTTPResponse, headers: tuple[tuple[str, str], ...]) -> None:
    """Refuse an answer whose end or headers two readers could see differently."""
    if sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEADER_BYTES:
        raise UpstreamFailed(FailureKind.TOO_LARGE)
    lengths = {value.strip() for name, value in headers if name == "content-length"}
    codings = [value.strip().lower() for name, value in headers if name == "transfer-encoding"]
    if (
        response.status < 200
        or any(isinstance(defect, _HEAD_DEFECTS) for defect in response.msg.defects)
        or len(lengths) > 1
        or not all(_LENGTH.fullmatch(length) for length in lengths)
        or codings not in ([], ["chunked"])
        or (codings and lengths)
        or not all(is_field(name, value) for name, value in headers)
    ):
        raise UpstreamFailed(FailureKind.INVALID_ANSWER)
