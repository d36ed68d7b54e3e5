"""The moves of the upfront flow: settle first, run once, then fulfil it or owe it back.

    RFD#<digest>    {payer, amount, asset, network, transaction, why, at}: written with the move to REFUND_DUE

Each method is one write or one transaction, conditioned on state and fence; one that loses a race raises
``LostRace``, and a write of ours whose answer was lost is recognised by its owner and counts as done (threat 41).
"""

from collections.abc import Sequence
from dataclasses import replace

from tollgate.errors import LostRace
from tollgate.ledger.dynamo import ConditionFailed, Item, Put, Table, TransactionCancelled, Update, Value, Write
from tollgate.ledger.moves import move
from tollgate.ledger.payment_items import answer_item, payment_key, read_payment, refund_due_key
from tollgate.payment.record import Payment, StoredAnswer, debt_row
from tollgate.payment.states import State
from tollgate.wire.primitives import Bytes32

# How long a settled payment waits for its buyer before it is owed back: the window of rule 6's address proof.
SERVE_WINDOW_SECONDS = 900


class UpfrontLedger:
    """Conditional writes over the payments table."""

    def __init__(self, table: Table, *, answer_seconds: int = 86_400) -> None:
        self._table = table
        self._answer_seconds = answer_seconds

    def begin(self, payment: Payment, now: int) -> Payment:
        """CLAIMED → SETTLING, by the claim's owner: before settle is ever invoked (rule 2)."""
        return self._by_owner(
            payment,
            payment.claim.owner,
            State.SETTLING,
            now,
            set_={"due": payment.claim.lease_until + 1},
            require={"owner": ("=", payment.claim.owner)},
        )

    def take_claim(self, payment: Payment, owner: str, now: int, lease_until: int) -> Payment:
        """Become the owner of a CLAIMED payment whose own is dead: fence + 1, all that was claimed stays (rule 11)."""
        try:
            item = self._table.write(
                Update(
                    payment_key(payment.id),
                    "SET #owner = :owner, lease_until = :lease, due = :due, fence = :next",
                    "#state = :claimed AND lease_until < :now AND fence = :fence",
                    {
                        ":owner": owner,
                        ":lease": lease_until,
                        ":due": lease_until + 1,
                        ":claimed": State.CLAIMED.value,
                        ":now": now,
                        ":fence": payment.fence,
                        ":next": payment.fence + 1,
                    },
                    {"#owner": "owner", "#state": "state"},
                )
            )
        except ConditionFailed as lost:
            return self._mine(lost.item, State.CLAIMED, owner)
        return read_payment(item)

    def run(self, payment: Payment, owner: str, now: int) -> Payment:
        """SETTLED → EXECUTING_PAID, by its owner: whoever makes this move, and nobody else, runs the upstream.

        ``owner`` is the caller's own token: what was read may name somebody else, whose move this is then not.
        """
        return self._by_owner(
            payment,
            owner,
            State.EXECUTING_PAID,
            now,
            set_={"ran_at": now, "due": payment.claim.lease_until + 1},
            require={"owner": ("=", owner)},
        )

    def take_run(self, payment: Payment, owner: str, now: int, lease_until: int) -> Payment:
        """SETTLED → EXECUTING_PAID for an owner who is dead, with fence + 1: the run is the taker's."""
        return self._by_owner(
            payment,
            owner,
            State.EXECUTING_PAID,
            now,
            set_={"ran_at": now, "owner": owner, "lease_until": lease_until, "due": lease_until + 1},
            require={"lease_until": ("<", now)},
            raise_fence=True,
        )

    def fulfil(self, payment: Payment, answer: StoredAnswer, now: int, recheck_at: int) -> Payment:
        """EXECUTING_PAID → FULFILLED with the answer, in one transaction."""
        update = move(
            payment_key(payment.id),
            State.EXECUTING_PAID,
            State.FULFILLED,
            fence=payment.fence,
            now=now,
            set_={"served_at": now, "due": recheck_at},
            require={"owner": ("=", payment.claim.owner)},
        )
        stored = Put(answer_item(payment.id, answer, now, self._answer_seconds))
        return self._ended(payment, State.FULFILLED, [update, stored], replace(payment, served_at=now))

    def fulfilled_again(self, payment: Payment, now: int, recheck_at: int) -> Payment:
        """SETTLED → FULFILLED or GRANTED: settled again after a reorganisation, and served or let through before."""
        ended = State.GRANTED if payment.claim.grants else State.FULFILLED
        update = move(
            payment_key(payment.id),
            State.SETTLED,
            ended,
            fence=payment.fence,
            now=now,
            detail="again",
            set_={"due": recheck_at},
            require={"served_at": (">", 0)},
        )
        return self._ended(payment, ended, [update], payment)

    def grant(self, payment: Payment, owner: str, now: int, recheck_at: int) -> Payment:
        """SETTLED → GRANTED, by its owner: whoever makes this move, and nobody else, is let through."""
        granted = self._by_owner(
            payment,
            owner,
            State.GRANTED,
            now,
            set_={"served_at": now, "due": recheck_at},
            require={"owner": ("=", owner)},
        )
        return replace(granted, granted_now=True)

    def take_grant(self, payment: Payment, owner: str, now: int, recheck_at: int) -> Payment:
        """SETTLED → GRANTED for an owner who is dead, with fence + 1: the taker is let through in its place."""
        granted = self._by_owner(
            payment,
            owner,
            State.GRANTED,
            now,
            set_={"served_at": now, "owner": owner, "due": recheck_at},
            require={"lease_until": ("<", now)},
            raise_fence=True,
        )
        return replace(granted, granted_now=True)

    def refund_due(self, payment: Payment, why: str, now: int, *, dead: bool) -> Payment:
        """SETTLED, EXECUTING_PAID or GRANTED → REFUND_DUE, and the row that says so, in one transaction.

        ``dead``: its owner's lease must be over; else its owner it is who asks. One that ended so before and is settled
        again is nobody's to wait for, and what is GRANTED is the operator's to give back. ``why`` is a code.
        """
        require: dict[str, tuple[str, Value]] = (
            {}
            if payment.state is State.GRANTED or (payment.state is State.SETTLED and payment.ended)
            else ({"lease_until": ("<", now)} if dead else {"owner": ("=", payment.claim.owner)})
        )
        update = move(
            payment_key(payment.id),
            payment.state,
            State.REFUND_DUE,
            fence=payment.fence,
            now=now,
            detail=why,
            set_={"refund_why": why, "due": now},
            require=require,
        )
        row: dict[str, Value | None] = {
            "pk": refund_due_key(payment.id),
            **debt_row(payment, now, why),
            "transaction": str(payment.transaction),
        }
        # One row a payment; that of a reversed settlement makes room for the next.
        owed = Put(row, "attribute_not_exists(pk) OR attribute_exists(reversed_at)")
        return self._ended(payment, State.REFUND_DUE, [update, owed], replace(payment, refund_why=why))

    def refunded(self, payment: Payment, transaction: Bytes32, now: int) -> None:
        """REFUND_DUE → REFUNDED: somebody sent the money back in ``transaction``. Not once the stack began to."""
        self._made_good(payment, State.REFUNDED, str(transaction), "refund_transaction", "refunded_at", now)

    def refunded_by_stack(self, payment: Payment, transaction: Bytes32, now: int) -> None:
        """REFUND_DUE → REFUNDED: the stack's own refund, which it had begun, is final in ``transaction``."""
        begun = payment.refund_begun_at or 0
        self._made_good(
            payment, State.REFUNDED, str(transaction), "refund_transaction", "refunded_at", now, begun=begun
        )

    def credited(self, payment: Payment, reference: str, now: int) -> None:
        """REFUND_DUE → CREDITED: made good in another way, which ``reference`` (one word) names.

        Not once the stack has begun to send the money back.
        """
        self._made_good(payment, State.CREDITED, reference, "credit_reference", "credited_at", now)

    def yield_lease(self, payment: Payment, now: int) -> None:
        """End the own lease on a SETTLED payment early: there is no time left to serve it here."""
        try:
            self._table.write(
                Update(
                    payment_key(payment.id),
                    "SET lease_until = :past",
                    "#state = :settled AND fence = :fence AND #owner = :owner",
                    {
                        ":past": now - 1,
                        ":settled": State.SETTLED.value,
                        ":fence": payment.fence,
                        ":owner": payment.claim.owner,
                    },
                    {"#state": "state", "#owner": "owner"},
                )
            )
        except ConditionFailed:
            return

    def _made_good(
        self,
        payment: Payment,
        state: State,
        detail: str,
        what: str,
        when: str,
        now: int,
        *,
        begun: int | None = None,
    ) -> None:
        update = move(
            payment_key(payment.id),
            State.REFUND_DUE,
            state,
            fence=payment.fence,
            now=now,
            detail=detail,
            set_={what: detail, when: now},
            remove=("work", "due"),
            require={} if begun is None else {"refund_begun_at": ("=", begun)},
            absent=("refund_begun_at",) if begun is None else (),
        )
        row = Update(
            refund_due_key(payment.id),
            f"SET {what} = :what, {when} = :now",
            "attribute_exists(pk) AND attribute_not_exists(refunded_at) AND attribute_not_exists(credited_at)"
            " AND attribute_not_exists(reversed_at)",
            {":what": detail, ":now": now},
        )
        try:
            self._table.transact([update, row])
        except TransactionCancelled as lost:
            raise LostRace("the payment moved on") from lost

    def _by_owner(
        self,
        payment: Payment,
        owner: str,
        target: State,
        now: int,
        *,
        set_: dict[str, Value | None],
        require: dict[str, tuple[str, Value]],
        raise_fence: bool = False,
    ) -> Payment:
        key = payment_key(payment.id)
        update = move(
            key,
            payment.state,
            target,
            fence=payment.fence,
            now=now,
            set_=set_,
            require=require,
            raise_fence=raise_fence,
        )
        try:
            return read_payment(self._table.write(update))
        except ConditionFailed as lost:
            return self._mine(lost.item, target, owner)

    def _mine(self, item: Item | None, state: State, owner: str) -> Payment:
        current = read_payment(item) if item else None
        if current is None or current.state is not state or current.claim.owner != owner:
            raise LostRace("the payment moved on")
        return current

    def _ended(self, payment: Payment, state: State, writes: Sequence[Write], ended: Payment) -> Payment:
        try:
            self._table.transact(writes)
        except TransactionCancelled as lost:
            item = self._table.get(payment_key(payment.id))
            current = read_payment(item) if item else None
            if current is None or current.state is not state or current.claim.owner != payment.claim.owner:
                raise LostRace("the payment moved on") from lost
            return current
        return replace(ended, state=state)
