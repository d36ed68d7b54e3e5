"""``tollgate payments show``: what the ledgers know of a payment, its history first, without what must not be seen."""

from collections.abc import Mapping, Sequence
from typing import Any

from tollgate.ledger.dynamo import Item, Table
from tollgate.ledger.settlement_items import read_settlement, settlement_key
from tollgate.ledger.work import OWED, PARKED
from tollgate.payment.identity import PaymentId
from tollgate.payment.record import Move
from tollgate.payment.states import State
from tollgate_cli.ages import age, moment
from tollgate_cli.aws import Aws
from tollgate_cli.money import money
from tollgate_cli.payers import is_payer, of_payer
from tollgate_cli.payment_lookup import (
    beginning_with,
    digest_of,
    is_beginning,
    is_transaction,
    of_transaction,
    settlement_of,
)
from tollgate_cli.payment_states import STATES
from tollgate_cli.result import Progress, Result
from tollgate_cli.stack import read_stack

# A signature is a bearer of money until used, signed bytes too; an identifier and an answer are the
# buyer's (rules 6 and 9). Bytes are never printed, whatever they are called.
_NEVER_PRINTED = frozenset(
    {
        "signature", "raw", "body", "headers", "identifier", "identifier_secret", "owner", "begun_by", "source",
        "request", "callback",
    }
)  # fmt: skip
# A settlement's item holds the payer's signature inside another attribute: only these are printed.
_OF_A_SETTLEMENT = (
    "state", "relayer", "relayer_nonce", "tx_hash", "replaced", "filler", "lease_until", "ours", "reason",
)  # fmt: skip
_FIRST = (
    "id", "state", "means", "then", "parked", "parked_at", "reason", "why", "due", "lease_until", "attempts", "strikes",
    "transaction",
)  # fmt: skip
_TIMES = frozenset(
    {
        "at", "claimed_at", "settled_at", "lease_until", "due", "valid_before", "expires_at", "stored_at",
        "released_at", "refunded_at", "refund_begun_at", "reversed_at", "ran_at", "served_at",
        "credited_at", "parked_at", "found_at", "closed_at", "asked_at", "accepted_at", "ended_at",
    }
)  # fmt: skip
# What an operator waits for.
_AWAITED = frozenset({"due", "lease_until"})
_AMOUNTS = frozenset({"amount", "value"})
_PARTS = (
    ("payment", "PAY"),
    ("receipt", "RCT"),
    ("answer", "ANS"),
    ("execution", "EXE"),
    ("debt", "DEBT"),
    ("liability", "LIA"),
    ("owed", "RFD"),
    ("discrepancy", "DSC"),
)
# Every reversal raises the fence by one and is filed under the fence that it ended.
_MOST_REVERSALS = 90

Part = tuple[str, Item]


def show(id: str, stack_name: str, aws: Aws, now: int, progress: Progress) -> Result:
    """A payment by its id or the beginning of it, its identity, or a transaction; a payer's address lists theirs.

    A seller's elsewhere is its settlement only. Raises ``ConfigurationError`` when ``id`` is none of them. Exit code 1
    when there is no such payment, or several begin like that.
    """
    by_transaction = is_transaction(id)
    begins = is_beginning(id)
    if is_payer(id):
        return of_payer(id, read_stack(aws.cloudformation, stack_name), aws, now, progress)
    digests = [] if by_transaction or begins else [digest_of(id)]
    stack = read_stack(aws.cloudformation, stack_name)
    payments, settlements = (Table(aws.dynamodb, name) for name in (stack.payments_table, stack.settlements_table))
    if by_transaction:
        digests = of_transaction(id, stack, payments, aws, progress)
    elif begins:
        digests = beginning_with(id, stack, payments, aws, progress)
        if len(digests) > 1:
            sentence = f"several payments begin with {id}: " + ", ".join(digests)
            return Result({"error": sentence, "payments": []}, [], [sentence], code=1)
    found = [parts for digest in digests if (parts := _read(digest, payments, settlements))]
    if not found and not begins and (alone := settlement_of(id, stack, settlements, aws, progress)) is not None:
        found = [[("settlement", _settlement_alone(alone))]]
    if not found:
        hint = "; an id has no 0x in front, a transaction has" if by_transaction else ""
        sentence = f"{stack.name} knows no payment {id}{hint}"
        return Result({"error": sentence, "payments": []}, [], [sentence], code=1)
    lines = [line for parts in found for line in _lines(parts, now)]
    return Result({"payments": [_document(parts) for parts in found]}, lines)


def _read(digest: str, payments: Table, settlements: Table) -> list[Part]:
    """The payment's item, then whatever else there is of it; empty when there is no payment."""
    keys = {f"{prefix}#{digest}": name for name, prefix in _PARTS}
    items = payments.get_many(list(keys))
    payment = items.get(f"PAY#{digest}")
    if payment is None:
        return []
    identity = PaymentId.parse(payment["identity"])
    found = [(name, _printable(items[key])) for key, name in keys.items() if key in items]
    found[0][1].update(_told(payment), id=digest)
    if "answer" in (parts := dict(found)) and "size" not in parts["answer"]:
        parts["answer"]["size"] = len(items[f"ANS#{digest}"].get("body", b""))
    if "transaction" in payment and "log_index" in payment:
        log = payments.get(f"LOG#{identity.network}#{payment['transaction']}#{payment['log_index']}")
        found += [("log", _printable(log))] if log is not None else []
    found += [("reversal", _printable(row)) for row in _reversals(digest, payment, payments)]
    settlement = settlements.get(settlement_key(identity))
    if settlement is not None:
        found.append(("settlement", _settlement(settlement)))
    return found


def _told(payment: Item) -> Item:
    """What the state means, what comes next, and the history as ``show`` gives it."""
    said = STATES.get(State(payment["state"])) if payment["state"] in set(State) else None
    moves = [Move.parse(text) for text in payment.get("moves", ())]
    told: Item = {"moves": [{"what": move.what, "at": move.at, "detail": move.detail} for move in moves]}
    return told if said is None else {**told, "means": said.means, "then": said.then}


def _settlement(item: Item) -> Item:
    return {key: item[key] for key in _OF_A_SETTLEMENT if key in item}


def _settlement_alone(item: Item) -> Item:
    """With what the payment's own item would say."""
    request = read_settlement(item).request
    return _settlement(item) | {
        "id": request.payment_id.digest,
        "identity": str(request.payment_id),
        "seller": request.seller,
        "to": request.authorization.to.lower,
        "value": request.authorization.value,
        "valid_before": request.authorization.valid_before,
    }


def _reversals(digest: str, payment: Item, payments: Table) -> list[Item]:
    fence = payment.get("fence", 1)
    keys = [f"RVS#{digest}#{past}" for past in range(max(1, fence - _MOST_REVERSALS), fence)]
    rows = payments.get_many(keys)
    return [rows[key] for key in keys if key in rows]


def _document(parts: Sequence[Part]) -> dict[str, Any]:
    """Each part under its name; reversals, of which there may be several, as a list."""
    document: dict[str, Any] = {name: item for name, item in parts if name != "reversal"}
    reversals = [item for name, item in parts if name == "reversal"]
    return document | ({"reversals": reversals} if reversals else {})


def _lines(parts: Sequence[Part], now: int) -> list[str]:
    payment = parts[0][1]
    lines: list[str] = []
    for name, item in parts:
        lines.append(name)
        shown = {key: item[key] for key in (*_FIRST, *sorted(item)) if key in item and key != "moves"}
        if name == "payment" and (never := _never(item)) is not None:
            shown["due"] = never
        lines += [f"  {key:<20} {_readable(key, value, payment, now)}" for key, value in shown.items()]
        if item.get("moves"):
            lines += ["history", *(f"  {line}" for line in _history(item["moves"], now))]
    return lines


def _never(payment: Item) -> str | None:
    """Why reconcile looks at a payment no more; ``None`` when it does."""
    if payment.get("work") == PARKED:
        return "never: reconcile gave up looking; mend it, then tollgate payments unpark"
    if payment.get("work") == OWED:
        return "never: it waits for its refund"
    return None if "due" in payment else "never: reconcile is done with it"


def _history(moves: Sequence[Mapping[str, Any]], now: int) -> list[str]:
    """When, what, and how long after the move before; the last one also how long ago."""
    lines = []
    before = None
    for move in moves:
        since = "" if before is None else f", {age(move['at'] - before)} later"
        detail = f"  {move['detail']}" if move["detail"] else ""
        lines.append(f"{moment(move['at'])}  {move['what']}{since}{detail}")
        before = move["at"]
    lines[-1] += f"  ({age(now - moves[-1]['at'])} ago)"
    return lines


def _printable(item: Mapping[str, Any]) -> Item:
    return {
        key: value
        for key, value in item.items()
        if key not in _NEVER_PRINTED and key != "pk" and not isinstance(value, bytes)
    }


def _readable(key: str, value: Any, payment: Item, now: int) -> str:
    if key in _TIMES and isinstance(value, int):
        distance = value - now
        awaited = f", {f'in {distance} s' if distance > 0 else f'{-distance} s ago'}" if key in _AWAITED else ""
        return f"{value} ({moment(value)}{awaited})"
    if key in _AMOUNTS and isinstance(value, int):
        return f"{value} ({money(value, PaymentId.parse(payment['identity']))})"
    return str(value)
