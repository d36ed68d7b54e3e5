"""Settle for a seller elsewhere: the same use case as for our own routes, told and answered in x402's words.

Success is said of one thing only: a proof on chain of a transaction that this facilitator sent. The same seller
asking again on the same terms gets the same outcome (threat 39); what nobody can tell is ``settlement_pending``.
"""

from typing import Protocol

from tollgate.errors import Refusal
from tollgate.facilitator.call import Guest
from tollgate.facilitator.ports import Clock, Sleep
from tollgate.facilitator.settle import MARGIN_SECONDS
from tollgate.facilitator.terms import Assets, check_accepted, check_business, check_time
from tollgate.facilitator.verdicts import same_business
from tollgate.ledger.settlement_items import Settlement
from tollgate.payment.events import Event, Journal
from tollgate.payment.identity import PaymentId
from tollgate.payment.sellers import Seller
from tollgate.payment.settlement import Confirmed, Failed, Pending, SettleOutcome, SettleRequest
from tollgate.payment.states import SettlementState
from tollgate.payment.v1_names import network_named
from tollgate.wire.facilitator_messages import Business, Envelope, SettleAnswer, read_business
from tollgate.wire.reasons import Reason

_LOOK_AGAIN_SECONDS = 0.25


class Settles(Protocol):
    """``SettleService``."""

    def settle(self, request: SettleRequest, deadline: float, guest: Guest | None = None) -> SettleOutcome:
        """Settle, or say how it stands. Raises ``Refusal``, which it has recorded."""


class Known(Protocol):
    """The settlements that there are."""

    def get(self, payment: PaymentId) -> Settlement | None:
        """Read one settlement, consistently."""


class GuestSettleService:
    """The use case."""

    def __init__(
        self, assets: Assets, service: Settles, known: Known, journal: Journal, clock: Clock, sleep: Sleep
    ) -> None:
        self._assets = assets
        self._sleep = sleep
        self._service = service
        self._known = known
        self._journal = journal
        self._clock = clock

    def settle(self, seller: Seller, envelope: Envelope, deadline: float) -> SettleAnswer:
        """The answer to ``seller``, before ``deadline`` (Unix seconds)."""
        try:
            request = self._request(seller, envelope)
        except Refusal as refused:
            self._journal.record(Event.PAYMENT_REFUSED, seller=seller.name, reason=refused.reason.value)
            return _refused(envelope, refused)
        try:
            outcome = self._settled(request, deadline, Guest(seller.settlements_per_day))
        except Refusal as refused:
            return _refused(envelope, refused)
        return _answer(envelope, request, outcome)

    def _settled(self, request: SettleRequest, deadline: float, guest: Guest) -> SettleOutcome:
        """The outcome; while the same seller's other call is about to sign, it is waited for (threat 39)."""
        until = deadline - MARGIN_SECONDS
        while True:
            outcome = self._service.settle(request, deadline, guest)
            if not isinstance(outcome, Pending) or outcome.transaction is not None:
                return outcome
            if not self._is_signed(request.payment_id, until):
                return outcome

    def _is_signed(self, payment: PaymentId, until: float) -> bool:
        """Whether there is something to go on from, before ``until``, where just now was a bare reservation."""
        while (known := self._known.get(payment)) is not None:
            if known.state is not SettlementState.RESERVED:
                return known.transaction is not None and not known.filler
            if not known.alive(self._clock()) or self._clock() + _LOOK_AGAIN_SECONDS >= until:
                return False
            self._sleep(_LOOK_AGAIN_SECONDS)
        return False

    def _request(self, seller: Seller, envelope: Envelope) -> SettleRequest:
        business = read_business(envelope, network_named)
        request = _request_of(seller, business)
        check_accepted(business)
        try:
            seller.check(business.requirements)
        except Refusal:
            # The key may cover less than when this was begun; what became of it is told all the same (rule 1).
            known = self._known.get(request.payment_id)
            if known is None or known.request.seller != seller.name:
                raise
        check_business(business, self._assets)
        try:
            check_time(business, int(self._clock()))
        except Refusal:
            # Too late to begin, but never too late to ask what became of it (rule 1).
            known = self._known.get(request.payment_id)
            if known is None:
                raise
            same_business(known, request)
        return request


def _request_of(seller: Seller, business: Business) -> SettleRequest:
    requirements = business.requirements
    return SettleRequest(
        network=requirements.network,
        asset=requirements.asset,
        authorization=business.payload.authorization,
        signature=business.payload.signature,
        # Where a guest's payment was first seen is only known when the chain has been asked; see Call.seen.
        seen_block=0,
        seller=seller.name,
        max_timeout_seconds=requirements.max_timeout_seconds,
        # Nobody is told it again, and it may be long.
        resource_url="",
    )


def _refused(envelope: Envelope, refused: Refusal) -> SettleAnswer:
    return SettleAnswer(envelope.network, reason=refused.reason, message=refused.sentence)


def _answer(envelope: Envelope, request: SettleRequest, outcome: SettleOutcome) -> SettleAnswer:
    payer = request.authorization.from_
    match outcome:
        case Confirmed(proof=proof, ours=True):
            return SettleAnswer(envelope.network, str(proof.transaction), payer, request.authorization.value)
        case Confirmed(proof=proof):
            return SettleAnswer(
                envelope.network,
                str(proof.transaction),
                payer,
                reason=Reason.INVALID_TRANSACTION_STATE,
                message="Another transaction, not of this facilitator, has moved this payment to its payTo.",
            )
        case Pending(transaction=transaction):
            return SettleAnswer(
                envelope.network,
                str(transaction or ""),
                payer,
                reason=Reason.SETTLEMENT_PENDING,
                message="The outcome is not known yet: ask for the same settlement again.",
            )
        case Failed(reason=reason):
            return SettleAnswer(envelope.network, "", payer, reason=reason, message="It can never be settled.")
