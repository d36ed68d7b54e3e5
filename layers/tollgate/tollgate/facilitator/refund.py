"""Refund: send a payment's money back to its payer on chain, once, whoever asks and however often.

    the settlement of the payment -> its block is deep and stands -> the treasury can pay
        -> sign -> store -> settle, as any payment is settled -> the refund's own block is final

The caller names a payment and nothing else: payer, amount and token come from our own ledger of settlements,
from one that was confirmed for this stack's own routes. Whoever may invoke settle can at worst send payers
their own money back.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from tollgate.chain.evm import Receipt
from tollgate.errors import ChainUnavailable, LostRace, Refusal
from tollgate.facilitator.ports import Clock, Lane, Lanes, Signer
from tollgate.facilitator.verdicts import budget
from tollgate.ledger.settlement_items import Settlement
from tollgate.payment.events import Event, Journal
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import Asset
from tollgate.payment.refund import (
    LEAST_SECONDS,
    Ready,
    RefundAnswer,
    Waits,
    answer_to_json,
    refund_authorization,
    refund_request,
)
from tollgate.payment.sellers import OWN
from tollgate.payment.settlement import Confirmed, Pending, SettleOutcome, SettleRequest, TransferProof
from tollgate.payment.states import SettlementState
from tollgate.schemes.exact import eip3009
from tollgate.wire.primitives import Address, Bytes32, Network
from tollgate.wire.reasons import Reason

# What is kept back of the deadline for the answer, as in settle.
_MARGIN_SECONDS = 2.0
# A block that is not deep enough yet is nothing to tell anybody of; the others need a hand.
_SHALLOW = "payment_not_deep"


class TreasuryChain(Protocol):
    """One network, read only. Timeouts are seconds; each raises ``ChainUnavailable``."""

    def block_hash_at(self, number: int, timeout: float) -> Bytes32 | None:
        """The hash of the block at that height, ``None`` above the node's head."""

    def token_balance(self, asset: Asset, owner: Address, timeout: float) -> int:
        """What ``owner`` holds of the token, in atomic units."""

    def receipt(self, transactions: Sequence[Bytes32], timeout: float) -> Receipt | None:
        """That of the first that is mined; ``None`` proves nothing."""


class TreasuryChains(Protocol):
    """The configured networks."""

    def get(self, network: Network) -> TreasuryChain | None:
        """The chain of a network, ``None`` when this stack does not speak to it. Raises ``ChainUnavailable``."""


class Settles(Protocol):
    """``SettleService``, as far as refunds go through it."""

    def settle(self, request: SettleRequest, deadline: float) -> SettleOutcome:
        """Settle, or say how it stands. ``deadline`` is Unix seconds; idempotent. Raises ``Refusal``."""


class Settlements(Protocol):
    """The facilitator's ledger, to read."""

    def get(self, payment: PaymentId) -> Settlement | None:
        """Read one settlement, consistently."""


class Refunds(Protocol):
    """The refunds that were signed."""

    def get(self, payment: PaymentId) -> SettleRequest | None:
        """The refund that stands for a payment."""

    def keep(self, payment: PaymentId, refund: SettleRequest, now: int) -> SettleRequest:
        """Store a signed refund; the first stored one stands, and is returned. Raises ``LostRace``."""


class RefundService:
    """The use case. ``begins``: whether refunds are begun at all; those that were are finished in any case.

    ``pay_to`` are the recipients whose payments the treasury makes good, besides its own address.
    """

    def __init__(
        self,
        lanes: Lanes,
        chains: TreasuryChains,
        service: Settles,
        settlements: Settlements,
        refunds: Refunds,
        treasury: Signer,
        journal: Journal,
        *,
        begins: bool,
        pay_to: Collection[Address],
        clock: Clock,
    ) -> None:
        self._lanes = lanes
        self._chains = chains
        self._service = service
        self._settlements = settlements
        self._refunds = refunds
        self._treasury = treasury
        self._journal = journal
        self._begins = begins
        self._pay_to = frozenset(pay_to)
        self._clock = clock

    def ready(self, payment: PaymentId, deadline: float) -> RefundAnswer:
        """Whether ``refund`` could go ahead now; signs and writes nothing. Raises ``Refusal`` as ``refund`` does."""
        return self._answered(payment, lambda: self._ready(payment, deadline - _MARGIN_SECONDS))

    def refund(self, payment: PaymentId, deadline: float) -> RefundAnswer:
        """Refund, or say how it stands. ``deadline`` is Unix seconds; idempotent.

        ``Confirmed`` once the refund's transfer is final, ``Pending`` while it may move, ``Waits`` when this call
        signed nothing, ``Failed`` when it can never move any more. Raises ``Refusal``, having signed nothing
        either: REFUNDS_MANUAL, REFUND_UNKNOWN_PAYMENT, REFUND_FOREIGN_RECIPIENT, REFUND_TOO_LATE, and what
        settle raises.
        """
        return self._answered(payment, lambda: self._refund(payment, deadline))

    def _answered(self, payment: PaymentId, answer: Callable[[], RefundAnswer]) -> RefundAnswer:
        try:
            answered = answer()
        except Refusal as refused:
            self._journal.record(Event.REFUND_REFUSED, payment=payment.digest, reason=refused.reason.value)
            raise
        except ChainUnavailable as down:
            self._journal.record(Event.CHAIN_UNAVAILABLE, network=str(payment.network), why=str(down))
            return Pending()
        except LostRace:
            return Pending()
        if isinstance(answered, Waits) and answered.why != _SHALLOW:
            self._journal.record(
                Event.REFUND_WAITS, payment=payment.digest, network=str(payment.network), why=answered.why
            )
        return answered

    def _ready(self, payment: PaymentId, until: float) -> Ready | Waits:
        if self._refunds.get(payment) is not None:
            return Ready()
        known = self._paid(payment)
        lane, chain = self._lane(payment.network)
        self._may_begin(known.request, lane)
        treasury = self._treasury.address()
        return self._unproven(known, lane, chain, until) or self._short(known, treasury, lane, chain, until) or Ready()

    def _refund(self, payment: PaymentId, deadline: float) -> RefundAnswer:
        until = deadline - _MARGIN_SECONDS
        lane, chain = self._lane(payment.network)
        standing = self._refunds.get(payment)
        if standing is None or self._settlements.get(standing.payment_id) is None:
            # Nothing of it can be on its way yet: the last moment to look at what it gives back.
            known = self._paid(payment)
            if standing is None:
                self._may_begin(known.request, lane)
            treasury = self._treasury.address() if standing is None else standing.authorization.from_
            obstacle = self._unproven(known, lane, chain, until) or self._short(known, treasury, lane, chain, until)
            if obstacle is not None:
                return obstacle
            standing = standing or self._sign(payment, known.request, lane)
        outcome = self._service.settle(standing, deadline)
        if isinstance(outcome, Confirmed) and not self._is_final(outcome.proof, lane, chain, until):
            return Pending(outcome.proof.transaction)
        if isinstance(outcome, Pending) and outcome.transaction is not None:
            self._tell_of_a_revert(payment, outcome.transaction, chain, until)
        return outcome

    def _tell_of_a_revert(self, payment: PaymentId, transaction: Bytes32, chain: TreasuryChain, until: float) -> None:
        """Mined in vain, as when the treasury was emptied meanwhile: the authorization is good still."""
        receipt = chain.receipt([transaction], budget(max(until, self._clock() + 1.0), self._clock()))
        if receipt is not None and not receipt.succeeded:
            self._journal.record(
                Event.REFUND_WAITS,
                payment=payment.digest,
                network=str(payment.network),
                transaction=str(transaction),
                why="refund_reverted",
            )

    def _paid(self, payment: PaymentId) -> Settlement:
        """The settlement that brought the money in, for a route of our own, to an address that is made good."""
        known = self._settlements.get(payment)
        if known is None or known.request.seller != OWN or known.state is SettlementState.FAILED:
            raise Refusal(Reason.REFUND_UNKNOWN_PAYMENT, "this facilitator settled no such payment for its own routes")
        to = known.request.authorization.to
        if to not in self._pay_to and to != self._treasury.address():
            raise Refusal(
                Reason.REFUND_FOREIGN_RECIPIENT, "the money went to an address that the treasury does not answer for"
            )
        return known

    def _lane(self, network: Network) -> tuple[Lane, TreasuryChain]:
        lane, chain = self._lanes.get(network), self._chains.get(network)
        if lane is None or chain is None:
            raise Refusal(Reason.INVALID_NETWORK, f"this facilitator does not settle on {network}")
        return lane, chain

    def _unproven(self, known: Settlement, lane: Lane, chain: TreasuryChain, until: float) -> Waits | None:
        """A refund must not outlive a reorganisation of what it gives back."""
        if known.proof is None:
            return Waits("payment_open")
        if self._stands(known.proof, lane.info.confirmations, chain, until):
            return None
        at = chain.block_hash_at(known.proof.block_number, budget(until, self._clock()))
        if at is None or at == known.proof.block_hash:
            return Waits(_SHALLOW)
        # Its block is gone: settle brings it back, or proves that it cannot come back.
        self._service.settle(known.request, until)
        return Waits("payment_reversed")

    def _stands(self, proof: TransferProof, depth: int, chain: TreasuryChain, until: float) -> bool:
        """Whether the proof's block is so many blocks deep; the depth is asked first, so it stood at that depth."""
        if chain.block_hash_at(proof.block_number + depth, budget(until, self._clock())) is None:
            return False
        return chain.block_hash_at(proof.block_number, budget(until, self._clock())) == proof.block_hash

    def _is_final(self, proof: TransferProof, lane: Lane, chain: TreasuryChain, until: float) -> bool:
        # A settlement that took all the time there was still gets its look.
        return self._stands(proof, lane.info.final_blocks, chain, max(until, self._clock() + 1.0))

    def _may_begin(self, paid: SettleRequest, lane: Lane) -> None:
        """Raise ``Refusal`` unless a refund that nobody signed yet may be signed."""
        if not self._begins:
            raise Refusal(Reason.REFUNDS_MANUAL, "this stack begins no refunds of its own (parameter Refunds)")
        if self._clock() > refund_authorization(paid, self._treasury.address()).valid_before - LEAST_SECONDS:
            raise Refusal(Reason.REFUND_TOO_LATE, "the payment is too old: give its money back by hand")
        if lane.asset.address != paid.asset:
            raise Refusal(Reason.INVALID_REQUIREMENTS, f"this facilitator does not settle {paid.asset}")

    def _short(
        self, known: Settlement, treasury: Address, lane: Lane, chain: TreasuryChain, until: float
    ) -> Waits | None:
        held = chain.token_balance(lane.asset, treasury, budget(until, self._clock()))
        return Waits("treasury_short") if held < known.request.authorization.value else None

    def _sign(self, payment: PaymentId, paid: SettleRequest, lane: Lane) -> SettleRequest:
        """Sign and store; the first stored signature wins, and no other reaches the chain."""
        authorization = refund_authorization(paid, self._treasury.address())
        signature = self._treasury.sign(eip3009.digest(lane.asset, payment.network, authorization))
        refund = self._refunds.keep(payment, refund_request(paid, authorization, signature), int(self._clock()))
        self._journal.record(
            Event.REFUND_SIGNED,
            payment=payment.digest,
            refund=refund.payment_id.digest,
            treasury=str(refund.authorization.from_),
        )
        return refund


def refund_answer(ask: Callable[[PaymentId, float], RefundAnswer], payment: str, deadline: float) -> dict[str, Any]:
    """``ask`` about the payment of that identity, as JSON. Raises ``ValueError`` when it is no identity."""
    try:
        return answer_to_json(ask(PaymentId.parse(payment), deadline))
    except Refusal as refused:
        return {"outcome": "refused", "reason": refused.reason.value}
