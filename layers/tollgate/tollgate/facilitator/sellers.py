"""Who calls? A bearer key, looked up before anything else is read, and before anything is asked of the chain."""

from typing import Protocol

from tollgate.errors import BadRequest
from tollgate.payment.events import Event, Journal
from tollgate.payment.sellers import Seller, name_in

_SCHEME = "bearer"


class Sellers(Protocol):
    """Where sellers are kept."""

    def find(self, name: str) -> Seller | None:
        """One seller, or ``None``."""


def authenticate(sellers: Sellers, authorization: str | None, journal: Journal) -> Seller:
    """The seller whose key an Authorization header carries, in at most one read.

    Raises ``BadRequest`` 401 ``unauthorized``, with one sentence for every cause: which names exist, and whether
    a key was close, is nobody's business.
    """
    scheme, _, key = (authorization or "").strip().partition(" ")
    name = name_in(key.strip()) if scheme.lower() == _SCHEME else None
    seller = sellers.find(name) if name is not None else None
    if seller is None or not seller.holds(key.strip()):
        journal.record(Event.SELLER_UNAUTHORIZED, key_sent=name is not None)
        raise BadRequest(401, "unauthorized", "Send Authorization: Bearer with a seller's key of this facilitator.")
    return seller
