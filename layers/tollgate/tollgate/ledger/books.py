"""The books: what happens once when money moved. Settled, receipt, log row and revenue are one transaction.

One Transfer log pays one payment (threats 74, 114): its row is put only where none stands. Revenue
counters are sharded by the payment id and live only inside these transactions (rule 4, threat 96), and so is what
owners owe the operator as a fee.
"""

from collections.abc import Sequence
from dataclasses import replace

from tollgate.errors import LostRace, TollgateError
from tollgate.ledger.dynamo import Delete, Put, Table, TransactionCancelled, Update, Value, Write
from tollgate.ledger.moves import move
from tollgate.ledger.payers import enter_again, leave
from tollgate.ledger.payment_items import (
    fee_key,
    log_key,
    payment_key,
    read_payment,
    receipt_item,
    receipt_key,
    refund_due_key,
    revenue_key,
)
from tollgate.payment.record import Payment, debt_row
from tollgate.payment.settlement import TransferProof
from tollgate.payment.states import State
from tollgate.wire.primitives import Bytes32


class LogAlreadyPays(TollgateError):
    """The Transfer log already pays another payment: a bug or a lying node, never silently passed."""


class Books:
    """Writes that follow money; each is one transaction, and done twice it is done once."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def book(self, payment: Payment, proof: TransferProof, ours: bool, now: int, recheck_at: int) -> Payment:
        """SETTLING → SETTLED with receipt, log row and revenue: once, in one transaction (rule 4).

        Raises ``LogAlreadyPays`` when the log pays another payment, ``LostRace`` when the state moved on.
        """
        update = move(
            payment_key(payment.id),
            State.SETTLING,
            State.SETTLED,
            fence=payment.fence,
            now=now,
            detail=str(proof.transaction),
            set_={**_settled(proof, ours, now), "due": recheck_at},
        )
        receipt = self._receipt(payment, proof, ours, now)
        revenue = self._revenue(payment, 1)
        try:
            log = self._log_row(payment, proof)
            self._table.transact([update, receipt, log, *self._fee(payment, 1), revenue, *leave(payment)])
        except TransactionCancelled as lost:
            current = self._get(payment)
            if current is not None and current.state is State.SETTLED:
                return current
            if 2 in lost.failed and 0 not in lost.failed:
                raise LogAlreadyPays(f"{proof.transaction} {proof.log_index}") from lost
            raise LostRace("not settling any more") from lost
        return replace(
            payment,
            state=State.SETTLED,
            attempts=0,
            transaction=proof.transaction,
            log_index=proof.log_index,
            block_number=proof.block_number,
            block_hash=proof.block_hash,
            ours=ours,
            settled_at=now,
        )

    def paid_unserved(self, payment: Payment, proof: TransferProof, ours: bool, now: int) -> None:
        """RELEASED or UNPAID → PAID_UNSERVED: log row, receipt and liability in one transaction."""
        update = move(
            payment_key(payment.id),
            payment.state,
            State.PAID_UNSERVED,
            fence=payment.fence,
            now=now,
            detail=str(proof.transaction),
            set_={**_settled(proof, ours, now), "due": now},
        )
        liability: dict[str, Value | None] = {
            "pk": f"LIA#{payment.id.digest}",
            **debt_row(payment, now, "paid but unserved"),
            "transaction": str(proof.transaction),
        }
        self._transact(
            [
                update,
                self._receipt(payment, proof, ours, now),
                self._log_row(payment, proof),
                Put(liability),
            ]
        )

    def reverse(self, payment: Payment, now: int) -> Payment:
        """SETTLED, FULFILLED, GRANTED or REFUND_DUE → REVERSED (its block is gone).

        Revenue is taken back by its own row, the log row is freed, and nothing is owed back.

        Raises ``LostRace``.
        """
        if payment.transaction is None or payment.log_index is None:
            raise LostRace("not settled")
        row: dict[str, Value | None] = {
            "pk": f"RVS#{payment.id.digest}#{payment.fence}",
            "amount": -payment.claim.authorization.value,
            "transaction": str(payment.transaction),
            "at": now,
        }
        self._transact(
            [
                move(
                    payment_key(payment.id),
                    payment.state,
                    State.REVERSED,
                    fence=payment.fence,
                    now=now,
                    detail=str(payment.transaction),
                    set_={"due": now},
                    remove=("transaction", "log_index", "block_number", "block_hash", "settled_at"),
                    raise_fence=True,
                ),
                Put(row),
                Delete(
                    log_key(payment.id, payment.transaction, payment.log_index),
                    "payment = :payment",
                    {":payment": payment.id.digest},
                ),
                Update(receipt_key(payment.id), "SET reversed_at = :now", "attribute_exists(pk)", {":now": now}),
                self._revenue(payment, -1),
                *self._fee(payment, -1),
                *enter_again(payment),
                *self._nothing_due(payment, now),
            ]
        )
        return Payment(
            payment.claim,
            State.REVERSED,
            payment.fence + 1,
            ran_at=payment.ran_at,
            served_at=payment.served_at,
            refund_why=payment.refund_why,
        )

    def _nothing_due(self, payment: Payment, now: int) -> list[Write]:
        if payment.state is not State.REFUND_DUE:
            return []
        return [Update(refund_due_key(payment.id), "SET reversed_at = :now", "attribute_exists(pk)", {":now": now})]

    def refunded(self, payment: Payment, transaction: Bytes32, now: int) -> None:
        """PAID_UNSERVED → REFUNDED: an operator gave the money back in ``transaction``."""
        self._transact(
            [
                move(
                    payment_key(payment.id),
                    State.PAID_UNSERVED,
                    State.REFUNDED,
                    fence=payment.fence,
                    now=now,
                    detail=str(transaction),
                    set_={"refund_transaction": str(transaction), "refunded_at": now},
                    remove=("work", "due"),
                ),
                Update(
                    f"LIA#{payment.id.digest}",
                    "SET refunded_at = :now, refund_transaction = :tx",
                    "attribute_exists(pk) AND attribute_not_exists(refunded_at)",
                    {":now": now, ":tx": str(transaction)},
                ),
            ]
        )

    def _receipt(self, payment: Payment, proof: TransferProof, ours: bool, now: int) -> Put:
        """One receipt; only that of a reversed settlement makes room for the next."""
        return Put(
            receipt_item(payment, proof, ours, now),
            "attribute_not_exists(pk) OR attribute_exists(reversed_at)",
        )

    def _log_row(self, payment: Payment, proof: TransferProof) -> Put:
        key = log_key(payment.id, proof.transaction, proof.log_index)
        return Put({"pk": key, "payment": payment.id.digest})

    def _revenue(self, payment: Payment, sign: int) -> Update:
        return Update(
            revenue_key(payment),
            "ADD amount :amount, payments :count",
            None,
            {":amount": sign * payment.claim.authorization.value, ":count": sign},
        )

    def _fee(self, payment: Payment, sign: int) -> list[Write]:
        """What the route's owner owes the operator; it was agreed on at the claim, and comes and goes with revenue."""
        owner, fee = payment.claim.route_owner, payment.claim.fee
        if owner is None or not fee:
            return []
        values: dict[str, Value] = {":amount": sign * fee, ":count": sign}
        return [Update(fee_key(payment, owner), "ADD amount :amount, payments :count", None, values)]

    def _get(self, payment: Payment) -> Payment | None:
        item = self._table.get(payment_key(payment.id))
        return read_payment(item) if item else None

    def _transact(self, writes: Sequence[Write]) -> None:
        try:
            self._table.transact(writes)
        except TransactionCancelled as lost:
            raise LostRace("the payment moved on") from lost


def _settled(proof: TransferProof, ours: bool, now: int) -> dict[str, Value]:
    """What a payment's item says of the transfer that paid it."""
    return {
        "transaction": str(proof.transaction),
        "log_index": proof.log_index,
        "block_number": proof.block_number,
        "block_hash": str(proof.block_hash),
        "ours": ours,
        "settled_at": now,
    }
