"""One paid request under way, and the parts that every step of it uses."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tollgate.gateway.admission import Caller
from tollgate.gateway.catalogue import Catalogue, Match
from tollgate.gateway.messages import Request
from tollgate.gateway.offers import offer_at
from tollgate.gateway.outcomes import Outcome
from tollgate.gateway.ports import Chains, Clock, Settler, Sleep, Upstream
from tollgate.gateway.price_quotes import PriceUnavailable, Quotes, asked_of, unavailable
from tollgate.ledger.books import Books
from tollgate.ledger.executions import ExecutionsLedger
from tollgate.ledger.payers import Payers
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.resends import Resends
from tollgate.ledger.results import ResultsLedger
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.events import Journal
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import Asset
from tollgate.wire.models import PaymentPayload, SettleResponse
from tollgate.wire.reasons import Reason

# Left of the invocation when waiting ends: enough to write and to answer (rule 5).
ANSWER_RESERVE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the gateway is built from. ``base_url`` has no trailing slash; ``domain`` is its host.

    ``most_open`` is how many payments of one payer in one token may be under way at once.
    """

    payments: PaymentsLedger
    upfront: UpfrontLedger
    results: ResultsLedger
    executions: ExecutionsLedger
    payers: Payers
    books: Books
    resends: Resends
    chains: Chains
    settler: Settler
    upstream: Upstream
    quotes: Quotes
    clock: Clock
    sleep: Sleep
    new_token: Callable[[], str]
    journal: Journal
    base_url: str
    domain: str
    by_address: bool
    most_open: int

    def now(self) -> int:
        """Unix seconds."""
        return int(self.clock())


@dataclass(frozen=True, slots=True)
class Call:
    """One request that carries a payment whose signature has been checked. ``deadline`` is Unix seconds."""

    request: Request
    match: Match
    catalogue: Catalogue
    payment: PaymentPayload = field(repr=False)
    asset: Asset
    id: PaymentId
    caller: Caller
    identifier_secret: bool
    deadline: float

    @property
    def wait_until(self) -> float:
        """When waiting for an outcome has to end."""
        return self.deadline - ANSWER_RESERVE_SECONDS


def offer(
    parts: Parts,
    catalogue: Catalogue,
    match: Match,
    request: Request,
    deadline: float,
    *,
    reason: Reason | None = None,
    sentence: str = "",
    payment_response: SettleResponse | None = None,
) -> Outcome:
    """The 402 of a request, or the honest 503 when no network can be settled on right now, or nobody knows the price.

    Raises ``BadRequest`` for a request that has no price.
    """
    if match.route.computed is not None:
        asked = asked_of(match, request)
        try:
            match = parts.quotes.offered(match, asked, catalogue.payable_networks(), deadline)
        except PriceUnavailable:
            return unavailable()
    return offer_at(
        parts.base_url, catalogue, match, reason=reason, sentence=sentence, payment_response=payment_response
    )
