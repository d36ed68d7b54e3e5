"""The parameters of ``GET /x402/payments``, read strictly: a filter that is not understood shows nobody anything."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tollgate.errors import BadRequest
from tollgate.gateway.discovery.query import read_parameters
from tollgate.gateway.payment_view import WORDS, word_of
from tollgate.ledger.history import FOR_EVER, Listing, Side
from tollgate.payment.record import Payment
from tollgate.wire.primitives import Address, Bytes32, Network
from tollgate.wire.sign_in_with_x import seconds_of

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
# What a payment's state is called towards those who ask, in the order in which it happens.
STATES = tuple(dict.fromkeys(word for word, _ in WORDS.values()))
_NAMES = ("as", "status", "network", "route", "from", "to", "transaction", "limit", "cursor", "format")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,9}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PLACE = re.compile(r"[0-9]{10}[0-9a-f]{24}")
_MOST_ROUTE = 200


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What is asked for, but not whose it is. Times are Unix seconds: ``since`` inclusive, ``until`` exclusive.

    ``transaction`` is a hash in lower case; ``words`` are states as ``payment_view`` names them, empty for all.
    """

    side: Side
    words: frozenset[str]
    network: str | None
    route: str | None
    since: int
    until: int
    transaction: str | None
    limit: int
    cursor: str | None
    csv: bool

    def listing(self, who: Address) -> Listing:
        """The list of one address that this asks for."""
        return Listing(self.side, who.lower, self.since, self.until, self.network, self.route)

    def admits(self, payment: Payment) -> bool:
        """Whether a payment that stands like this is asked for."""
        return not self.words or word_of(payment)[0] in self.words

    def place(self, who: Address) -> str | None:
        """Where the page before ended. Raises ``BadRequest`` 400 for a cursor of another list, or of none."""
        if self.cursor is None:
            return None
        try:
            place = base64.urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4)).decode().partition(".")[0]
        except ValueError:
            place = ""
        if _PLACE.fullmatch(place) is None or self.cursor != self.cursor_at(who, place):
            raise BadRequest(
                400,
                "invalid_cursor",
                "This cursor is not one of this list: send it with the wallet and the filters that it was given for, or"
                " begin anew without one.",
            )
        return place

    def cursor_at(self, who: Address, place: str) -> str:
        """The cursor of the page that begins after ``place``. It opens nothing: whose list it is, a signature says."""
        bound = (self.side, who.lower, sorted(self.words), self.network, self.route, self.since, self.until, place)
        check = hashlib.sha256(repr(bound).encode()).hexdigest()[:16]
        return base64.urlsafe_b64encode(f"{place}.{check}".encode()).decode().rstrip("=")


def read_history_query(raw_query: str) -> HistoryQuery:
    """Raises ``BadRequest`` 400 ``invalid_parameters`` naming the first that is wrong."""
    given = read_parameters(raw_query)
    unknown = sorted(set(given) - set(_NAMES))
    if unknown:
        raise _wrong(f"There is no parameter {unknown[0][:40]!r}. Those that there are: {', '.join(_NAMES)}.")
    query = HistoryQuery(
        side=Side(_one_of(given, "as", "payer", [side.value for side in Side])),
        words=_words(given.get("status")),
        network=_network(given.get("network")),
        route=_route(given.get("route")),
        since=_moment(given, "from", 0),
        until=_moment(given, "to", FOR_EVER),
        transaction=_transaction(given.get("transaction")),
        limit=_limit(given.get("limit")),
        cursor=given.get("cursor"),
        csv=_one_of(given, "format", "json", ["json", "csv"]) == "csv",
    )
    if query.since > query.until:
        raise _wrong("from must not be after to.")
    if query.transaction is not None and query.cursor is not None:
        raise _wrong("A search by transaction has one page: send no cursor with it.")
    return query


def read_moment(text: str) -> int:
    """Unix seconds of Unix seconds, of a day (UTC, its beginning), or of an RFC 3339 time. Raises ``ValueError``.

    At most ``FOR_EVER``: places in a list are compared as text of as many digits.
    """
    if _WHOLE.fullmatch(text):
        return int(text)
    return min(max(0, int(seconds_of(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text))), FOR_EVER)


def _moment(given: Mapping[str, str], name: str, default: int) -> int:
    try:
        return read_moment(given[name]) if name in given else default
    except ValueError as error:
        raise _wrong(f"{name} must be Unix seconds, a day such as 2026-01-31, or an RFC 3339 time.") from error


def _words(text: str | None) -> frozenset[str]:
    words = frozenset() if text is None else frozenset(text.split(","))
    if not words <= set(STATES):
        raise _wrong(f"status must be one or more of {', '.join(STATES)}, separated by commas.")
    return words


def _network(text: str | None) -> str | None:
    try:
        return None if text is None else str(Network.parse(text))
    except ValueError as error:
        raise _wrong("network must be a CAIP-2 id, such as eip155:8453.") from error


def _route(text: str | None) -> str | None:
    if text is not None and not 1 <= len(text) <= _MOST_ROUTE:
        raise _wrong(f"route must be a route's id, as records name it, of at most {_MOST_ROUTE} characters.")
    return text


def _transaction(text: str | None) -> str | None:
    try:
        return None if text is None else str(Bytes32.parse(text))
    except ValueError as error:
        raise _wrong("transaction must be a hash: 0x and 64 hex digits.") from error


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if _WHOLE.fullmatch(text) is None or not 1 <= int(text) <= MAX_LIMIT:
        raise _wrong(f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _one_of(given: Mapping[str, str], name: str, default: str, known: list[str]) -> str:
    said = given.get(name, default)
    if said not in known:
        raise _wrong(f"{name} must be {' or '.join(known)}.")
    return said


def _wrong(sentence: str) -> BadRequest:
    return BadRequest(400, "invalid_parameters", sentence)
