"""The payments of whoever signs in, as payer or as owner of the routes that were paid for; nobody else's.

The signature is the record's (sign-in-with-x), with ``payments`` as its requestId, so that one made for a single
payment or for something else opens no list. It is an ordinary account's, which is the same on every network, so any
network's chainId will do. Whose list is read comes from the signature and from nothing else: no parameter and no
cursor names an address.
"""

from dataclasses import dataclass
from typing import Protocol

from tollgate.errors import Refusal
from tollgate.gateway.fresh_signature import FreshSignature, how_to_sign_in
from tollgate.gateway.history_query import HistoryQuery
from tollgate.gateway.ports import Clock
from tollgate.gateway.records import RecordRefused
from tollgate.ledger.history import HistoryPage, Listing, Matches
from tollgate.payment.events import Event, Journal
from tollgate.payment.record import Payment
from tollgate.wire.primitives import Address
from tollgate.wire.sign_in_with_x import parse_sign_in

HISTORY_PATH = "/x402/payments"
REQUEST_ID = "payments"


class Lists(Protocol):
    """The seller's ledger, read by whose payments they are."""

    def page(self, listing: Listing, matches: Matches | None, limit: int, before: str | None = None) -> HistoryPage:
        """Some payments, the newest first; on the first page how many there are."""

    def of_transaction(self, transaction: str) -> list[Payment]:
        """The payments that a transaction paid."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page. ``cursor`` asks for the next, ``None`` at the end; ``total``: how many, and whether that is all."""

    payments: tuple[Payment, ...]
    cursor: str | None
    total: tuple[int, bool] | None


@dataclass(frozen=True, slots=True)
class PaymentHistory:
    """The use case. ``base_url`` has no trailing slash, ``domain`` is its host, which signatures bind."""

    lists: Lists
    base_url: str
    domain: str
    clock: Clock
    journal: Journal

    def list(self, query: HistoryQuery, sign_in: str | None) -> Found:
        """A page of the signer's payments. Raises ``BadRequest``: 400 for a cursor, 403 for the signature."""
        who = self._signer(sign_in)
        listing = query.listing(who)
        if query.transaction is None:
            page = self.lists.page(listing, query.admits if query.words else None, query.limit, query.place(who))
            cursor = None if page.next is None else query.cursor_at(who, page.next)
            found = Found(page.payments, cursor, page.counted)
        else:
            own = [p for p in self.lists.of_transaction(query.transaction) if listing.holds(p) and query.admits(p)]
            found = Found(tuple(own[: query.limit]), None, (len(own), True))
        self.journal.record(Event.HISTORY_READ, side=query.side.value, count=len(found.payments))
        return found

    def _signer(self, header: str | None) -> Address:
        how = {"signIn": how_to_sign_in(self.domain, f"{self.base_url}{HISTORY_PATH}", REQUEST_ID)}
        if header is None:
            sentence = "Sign in as details.signIn says, with the wallet whose payments, or whose routes', they are."
            raise RecordRefused(403, "sign_in_required", sentence, how)
        fresh = FreshSignature(parse_sign_in(header), self.domain)
        try:
            fresh.check_signed(REQUEST_ID, int(self.clock()))
        except Refusal as refused:
            raise RecordRefused(403, "sign_in_refused", refused.sentence, how) from refused
        return fresh.sign_in.address
