"""Events to owners' webhooks: signed, by the dialing rules of upstreams, one attempt at a time.

The secret holds an object from owner to {url, secrets}; ``default`` takes what no owner of the object owns:

    {"0x5e…": {"url": "https://owner.example/hook", "secrets": ["whsec_…"]}, "default": {…}}

A URL is an owner's choice, and so dialed like an upstream's: resolved once, every address checked, no redirect
followed (threat 87). What a receiver answers is measured, and never read.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from tollgate.errors import ConfigurationError, TollgateError
from tollgate.gateway.forwarding import destination
from tollgate.gateway.ports import Clock
from tollgate.gateway.upstream import UpstreamAnswer, UpstreamFailed
from tollgate.payment.events import Event, Journal
from tollgate.payment.routes import UpstreamTarget
from tollgate.wire.primitives import Address
from tollgate.wire.standard_webhooks import parse_secret, signed_headers

DEFAULT = "default"
TIMEOUT_SECONDS = 10.0
# A receiver says whether it has it; more than this is no such answer.
MAX_ANSWER_BYTES = 16 * 1024
_MOST_SECRETS = 3


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an owner's events go. ``query`` is the URL's, raw; ``keys`` sign, the newest first."""

    url: str
    query: str
    keys: tuple[bytes, ...]


class Post(Protocol):
    """HTTP as upstreams are asked (``HttpUpstream``)."""

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
        """Ask once. Raises ``UpstreamFailed``."""


class NotDelivered(TollgateError):
    """The receiver does not have it, or did not say so; the text is a code."""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The use case. ``secret`` gives the secret's text, "" when the stack has none."""

    secret: Callable[[], str]
    http: Post
    clock: Clock
    journal: Journal

    def deliver(self, detail: Mapping[str, Any], attempt: int) -> bool:
        """Send one event to whom it concerns; False when it concerns nobody. Raises ``NotDelivered``."""
        try:
            endpoint = read_endpoints(self.secret()).get(_owner(detail))
        except ConfigurationError as error:
            raise self._failed(detail, attempt, "configuration") from error
        if endpoint is None:
            return False
        at = datetime.fromtimestamp(detail["at"], UTC)
        message = {"type": detail["type"], "timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}", "data": dict(detail)}
        body = json.dumps(message, separators=(",", ":")).encode()
        headers = {"content-type": "application/json", "user-agent": "tollgate"}
        headers |= signed_headers(detail["id"], int(self.clock()), body, endpoint.keys)
        target = UpstreamTarget(endpoint.url, TIMEOUT_SECONDS)
        try:
            answer = self.http.fetch(target, {}, "POST", endpoint.query, headers, body, TIMEOUT_SECONDS)
        except UpstreamFailed as failed:
            raise self._failed(detail, attempt, failed.kind.value) from failed
        if not 200 <= answer.status < 300:
            raise self._failed(detail, attempt, f"status_{answer.status}")
        self.journal.record(Event.WEBHOOK_DELIVERED, id=detail["id"], attempt=attempt)
        return True

    def _failed(self, detail: Mapping[str, Any], attempt: int, why: str) -> NotDelivered:
        self.journal.record(Event.WEBHOOK_FAILED, id=detail["id"], attempt=attempt, why=why)
        return NotDelivered(why)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """By owner's address in lower case, or ``default``."""

    by_owner: Mapping[str, Endpoint]

    def get(self, owner: str) -> Endpoint | None:
        """An owner's, else the default."""
        return self.by_owner.get(owner) or self.by_owner.get(DEFAULT)


def read_endpoints(secret: str) -> Endpoints:
    """What a secret's text says. Raises ``ConfigurationError``, whose sentence repeats nothing of it."""
    try:
        held = json.loads(secret or "{}")
        return Endpoints({_key(owner): _endpoint(told) for owner, told in held.items()})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            'the webhooks\' secret must be a JSON object from owner (0x…, or "default") to {"url": "https://…", '
            '"secrets": ["whsec_…"]}, with one to three secrets, the newest first'
        ) from error


def _owner(detail: Mapping[str, Any]) -> str:
    return str(detail.get("owner") or "").lower()


def _key(owner: str) -> str:
    return owner if owner == DEFAULT else Address.parse(owner).lower


def _endpoint(told: Mapping[str, Any]) -> Endpoint:
    url, secrets = told["url"], told["secrets"]
    if not isinstance(secrets, list) or not 1 <= len(secrets) <= _MOST_SECRETS or set(told) != {"url", "secrets"}:
        raise ValueError("one to three secrets")
    base, _, query = url.partition("?")
    # Plain http is refused where it is dialed, but for stage local.
    destination(base, {}, query)
    return Endpoint(base, query, tuple(parse_secret(secret) for secret in secrets))
