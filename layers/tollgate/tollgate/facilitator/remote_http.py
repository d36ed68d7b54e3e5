"""A remote facilitator over HTTP: one attempt, no redirects, one deadline, the dialing rules of upstreams.

The headers that it wants, such as a bearer key, are a secret: they stand in no log and no error.
"""

import json
import ssl
from collections.abc import Callable
from enum import StrEnum

from tollgate.errors import ConfigurationError, TollgateError
from tollgate.facilitator.remote_messages import MAX_ANSWER_BYTES
from tollgate.gateway.dialing import Clock, UpstreamFailed
from tollgate.gateway.forwarding import is_field, may_be_set
from tollgate.gateway.upstream import HttpUpstream
from tollgate.payment.routes import UpstreamTarget

_OURS = {"content-type": "application/json", "accept": "application/json", "user-agent": "tollgate"}
# What a facilitator may be told about itself: everything but how the message is carried and what it is.
_REFUSED = frozenset({"content-type", "accept"})


class Reach(StrEnum):
    """How far a payment came with a facilitator that does not say that it settled it."""

    # No byte of it left: nobody else can have it.
    NOWHERE = "nowhere"
    # Taken, and turned down in so many words.
    REFUSED = "refused"
    # It may be at work.
    UNCLEAR = "unclear"


# Whoever waited for it gave up; it may be at work all the same.
_GAVE_UP = frozenset({408, 499, 504, 522, 524})


class NoAnswer(TollgateError):
    """The facilitator gave nothing that could be read; the text is a code. ``reach`` says what it may have."""

    def __init__(self, code: str, reach: Reach = Reach.UNCLEAR) -> None:
        super().__init__(code)
        self.reach = reach


class HeadersMissing(NoAnswer):
    """The secret with the headers cannot be used: nothing was sent."""

    def __init__(self, code: str) -> None:
        super().__init__(code, Reach.NOWHERE)


def parse_headers(secret: str, url: str, *, alone: bool) -> dict[str, str]:
    """The headers that a secret holds for the facilitator at ``url``, by lower-case name.

    The secret is an object from URL to headers, or, for one that is ``alone``, the headers themselves: those of
    one must never reach another. Raises ``ConfigurationError``, whose sentence repeats nothing of the secret.
    """
    try:
        held = json.loads(secret)
    except ValueError:
        held = None
    if isinstance(held, dict) and held and all(isinstance(value, dict) for value in held.values()):
        held = held.get(url, {})
    elif isinstance(held, dict) and held and not alone:
        raise ConfigurationError(
            "the facilitators' secret must be a JSON object from each one's URL, as FacilitatorUrl has it, to an "
            "object of its headers: there are several, and a key of one is not for the others"
        )
    if not isinstance(held, dict) or not all(
        isinstance(value, str) and value and value.isprintable() and is_field(name, value)
        for name, value in held.items()
    ):
        raise ConfigurationError(
            "the facilitator's secret must be a JSON object from header name to a printable value, "
            'such as {"authorization": "Bearer ..."}'
        )
    headers = {name.lower(): str(value) for name, value in held.items()}
    if len(headers) != len(held) or not all(may_be_set(name) and name not in _REFUSED for name in headers):
        raise ConfigurationError(
            "the facilitator's secret gives a header twice, or one that belongs to the connection or to the message "
            "itself, such as host, content-length or content-type"
        )
    return headers


class RemoteHttp:
    """Speaks to one facilitator. ``url`` has no trailing slash, ``secret_name`` is "" for no headers.

    ``secrets`` gives the value of a named secret or raises ``ConfigurationError``. ``alone``: no other facilitator
    is configured beside it. ``allow_private`` admits plain HTTP and this machine's addresses (local stacks only).
    """

    def __init__(
        self,
        url: str,
        secret_name: str,
        *,
        secrets: Callable[[str], str],
        allow_private: bool,
        clock: Clock,
        alone: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = url
        self._secret_name = secret_name
        self._secrets = secrets
        self._alone = alone
        self._http = HttpUpstream(
            allow_private=allow_private, clock=clock, secrets=secrets, tls=tls, max_answer_bytes=MAX_ANSWER_BYTES
        )

    def post(self, path: str, message: bytes, timeout: float) -> bytes:
        """The body of a 200 to a POST, sent at most once. Raises ``NoAnswer``. ``timeout`` in seconds."""
        return self._fetch("POST", path, message, timeout)

    def get(self, path: str, timeout: float) -> bytes:
        """The body of a 200 to a GET. Raises ``NoAnswer``. ``timeout`` in seconds."""
        return self._fetch("GET", path, b"", timeout)

    def _fetch(self, method: str, path: str, message: bytes, timeout: float) -> bytes:
        try:
            headers = _OURS | self._headers()
        except ConfigurationError as wrong:
            raise HeadersMissing("headers_secret_unusable") from wrong
        target = UpstreamTarget(self._url + path, timeout)
        try:
            answer = self._http.fetch(target, {}, method, "", headers, message, timeout)
        except UpstreamFailed as failed:
            raise NoAnswer(failed.kind.value, Reach.UNCLEAR if failed.sent else Reach.NOWHERE) from failed
        if answer.status != 200:
            # A redirect too: the payment has reached the one host that it was meant for (threat 75).
            refused = answer.status >= 400 and answer.status not in _GAVE_UP
            raise NoAnswer(f"status_{answer.status}", Reach.REFUSED if refused else Reach.UNCLEAR)
        return answer.body

    def _headers(self) -> dict[str, str]:
        if not self._secret_name:
            return {}
        return parse_headers(self._secrets(self._secret_name), self._url, alone=self._alone)
