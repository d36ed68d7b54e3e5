"""Finish what was left open: one pass over the work list, every minute and after every deploy of routes.

Whatever is due is read again consistently before anything is done with it, and every write is
conditioned, so passes may overlap, stop half-way or run twice (threats 98-100). A live lease is
never touched (rule 11). It signs nothing: it invokes settle.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from tollgate.chain.uses import Use
from tollgate.errors import ChainUnavailable, TollgateError
from tollgate.gateway.ports import Clock
from tollgate.gateway.settling import Settling
from tollgate.ledger.books import Books
from tollgate.ledger.payments import PaymentsLedger
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import Asset, network_info
from tollgate.payment.record import Payment
from tollgate.payment.settlement import Confirmed
from tollgate.payment.states import OPEN, State
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Bytes32, Network

PAGE = 50
RPC_TIMEOUT_SECONDS = 5.0
# One payment must not take a whole pass: what is not settled by then comes again with back-off.
SETTLE_SECONDS = 12.0
LEASE_MARGIN_SECONDS = 5
RESERVE_SECONDS = 5.0
_LONGEST_BACKOFF = 900
# After the deadline, how long "no RPC endpoint answers" is put up with before it is called UNRESOLVED.
UNRESOLVED_AFTER_SECONDS = 300


class SweepChain(Protocol):
    """One network, read only."""

    def find_use(self, asset: Asset, a: Authorization, from_block: int, timeout: float) -> Use:
        """Who used the authorization, and how. Raises ``ChainUnavailable``."""

    def block_hash_at(self, number: int, timeout: float) -> Bytes32 | None:
        """The hash of the block at a height, ``None`` where there is none. Raises ``ChainUnavailable``."""


class SweepChains(Protocol):
    """The configured networks."""

    def get(self, network: Network) -> SweepChain | None:
        """The chain of a network, or ``None`` when this stack does not speak to it."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One pass. ``chains`` are the networks of this stack."""

    payments: PaymentsLedger
    books: Books
    settling: Settling
    chains: SweepChains
    clock: Clock
    new_token: Callable[[], str]
    journal: Journal

    def run(self, deadline: float) -> int:
        """Look at what is due until nothing is, or until ``deadline`` (Unix seconds) is near; returns how many."""
        done = 0
        failed = 0
        oldest = 0
        bug: Exception | None = None
        for pk in self.payments.due(int(self.clock()), PAGE):
            if self.clock() > deadline - RESERVE_SECONDS:
                break
            try:
                payment = self.payments.get_by_key(pk)
                if payment is None:
                    continue
                if payment.state in OPEN:
                    oldest = max(oldest, int(self.clock()) - payment.claim.claimed_at)
                # Pushed back before it is looked at: an item that kills the pass cannot starve the others.
                self.payments.reschedule(payment, int(self.clock()) + _backoff(payment.attempts))
                self._visit(payment, deadline)
            except Exception as error:
                failed += 1
                self.journal.record(
                    Event.RECONCILE_ITEM_FAILED, payment=pk.removeprefix("PAY#"), why=type(error).__name__
                )
                if not isinstance(error, TollgateError):
                    bug = error
            done += 1
        self.journal.record(Event.RECONCILE_DONE, visited=done, failed=failed, oldest_open_seconds=oldest)
        if bug is not None:
            # Loud, but not before the others were looked at.
            raise bug
        return done

    def _visit(self, payment: Payment, deadline: float) -> None:
        now = int(self.clock())
        match payment.state:
            case State.EXECUTING:
                if not payment.alive(now):
                    self.payments.release(payment, now, debt="owner_died")
                    self.journal.record(Event.PAYMENT_RELEASED, payment=payment.id.digest, why="owner_died")
            case State.SETTLING:
                if not payment.alive(now):
                    self._settle(payment, deadline)
            case State.REVERSED:
                self._settle(self.payments.reopen(payment, now), deadline)
            case State.UNRESOLVED:
                self._try_again(payment, deadline)
            case State.SETTLED:
                self._still_there(payment, deadline)
            case State.RELEASED | State.UNPAID:
                self._late_proof(payment)
            case State.PAID_UNSERVED | State.REFUNDED:
                self.payments.reschedule(payment, None)

    def _settle(self, payment: Payment, deadline: float) -> None:
        now = int(self.clock())
        until = min(deadline - RESERVE_SECONDS, now + SETTLE_SECONDS)
        owner = self.new_token()
        lease_until = int(until) + LEASE_MARGIN_SECONDS
        if not self.payments.take_over(payment, owner, now, lease_until):
            return
        self.journal.record(Event.PAYMENT_RESUMED, payment=payment.id.digest)
        mine = replace(payment, claim=replace(payment.claim, owner=owner, lease_until=lease_until))
        ended = self.settling.finish(mine, until)
        if ended.state is not State.SETTLING:
            return
        if now > payment.claim.authorization.valid_before + UNRESOLVED_AFTER_SECONDS:
            self._ask_the_chain(ended)
        else:
            self.payments.reschedule(ended, int(self.clock()) + _backoff(payment.attempts))

    def _ask_the_chain(self, payment: Payment) -> None:
        """Long after the deadline settle still cannot say: the chain can, whatever ails settle.

        Without knowing whose transaction it was, the body needs the payer's fresh signature.
        """
        try:
            use = self._use(payment)
        except ChainUnavailable:
            now = int(self.clock())
            self.payments.unresolved(payment, now, now + _LONGEST_BACKOFF)
            self.journal.record(Event.PAYMENT_UNRESOLVED, payment=payment.id.digest)
            return
        if use.proof is not None:
            self.settling.conclude(payment, Confirmed(use.proof, ours=False))
        elif use.failure is not None:
            self.settling.conclude(payment, use.failure)
        else:
            self.payments.reschedule(payment, int(self.clock()) + _backoff(payment.attempts))

    def _try_again(self, payment: Payment, deadline: float) -> None:
        """UNRESOLVED goes back to SETTLING as soon as the chain can be asked again."""
        self._use(payment)
        self._settle(self.payments.reopen(payment, int(self.clock())), deadline)

    def _still_there(self, payment: Payment, deadline: float) -> None:
        """A settled payment's block, until it is final; gone means REVERSED, and settled again (threat 57)."""
        if payment.block_number is None or payment.settled_at is None:
            self.payments.reschedule(payment, None)
            return
        now = int(self.clock())
        found = self._chain(payment).block_hash_at(payment.block_number, RPC_TIMEOUT_SECONDS)
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
            self._settle(self.payments.reopen(reversed_, now), deadline)
            return
        info = network_info(payment.id.network)
        final_at = payment.settled_at + int(info.final_blocks * info.block_seconds)
        if now >= final_at:
            self.payments.reschedule(payment, None, forget_signature=True)
        else:
            self.payments.reschedule(payment, final_at + 1)

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

    def _chain(self, payment: Payment) -> SweepChain:
        chain = self.chains.get(payment.id.network)
        if chain is None:
            raise ChainUnavailable("this stack does not speak to the payment's network")
        return chain


def _backoff(attempts: int) -> int:
    return int(min(30 * 2 ** min(attempts, 5), _LONGEST_BACKOFF))


def _asset(payment: Payment) -> Asset:
    return network_info(payment.id.network).asset(payment.id.asset.lower)
