"""A connection to exactly the address that was checked, with one deadline for all that it does.

The name is resolved once, every address that it has is checked, and the socket is connected to one
of those addresses: a resolver that changes its mind has no second say (threat 87). Before every
single read and write the socket is given only what is left until the deadline, so a peer that
sends a byte now and then gains no time (threat 93).
"""

import io
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from tollgate.errors import TollgateError
from tollgate.gateway.forwarding import Destination
from tollgate.gateway.public_address import (
    is_address,
    is_odd_literal,
    is_public_address,
    is_public_name,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Host and port to the addresses of the host, as text. Raises ``OSError``.
Resolver = Callable[[str, int], Sequence[str]]
Clock = Callable[[], float]

_CHUNK = 16 * 1024


class FailureKind(StrEnum):
    """Why there is no answer that could be used."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    TOO_LARGE = "too_large"
    ADDRESS_REFUSED = "address_refused"
    INVALID_ANSWER = "invalid_answer"
    INVALID_REQUEST = "invalid_request"
    SECRET_UNAVAILABLE = "secret_unavailable"
    # Of upstreams that are Lambda functions.
    FUNCTION_ERROR = "function_error"
    FUNCTION_REFUSED = "function_refused"
    FUNCTION_NOT_FOUND = "function_not_found"
    THROTTLED = "throttled"


# Decided before there is a connection.
_BEFORE_DIALING = frozenset(
    {
        FailureKind.ADDRESS_REFUSED,
        FailureKind.INVALID_REQUEST,
        FailureKind.SECRET_UNAVAILABLE,
        FailureKind.FUNCTION_REFUSED,
    }
)


class UpstreamFailed(TollgateError):
    """The upstream gave nothing that may be charged. The text holds no URL, header or body.

    ``sent``: bytes of the request may have left; ``False`` only where none did.
    """

    def __init__(self, kind: FailureKind, *, sent: bool = True) -> None:
        super().__init__(f"the upstream failed: {kind.value}")
        self.kind = kind
        self.sent = sent and kind not in _BEFORE_DIALING


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The system's resolver; addresses in the order in which they should be tried."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class Deadline:
    """A moment on a clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._at = clock() + seconds

    def left(self) -> float:
        """Seconds that are left. Raises ``TimeoutError`` when there are none."""
        left = self._at - self._clock()
        if left <= 0:
            raise TimeoutError
        return left


class Connection:
    """A connected socket that never outlives its deadline, and never yields more than ``max_bytes``."""

    def __init__(self, connected: socket.socket, deadline: Deadline, max_bytes: int) -> None:
        self._socket = connected
        self._deadline = deadline
        self._max_bytes = max_bytes

    def send(self, data: bytes) -> None:
        """Send all of ``data``. Raises ``OSError``."""
        view = memoryview(data)
        while view:
            self._socket.settimeout(self._deadline.left())
            view = view[self._socket.send(view[:_CHUNK]) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What ``http.client`` reads an answer from."""
        return io.BufferedReader(_Reader(self._socket, self._deadline, self._max_bytes))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class _Reader(io.RawIOBase):
    def __init__(self, connected: socket.socket, deadline: Deadline, max_bytes: int) -> None:
        self._socket = connected
        self._deadline = deadline
        self._left = max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._socket.settimeout(self._deadline.left())
        count = self._socket.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise UpstreamFailed(FailureKind.TOO_LARGE)
        return count


class Dialer:
    """Opens connections."""

    def __init__(self, resolver: Resolver, allow_private: bool, tls: ssl.SSLContext) -> None:
        self._resolver = resolver
        self._allow_private = allow_private
        # Ragged ends are errors: an answer that somebody cut short must not be charged. Python up to 3.11.2 takes them
        # for ends unless it is told so here, too.
        tls.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        self._tls = tls

    def dial(self, to: Destination, deadline: Deadline, max_bytes: int) -> Connection:
        """Connect. Raises ``UpstreamFailed`` (``ADDRESS_REFUSED``) or ``OSError``."""
        connected = _connect(self._checked(to, deadline), to.port, deadline)
        try:
            if to.scheme == "https":
                connected = self._encrypted(connected, to.host, deadline)
        except BaseException:
            connected.close()
            raise
        return Connection(connected, deadline, max_bytes)

    def _checked(self, to: Destination, deadline: Deadline) -> Sequence[str]:
        literal = is_address(to.host)
        if is_odd_literal(to.host) or not (
            self._allow_private or (to.scheme == "https" and (literal or is_public_name(to.host)))
        ):
            raise UpstreamFailed(FailureKind.ADDRESS_REFUSED)
        addresses = [to.host] if literal else _within(deadline, lambda: self._resolver(to.host, to.port))
        if not all(self._allow_private or is_public_address(address) for address in addresses):
            raise UpstreamFailed(FailureKind.ADDRESS_REFUSED)
        return addresses

    def _encrypted(self, connected: socket.socket, host: str, deadline: Deadline) -> ssl.SSLSocket:
        encrypted = self._tls.wrap_socket(
            connected, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        try:
            encrypted.settimeout(deadline.left())
            encrypted.do_handshake()
        except BaseException:
            encrypted.close()
            raise
        return encrypted


def _connect(addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    """The first of the checked addresses that takes a connection; nothing has been sent to the others."""
    failure: OSError = OSError("the name has no address")
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            connected = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            failure = error
            continue
        try:
            connected.settimeout(deadline.left())
            connected.connect((address, port))
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected
        except TimeoutError:
            connected.close()
            raise
        except OSError as error:
            connected.close()
            failure = error
    raise failure


def _within(deadline: Deadline, resolve: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Run a resolver, which takes no timeout of its own, for no longer than is left."""
    answer: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()

    def run() -> None:
        try:
            answer.put(resolve())
        except OSError as error:
            answer.put(error)

    threading.Thread(target=run, name="resolve", daemon=True).start()
    found: Sequence[str] | OSError | None = None
    with suppress(queue.Empty):
        found = answer.get(timeout=deadline.left())
    if found is None:
        raise TimeoutError
    if isinstance(found, OSError):
        raise found
    return found
