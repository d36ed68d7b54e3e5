"""An HTTP request and answer as the gateway sees them, whatever front door they came through."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """A buyer's request. Header names are lower case; ``source_address`` is the connection's, as the
    front door saw it (requestContext), never X-Forwarded-For."""

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    source_address: str


@dataclass(frozen=True, slots=True)
class PaidBy:
    """The payment behind a request to an upstream: its id as in answers and logs; ``amount`` is in atomic units."""

    payment: str
    payer: str
    network: str
    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """What an upstream is asked: a buyer's request, less what proves or pays anything.

    ``path`` is canonical and decoded, and so are ``params``; ``pattern`` is the route's. ``paid_by`` is ``None``
    where nothing is paid.
    """

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    params: Mapping[str, str]
    pattern: str
    source_address: str
    paid_by: PaidBy | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the buyer gets. Header pairs keep their order; a name may repeat."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """The first value of a header, in any case."""
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None
