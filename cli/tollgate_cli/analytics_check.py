"""``tollgate analytics check``: make every sum again from the payments' own histories and the books, and compare.

The table is read as it is while payments move, so a difference on a stack that sells may be one of time: a second
run tells. What the stream did not bring (payments of before it, records that were given up) is only ever missing,
and ``--apply`` counts it, in the same way as the stream would: at any time, and never twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from tollgate.errors import ConfigurationError
from tollgate.gateway.analytics_query import day_name
from tollgate.ledger.dynamo import Item, Table, from_dynamo
from tollgate.ledger.tallies import HISTORY_ATTRIBUTES, Tallies, read_history
from tollgate.payment.tally import DAY_SECONDS, Cell, History, Sums, add, revenue, tally
from tollgate.wire.primitives import Address, Network
from tollgate_cli.aws import Aws
from tollgate_cli.money import amount
from tollgate_cli.result import Progress, Result
from tollgate_cli.stack import Stack, read_stack

_FIRST_DAY = 20_000  # in 2024: before the first release
_SHOWN = 20
_READ = {"pk", "amount", "state", *HISTORY_ATTRIBUTES}

Token = tuple[str, str]


@dataclass(slots=True)
class Found:
    """What the payments table says. ``counted`` are the sums that the marks stand for, ``books`` the revenue rows."""

    payments: int = 0
    counted: dict[Cell, Sums] = field(default_factory=dict)
    behind: list[History] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    histories: dict[Token, int] = field(default_factory=dict)
    books: dict[Token, int] = field(default_factory=dict)


def check(stack_name: str, aws: Aws, now: int, progress: Progress, *, apply: bool) -> Result:
    """Compare, and with ``apply`` count what is missing first. Exit code 1 for a difference, or what is not counted."""
    stack = read_stack(aws.cloudformation, stack_name)
    if not stack.analytics_table:
        raise ConfigurationError(f"stack {stack.name} keeps no analytics yet: deploy this version of Tollgate to it")
    tallies = Tallies(Table(aws.dynamodb, stack.analytics_table))
    progress("reading the whole payments table")
    found = _read(stack, aws, tallies)
    applied = 0
    if apply and found.behind:
        applied = tallies.count(found.behind)
        progress("reading it again")
        found = _read(stack, aws, tallies)
    # Clocks differ: the last day is that of the newest move, if that is later than here.
    last = max((now // DAY_SECONDS + 1, *(cell.day for cell in found.counted)))
    differences = list(_differences(found, dict(tallies.read(_FIRST_DAY, last))))
    unlike = [
        (token, found.histories.get(token, 0), found.books.get(token, 0))
        for token in sorted(found.histories.keys() | found.books.keys())
        if found.histories.get(token, 0) != found.books.get(token, 0)
    ]
    earned = [{"network": n, "asset": a, "amount": str(made)} for (n, a), made in sorted(found.histories.items())]
    document = {
        "stack": stack.name,
        "payments": found.payments,
        "applied": applied,
        "notCounted": [history.payment for history in found.behind],
        "countedFurther": found.ahead,
        "differences": [_difference(*one) for one in differences],
        "books": [
            {"network": n, "asset": a, "histories": str(made), "books": str(booked)} for (n, a), made, booked in unlike
        ],
        "revenue": earned,
    }
    good = not (found.behind or found.ahead or differences or unlike)
    lines = [f"{found.payments} payments", *([f"{applied} moves that were missing were counted"] if applied else [])]
    lines += [f"revenue {_money(token, made)}" for token, made in sorted(found.histories.items())]
    if good:
        return Result(document, [*lines, "sums, histories and books agree"])
    return Result(document, lines, _complaints(found, differences, unlike, stack.name), code=1)


def _read(stack: Stack, aws: Aws, tallies: Tallies) -> Found:
    found = Found()
    rows = _rows(stack, aws)
    while batch := list(islice(rows, 100)):
        histories: list[History] = []
        for row in batch:
            if row["pk"].startswith("REV#"):
                network, asset = row["pk"].split("#")[1:3]
                found.books[network, asset] = found.books.get((network, asset), 0) + row["amount"]
            else:
                histories.append(read_history(row))
        _take(found, histories, tallies)
    return found


def _take(found: Found, histories: list[History], tallies: Tallies) -> None:
    marks = tallies.counted([history.payment for history in histories]) if histories else {}
    for history in histories:
        mark = marks.get(history.payment, 0)
        found.payments += 1
        for cell, sums in tally(replace(history, moves=history.moves[:mark])).items():
            add(found.counted.setdefault(cell, {}), sums)
        for sums in tally(history).values():
            token = history.network, history.asset
            found.histories[token] = found.histories.get(token, 0) + revenue(sums)
        if mark < len(history.moves):
            found.behind.append(history)
        if mark > len(history.moves):
            found.ahead.append(history.payment)


def _rows(stack: Stack, aws: Aws) -> Iterator[Item]:
    names = {f"#n{at}": name for at, name in enumerate(sorted(_READ))}
    pages = aws.dynamodb.get_paginator("scan").paginate(
        TableName=stack.payments_table,
        ConsistentRead=True,
        ProjectionExpression=", ".join(names),
        FilterExpression="begins_with(pk, :payment) OR begins_with(pk, :revenue)",
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={":payment": {"S": "PAY#"}, ":revenue": {"S": "REV#"}},
    )
    for page in pages:
        yield from (from_dynamo(raw) for raw in page["Items"])


Difference = tuple[Cell, str, int, int]


def _differences(found: Found, stored: dict[Cell, Sums]) -> Iterable[Difference]:
    for cell in sorted(found.counted.keys() | stored.keys()):
        made, kept = found.counted.get(cell, {}), stored.get(cell, {})
        for name in sorted(made.keys() | kept.keys()):
            if made.get(name, 0) != kept.get(name, 0):
                yield cell, name, made.get(name, 0), kept.get(name, 0)


def _difference(cell: Cell, name: str, made: int, kept: int) -> dict[str, Any]:
    told = {"day": day_name(cell.day), "route": cell.route, "owner": cell.owner, "network": cell.network}
    return {**told, "asset": cell.asset, "sum": name, "histories": str(made), "analytics": str(kept)}


def _complaints(
    found: Found, differences: list[Difference], unlike: list[tuple[Token, int, int]], stack: str
) -> list[str]:
    said = []
    if found.behind:
        said.append(
            f"{len(found.behind)} payments are not counted to their end: the stream brings what is new within seconds;"
            f" what stays is counted by tollgate analytics check --apply --stack {stack}"
        )
    said += [
        f"payment {payment} was counted further than its history goes: was the payments table restored?"
        for payment in found.ahead[:_SHOWN]
    ]
    said += [
        f"{day_name(cell.day)} {cell.route}: {name} is {kept}, and {made} by the payments' histories; run it again"
        " before you believe it, on a stack that sells"
        for cell, name, made, kept in differences[:_SHOWN]
    ]
    return said + [
        f"the histories make a revenue of {_money(token, made)}, the books {_money(token, booked)}"
        for token, made, booked in unlike
    ]


def _money(token: Token, atomic: int) -> str:
    return amount(atomic, Network.parse(token[0]), Address.parse(token[1]))
