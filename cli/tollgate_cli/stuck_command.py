"""``tollgate payments stuck`` and ``unpark``: what waits and why, and putting back what reconcile gave up on."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from tollgate.errors import LostRace
from tollgate.ledger.dynamo import Item, Table, from_dynamo
from tollgate.ledger.payment_items import read_payment
from tollgate.ledger.routes import RoutesTable
from tollgate.ledger.settlement_items import read_settlement, settlement_key
from tollgate.ledger.work import PARKED, Entry, WorkList
from tollgate.payment.identity import PaymentId
from tollgate.wire.primitives import Network
from tollgate_cli.ages import age
from tollgate_cli.aws import Aws
from tollgate_cli.money import money
from tollgate_cli.payment_lookup import digest_of, listed_keys
from tollgate_cli.result import Progress, Result
from tollgate_cli.stack import Stack, read_stack
from tollgate_cli.waiting import Waiting, behind_a_lower_nonce, unreadable, why_it_waits

T = TypeVar("T")
_BATCH = 100
_FOR_EVER = 10**11


def stuck(stack_name: str, aws: Aws, now: int, progress: Progress, *, scan: bool) -> Result:
    """Everything that is neither at its end nor just begun, grouped by why. Exit code 1 when there is anything.

    From the work list; ``scan`` reads the whole table instead, for what should be on the list and is not.
    """
    stack = read_stack(aws.cloudformation, stack_name)
    payments, settlements = (Table(aws.dynamodb, name) for name in (stack.payments_table, stack.settlements_table))
    items = _scanned(stack, aws, progress) if scan else _listed(payments)
    gas = _gas(stack, aws)
    waiting = [one for batch in _batches(items) for one in _waiting(batch, settlements, gas, now)]
    waiting = sorted(behind_a_lower_nonce(waiting), key=lambda one: (one.state, one.why, one.since, one.id))
    if not waiting:
        return Result({"stuck": []}, ["nothing is stuck: what is open was just begun"])
    groups: dict[tuple[str, str], list[Waiting]] = defaultdict(list)
    for one in waiting:
        groups[one.state, one.why].append(one)
    lines = [f"{len(waiting)} payment{'s' if len(waiting) > 1 else ''} of {stack.name} wait"]
    for (state, why), members in groups.items():
        lines += ["", f"{state}: {why} ({len(members)})", f"  -> {members[0].todo}"]
        lines += [_line(one, now) for one in members]
    return Result({"stuck": [_document(one, now) for one in waiting]}, lines, code=1)


def unpark(id: str, stack_name: str, aws: Aws, now: int) -> Result:
    """Put a parked payment back on the work list, or ``all`` of them; reconcile looks at it within a minute.

    Exit code 1 when it is not parked.
    """
    digest = None if id == "all" else digest_of(id)
    stack = read_stack(aws.cloudformation, stack_name)
    work = WorkList(Table(aws.dynamodb, stack.payments_table))
    keys = [f"PAY#{digest}"] if digest is not None else list(_parked(work))
    put_back = []
    for pk in keys:
        try:
            work.unpark(pk, now)
        except LostRace:
            if digest is not None:
                sentence = f"payment {digest} is not parked: tollgate payments stuck lists those that are"
                return Result({"error": sentence, "unparked": []}, [], [sentence], code=1)
            continue
        put_back.append(pk.removeprefix("PAY#"))
    lines = [f"payment {one}: back on the work list, looked at within a minute" for one in put_back]
    return Result({"unparked": put_back}, lines or ["nothing is parked"])


def _parked(work: WorkList) -> Iterator[str]:
    after: Entry | None = None
    while True:
        page = work.page(PARKED, _FOR_EVER, _BATCH, after)
        yield from (entry.pk for entry in page.entries)
        after = page.more
        if after is None:
            return


def _listed(payments: Table) -> Iterator[Item]:
    for batch in _batches(listed_keys(WorkList(payments))):
        yield from payments.get_many(batch).values()


def _scanned(stack: Stack, aws: Aws, progress: Progress) -> Iterator[Item]:
    progress("reading the whole payments table")
    pages = aws.dynamodb.get_paginator("scan").paginate(
        TableName=stack.payments_table,
        ConsistentRead=True,
        FilterExpression="begins_with(pk, :payment)",
        ExpressionAttributeValues={":payment": {"S": "PAY#"}},
    )
    for page in pages:
        yield from (from_dynamo(raw) for raw in page["Items"])


def _batches(things: Iterable[T]) -> Iterator[list[T]]:
    batch: list[T] = []
    for thing in things:
        batch.append(thing)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _gas(stack: Stack, aws: Aws) -> Mapping[Network, bool]:
    routes = RoutesTable(aws.dynamodb, stack.routes_table, [info.network for info in stack.facts.networks])
    return {status.network: status.has_gas for status in routes.statuses()}


def _waiting(items: list[Item], settlements: Table, gas: Mapping[Network, bool], now: int) -> Iterator[Waiting]:
    keys = {}
    for item in items:
        if "identity" in item:
            keys[item["pk"]] = settlement_key(PaymentId.parse(item["identity"]))
    found = settlements.get_many(list(keys.values())) if keys else {}
    for item in items:
        try:
            payment = read_payment(item)
        except (ValueError, KeyError):
            yield unreadable(item)
            continue
        row = found.get(keys[item["pk"]])
        one = why_it_waits(item, payment, None if row is None else read_settlement(row), gas, now)
        if one is not None:
            yield one


def _line(one: Waiting, now: int) -> str:
    amount = "?" if one.identity is None else money(one.amount, one.identity)
    look = "" if one.due is None else f"  {f'next look in {age(one.due - now)}' if one.due > now else 'looked at next'}"
    return f"  {one.id}  {amount}  {one.route}  for {age(now - one.since)}{look}"


def _document(one: Waiting, now: int) -> dict[str, Any]:
    return {
        "id": one.id,
        "state": one.state,
        "why": one.why,
        "todo": one.todo,
        "amount": str(one.amount),
        "route": one.route,
        "ageSeconds": now - one.since,
        "nextLook": one.due,
    }
