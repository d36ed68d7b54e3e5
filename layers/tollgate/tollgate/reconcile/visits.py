"""What is done about one payment that is due, for each state it may stand in.

Every write is conditioned on the state and fence that were read, so a visit may be made twice, overlap another's
or stop half-way (threats 98, 99). A live lease is never touched (rule 11). It signs nothing: it invokes settle.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tollgate.chain.answers import Receipt
from tollgate.chain.uses import Use
from tollgate.errors import ChainUnavailable
from tollgate.gateway.ports import Clock
from tollgate.gateway.settling import Settling
from tollgate.ledger.books import Books
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import Asset, network_info
from tollgate.payment.record import Payment
from tollgate.payment.settlement import Confirmed
from tollgate.payment.states import State
from tollgate.reconcile.backoff import LONGEST_BACKOFF_SECONDS, backoff_seconds
from tollgate.reconcile.receipts import ReceiptCheck
from tollgate.reconcile.refunds import RefundVisits
from tollgate.reconcile.upfront import UpfrontVisits
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Bytes32, Network

RPC_TIMEOUT_SECONDS = 5.0
# One payment must not take a whole pass: what is not settled by then comes again with back-off.
SETTLE_SECONDS = 12.0
LEASE_MARGIN_SECONDS = 5
# After the deadline, how long "no RPC endpoint answers" is put up with before it is called UNRESOLVED.
UNRESOLVED_AFTER_SECONDS = 300


class VisitChain(Protocol):
    """One network, read only."""

    def find_use(self, asset: Asset, a: Authorization, from_block: int, timeout: float) -> Use:
        """Who used the authorization, and how. Raises ``ChainUnavailable``."""

    def block_hash_at(self, number: int, timeout: float, expected: Bytes32 | None = None) -> Bytes32 | None:
        """The hash of the block at a height, ``None`` where there is none. Raises ``ChainUnavailable``."""

    def receipt(self, transactions: Sequence[Bytes32], timeout: float) -> Receipt | None:
        """That of the first that is mined; ``None`` proves nothing. Raises ``ChainUnavailable``."""


class VisitChains(Protocol):
    """The configured networks."""

    def get(self, network: Network) -> VisitChain | None:
        """The chain of a network, or ``None`` when this stack does not speak to it."""


@dataclass(frozen=True, slots=True)
class Visits:
    """One payment at a time. ``chains`` are the networks of this stack."""

    payments: PaymentsLedger
    books: Books
    settling: Settling
    upfront: UpfrontVisits
    refunds: RefundVisits
    receipts: ReceiptCheck
    chains: VisitChains
    clock: Clock
    new_token: Callable[[], str]
    journal: Journal

    def visit(self, payment: Payment, until: float) -> None:
        """Do what the payment's state asks for, by ``until`` (Unix seconds).

        Raises a ``TollgateError`` for what will pass (an unreachable chain, a lost race), anything else for a bug.
        """
        now = int(self.clock())
        match payment.state:
            case State.CLAIMED:
                self.upfront.claimed(payment)
            case State.EXECUTING_PAID:
                self.upfront.executing_paid(payment)
            case State.SETTLED if payment.unserved or payment.ended:
                self.upfront.settled(payment)
            case State.EXECUTING:
                if not payment.alive(now):
                    self.payments.release(payment, now, debt="owner_died")
                    self.journal.record(Event.PAYMENT_RELEASED, payment=payment.id.digest, why="owner_died")
            case State.SETTLING:
                if not payment.alive(now):
                    self._settle(payment, until)
            case State.REVERSED:
                self._settle(self.payments.reopen(payment, now), until)
            case State.UNRESOLVED:
                self._try_again(payment, until)
            case State.SETTLED | State.FULFILLED | State.GRANTED | State.REFUND_DUE:
                self._still_there(payment, until)
            case State.RELEASED | State.UNPAID:
                self._late_proof(payment)
            case State.PAID_UNSERVED | State.REFUNDED | State.CREDITED:
                self._at_its_end(payment)

    def _settle(self, payment: Payment, until: float) -> None:
        now = int(self.clock())
        settle_until = min(until, now + SETTLE_SECONDS)
        owner = self.new_token()
        lease_until = int(settle_until) + LEASE_MARGIN_SECONDS
        if not self.payments.take_over(payment, owner, now, lease_until):
            return
        self.journal.record(Event.PAYMENT_RESUMED, payment=payment.id.digest)
        mine = replace(payment, claim=replace(payment.claim, owner=owner, lease_until=lease_until))
        ended = self.settling.finish(mine, settle_until)
        if ended.state is not State.SETTLING:
            return
        if now > payment.claim.authorization.valid_before + UNRESOLVED_AFTER_SECONDS:
            self._ask_the_chain(ended)
        else:
            self.payments.reschedule(ended, int(self.clock()) + backoff_seconds(payment.attempts))

    def _ask_the_chain(self, payment: Payment) -> None:
        """Long after the deadline settle still cannot say: the chain can, whatever ails settle.

        Without knowing whose transaction it was, the body needs the payer's fresh signature.
        """
        try:
            use = self._use(payment)
        except ChainUnavailable:
            now = int(self.clock())
            self.payments.unresolved(payment, now, now + LONGEST_BACKOFF_SECONDS)
            self.journal.record(Event.PAYMENT_UNRESOLVED, payment=payment.id.digest)
            return
        if use.proof is not None:
            self.settling.conclude(payment, Confirmed(use.proof, ours=False))
        elif use.failure is not None:
            self.settling.conclude(payment, use.failure)
        else:
            self.payments.reschedule(payment, int(self.clock()) + backoff_seconds(payment.attempts))

    def _try_again(self, payment: Payment, until: float) -> None:
        """UNRESOLVED goes back to SETTLING as soon as the chain can be asked again."""
        self._use(payment)
        self._settle(self.payments.reopen(payment, int(self.clock())), until)

    def _still_there(self, payment: Payment, until: float) -> None:
        """A settled payment's block, until it is final; gone means REVERSED, and settled again (threat 57).

        What stands and is owed back is refunded, if the stack does that.
        """
        if payment.block_number is None or payment.settled_at is None:
            self.payments.reschedule(payment, None)
            return
        now = int(self.clock())
        found = self._chain(payment).block_hash_at(payment.block_number, RPC_TIMEOUT_SECONDS, payment.block_hash)
        if found is None:
            self.payments.reschedule(payment, now + 60)
            return
        if found != payment.block_hash:
            reversed_ = self.books.reverse(payment, now)
            self.journal.record(
                Event.PAYMENT_REVERSED,
                payment=payment.id.digest,
                transaction=str(payment.transaction),
            )
            self._settle(self.payments.reopen(reversed_, now), until)
            return
        final_at = _final_at(payment)
        if payment.refund_begun_at is not None:
            # It is on its way, whatever a node has forgotten of what it sends back.
            self.payments.reschedule(payment, now + 60)
            self.refunds.visit(payment, until)
            return
        if now >= final_at:
            self.receipts.check(payment, self._chain(payment))
            due = now + 60 if self.refunds.wants(payment) else None
            self.payments.reschedule(payment, due, forget_signature=True)
        else:
            self.payments.reschedule(payment, final_at + 1)
        self.refunds.visit(payment, until)

    def _at_its_end(self, payment: Payment) -> None:
        """Off the list; the receipt of money for nothing is looked up before, as any other's."""
        if payment.state is State.PAID_UNSERVED:
            final_at = _final_at(payment)
            if int(self.clock()) < final_at:
                self.payments.reschedule(payment, final_at)
                return
            self.receipts.check(payment, self._chain(payment))
        self.payments.reschedule(payment, None)

    def _late_proof(self, payment: Payment) -> None:
        """A payment that we gave up and that somebody used all the same: owed back to the payer."""
        use = self._use(payment)
        now = int(self.clock())
        if use.proof is not None:
            self.books.paid_unserved(payment, use.proof, False, now)
            self.journal.record(
                Event.PAYMENT_PAID_UNSERVED,
                payment=payment.id.digest,
                transaction=str(use.proof.transaction),
            )
        elif use.used or use.finalised_past_deadline:
            self.payments.reschedule(payment, None)
        else:
            self.payments.reschedule(payment, now + 60)

    def _use(self, payment: Payment) -> Use:
        return self._chain(payment).find_use(
            _asset(payment), payment.claim.authorization, payment.claim.seen_block, RPC_TIMEOUT_SECONDS
        )

    def _chain(self, payment: Payment) -> VisitChain:
        chain = self.chains.get(payment.id.network)
        if chain is None:
            raise ChainUnavailable("this stack does not speak to the payment's network")
        return chain


def _final_at(payment: Payment) -> int:
    info = network_info(payment.id.network)
    return (payment.settled_at or 0) + int(info.final_blocks * info.block_seconds)


def _asset(payment: Payment) -> Asset:
    return network_info(payment.id.network).asset(payment.id.asset.lower)
