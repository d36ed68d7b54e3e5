"""``tollgate payments credited``: write down that what a payment is owed was made good in another way than on chain."""

import re

from tollgate.errors import ConfigurationError, LostRace
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payment_items import read_payment
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.states import State
from tollgate_cli.aws import Aws
from tollgate_cli.money import money
from tollgate_cli.payment_lookup import digest_of
from tollgate_cli.refund_command import begun
from tollgate_cli.result import Result
from tollgate_cli.stack import read_stack

_REFERENCE = re.compile(r"[!-~]{1,100}")


def credited(id: str, reference: str, stack_name: str, aws: Aws, now: int) -> Result:
    """REFUND_DUE → CREDITED; twice with one reference is done once.

    Raises ``ConfigurationError`` for a malformed id or reference. Exit code 1, with nothing written, when the
    payment is unknown or in another state.
    """
    if _REFERENCE.fullmatch(reference) is None:
        raise ConfigurationError(
            "--reference must be one word of up to 100 visible ASCII characters: a ticket, an invoice"
        )
    digest = digest_of(id)
    stack = read_stack(aws.cloudformation, stack_name)
    table = Table(aws.dynamodb, stack.payments_table)
    item = table.get(f"PAY#{digest}")
    if item is None:
        return _no(f"{stack.name} knows no payment {id}")
    payment = read_payment(item)
    written = payment.state is State.REFUND_DUE
    if written:
        try:
            UpfrontLedger(table).credited(payment, reference, now)
        except LostRace:
            written = False
        item = table.get(f"PAY#{digest}") or {}
    state = item.get("state")
    if state == State.REFUND_DUE and "refund_begun_at" in item:
        return _no(begun(digest))
    if state != State.CREDITED or item["credit_reference"] != reference:
        how = f", as {item['credit_reference']}" if state == State.CREDITED else ""
        return _no(f"payment {digest} is {state}{how}: only what is REFUND_DUE can be credited. Nothing was written")
    amount = payment.claim.authorization.value
    document = {
        "payment": digest,
        "state": State.CREDITED.value,
        "written": written,
        "payer": str(payment.id.payer),
        "amount": str(amount),
        "reference": reference,
    }
    before = "REFUND_DUE -> CREDITED" if written else "CREDITED already, as this"
    line = f"  {money(amount, payment.id)} to {payment.id.payer}, made good as {reference}"
    return Result(document, [f"payment {digest}: {before}", line])


def _no(sentence: str) -> Result:
    return Result({"error": sentence}, [], [sentence], code=1)
