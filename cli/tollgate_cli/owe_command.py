"""``tollgate payments owe``: write down that what was let through was not delivered, so that it is owed back."""

import re

from tollgate.errors import ConfigurationError, LostRace
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payment_items import read_payment
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.states import State
from tollgate_cli.aws import Aws
from tollgate_cli.money import money
from tollgate_cli.payment_lookup import digest_of
from tollgate_cli.result import Result
from tollgate_cli.stack import read_stack

_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def owe(id: str, why: str, stack_name: str, aws: Aws, now: int) -> Result:
    """GRANTED → REFUND_DUE; twice is done once. It moves no money: what REFUND_DUE is comes after it.

    Raises ``ConfigurationError`` for a malformed id or code. Exit code 1, with nothing written, when the payment is
    unknown or in another state.
    """
    if _CODE.fullmatch(why) is None:
        raise ConfigurationError("--because must be a code of up to 40 of a-z, 0-9, _ and -: api_failed, say")
    digest = digest_of(id)
    stack = read_stack(aws.cloudformation, stack_name)
    table = Table(aws.dynamodb, stack.payments_table)
    item = table.get(f"PAY#{digest}")
    if item is None:
        return _no(f"{stack.name} knows no payment {id}")
    payment = read_payment(item)
    written = payment.state is State.GRANTED
    if written:
        try:
            UpfrontLedger(table).refund_due(payment, why, now, dead=False)
        except LostRace:
            written = False
        payment = read_payment(table.get(f"PAY#{digest}") or item)
    if payment.state is not State.REFUND_DUE:
        return _no(
            f"payment {digest} is {payment.state.value}: only what is GRANTED is yours to call undelivered."
            " Nothing was written"
        )
    amount = payment.claim.authorization.value
    document = {
        "payment": digest,
        "state": payment.state.value,
        "written": written,
        "payer": str(payment.id.payer),
        "amount": str(amount),
        "why": payment.refund_why,
    }
    before = "GRANTED -> REFUND_DUE" if written else "REFUND_DUE already"
    line = f"  {money(amount, payment.id)} are owed to {payment.id.payer}, because of {payment.refund_why}"
    return Result(document, [f"payment {digest}: {before}", line])


def _no(sentence: str) -> Result:
    return Result({"error": sentence}, [], [sentence], code=1)
