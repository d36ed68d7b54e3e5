"""What the seller's ledger knows of a refund that the stack sends by itself, on the payment's own item.

    begin       REFUND_DUE without a mark -> refund_begun_at, before settle is asked: from then on no hand refunds it
    done        REFUND_DUE -> REFUNDED with the transaction, and the row RFD# closed, in one transaction
    withdraw    the mark taken away: nothing was signed, and nothing will be
    give_up     the mark becomes refund_failed: proven that it cannot move any more, so it is the operator's

The marks outlive a reversal, as the refund does. Every method raises ``LostRace`` when the payment moved on.
"""

from dataclasses import replace

from tollgate.errors import LostRace
from tollgate.ledger.dynamo import ConditionFailed, Table, Update, Value
from tollgate.ledger.moves import appended
from tollgate.ledger.payment_items import payment_key, read_payment
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.record import Move, Payment
from tollgate.payment.states import State
from tollgate.wire.primitives import Bytes32
from tollgate.wire.reasons import Reason


class RefundMarks:
    """Conditional writes over the payments table. ``now`` is Unix seconds."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._upfront = UpfrontLedger(table)

    def begin(self, payment: Payment, now: int) -> Payment:
        """Write down that settle is about to be asked; done twice it is done once."""
        names = {"#state": "state"}
        values = _as_read(payment) | {":now": now}
        history = appended(names, values, Move("REFUND_BEGUN", now))
        update = Update(
            payment_key(payment.id),
            f"SET refund_begun_at = :now, {history}",
            "#state = :due AND fence = :fence"
            " AND attribute_not_exists(refund_begun_at) AND attribute_not_exists(refund_failed)",
            values,
            names,
        )
        try:
            return read_payment(self._table.write(update))
        except ConditionFailed as lost:
            current = read_payment(lost.item) if lost.item else None
            if current is None or current.state is not State.REFUND_DUE or current.refund_begun_at is None:
                raise LostRace("the payment moved on") from lost
            # Another pass began it, or we did and the answer was lost: asking settle twice is harmless.
            return current

    def done(self, payment: Payment, transaction: Bytes32, now: int) -> None:
        """The refund is final on chain."""
        self._upfront.refunded_by_stack(payment, transaction, now)

    def withdraw(self, payment: Payment, reason: Reason, now: int) -> None:
        """Take the mark of a refund away that settle refuses to sign."""
        self._unmark(payment, "REMOVE refund_begun_at", Move("REFUND_WITHDRAWN", now, reason.value), {})

    def give_up(self, payment: Payment, reason: Reason, now: int) -> Payment:
        """Its authorization can move no more."""
        failed: dict[str, Value] = {":failed": reason.value}
        move = Move("REFUND_FAILED", now, reason.value)
        self._unmark(payment, "REMOVE refund_begun_at", move, failed, ", refund_failed = :failed")
        return replace(payment, refund_begun_at=None, refund_failed=reason.value)

    def _unmark(self, payment: Payment, remove: str, move: Move, more: dict[str, Value], sets: str = "") -> None:
        names = {"#state": "state"}
        values = _as_read(payment) | {":begun": payment.refund_begun_at or 0} | more
        history = appended(names, values, move)
        self._table.write(
            Update(
                payment_key(payment.id),
                f"SET {history}{sets} {remove}",
                "#state = :due AND fence = :fence AND refund_begun_at = :begun",
                values,
                names,
            )
        )


def _as_read(payment: Payment) -> dict[str, Value]:
    return {":due": State.REFUND_DUE.value, ":fence": payment.fence}
