"""``tollgate payments refunded``: write down that an operator gave the money of a payment back."""

from typing import Any

from tollgate.errors import ConfigurationError, LostRace
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Item, Table
from tollgate.ledger.payment_items import read_payment
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.record import Payment
from tollgate.payment.states import State
from tollgate.wire.primitives import Bytes32
from tollgate_cli.aws import Aws
from tollgate_cli.money import money
from tollgate_cli.payment_lookup import digest_of, is_transaction
from tollgate_cli.result import Result
from tollgate_cli.stack import read_stack

# The states in which money is owed back, and the rows that say so.
_OWED = {State.PAID_UNSERVED: "LIA", State.REFUND_DUE: "RFD"}
_WHY_NOT = {
    State.EXECUTING: "its upstream is running",
    State.SETTLING: "whether money moved is not known yet, and it ends by itself",
    State.SETTLED: "it was paid and served, or is about to be",
    State.CLAIMED: "nothing was charged yet",
    State.EXECUTING_PAID: "its upstream is running",
    State.FULFILLED: "it was paid and served",
    State.GRANTED: "it was paid and let through",
    State.CREDITED: "it was made good in another way",
    State.REVERSED: "its block disappeared and it is settled again by itself",
    State.UNPAID: "its money never moved",
    State.UNRESOLVED: "whether money moved is not known; mend the RPC endpoint first",
    State.RELEASED: "it was not charged",
}


def refunded(id: str, transaction: str, stack_name: str, aws: Aws, now: int) -> Result:
    """PAID_UNSERVED or REFUND_DUE → REFUNDED; twice with one transaction is done once.

    Raises ``ConfigurationError`` for a malformed id or transaction. Exit code 1, with nothing
    written, when the payment is unknown or in another state.
    """
    refund = _word(transaction)
    digest = _digest(id)
    stack = read_stack(aws.cloudformation, stack_name)
    table = Table(aws.dynamodb, stack.payments_table)
    item = table.get(f"PAY#{digest}")
    if item is None:
        return _no(f"{stack.name} knows no payment {id}")
    payment = read_payment(item)
    written = payment.state in _OWED
    if written:
        if refund == payment.transaction:
            return _no(f"{refund} is the transaction that paid: give the one that sent the money back")
        try:
            if payment.state is State.PAID_UNSERVED:
                Books(table).refunded(payment, refund, now)
            else:
                UpfrontLedger(table).refunded(payment, refund, now)
        except LostRace:
            written = False
        # What stands there is what is reported, also when an answer was lost or somebody was faster.
        item = table.get(f"PAY#{digest}") or {}
    return _report(digest, payment, refund, item, written)


def _report(digest: str, payment: Payment, refund: Bytes32, item: Item, written: bool) -> Result:
    state = State(item["state"]) if "state" in item else None
    if state is State.REFUND_DUE and "refund_begun_at" in item:
        return _no(begun(digest))
    if state in _OWED:
        return _no(
            f"the row {_OWED[state]}#{digest} is missing or closed, so nothing was written: "
            "the books are not as they were"
        )
    if state is not State.REFUNDED:
        why = _WHY_NOT[state] if state is not None else "its item is gone"
        return _no(
            f"payment {digest} is {state or 'unknown'}, not PAID_UNSERVED or REFUND_DUE: {why}. Nothing was written"
        )
    if item["refund_transaction"] != str(refund):
        return _no(f"payment {digest} was refunded already, in {item['refund_transaction']}. Nothing was written")
    amount = payment.claim.authorization.value
    document: dict[str, Any] = {
        "payment": digest,
        "state": state.value,
        "written": written,
        "payer": str(payment.id.payer),
        "network": str(payment.id.network),
        "asset": str(payment.id.asset),
        "amount": str(amount),
        "refundTransaction": str(refund),
        "refundedAt": item["refunded_at"],
    }
    before = f"{payment.state} -> REFUNDED" if written else "REFUNDED already, in this transaction"
    returned = f"{money(amount, payment.id)} to {payment.id.payer}, in {refund}"
    return Result(document, [f"payment {digest}: {before}", f"  {returned} (written down, not looked up on chain)"])


def begun(digest: str) -> str:
    """Why nobody may send the money of a payment by hand that the stack has begun to send back."""
    return (
        f"the stack has begun to send the money of payment {digest} back by itself, and it can still arrive: send "
        "nothing by hand. It ends as REFUNDED; refund.waits in settle's log says why it waits. Nothing was written"
    )


def _word(transaction: str) -> Bytes32:
    try:
        return Bytes32.parse(transaction)
    except ValueError as error:
        raise ConfigurationError(
            f"--transaction {error}: the hash of the transaction that sent the money back"
        ) from error


def _digest(id: str) -> str:
    if is_transaction(id):
        raise ConfigurationError(
            f"{id} is a transaction, which may pay several payments: give the payment's id (64 hex digits);"
            f" tollgate payments show {id} prints it"
        )
    return digest_of(id)


def _no(sentence: str) -> Result:
    return Result({"error": sentence}, [], [sentence], code=1)
