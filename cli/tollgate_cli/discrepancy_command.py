"""``tollgate payments discrepancies`` and ``dismiss``: where chain and books differ, and why one may stand."""

from collections.abc import Iterator
from typing import Any

from tollgate.errors import ConfigurationError
from tollgate.ledger import discrepancies
from tollgate.ledger.discrepancies import Discrepancies
from tollgate.ledger.dynamo import Item, Table
from tollgate.ledger.work import Entry
from tollgate.wire.primitives import Address, Network
from tollgate_cli.ages import age
from tollgate_cli.aws import Aws
from tollgate_cli.money import amount
from tollgate_cli.result import Result
from tollgate_cli.stack import read_stack

_FOR_EVER = 10**11
_PAGE = 100
_SHOWN = (
    "kind", "standing", "why", "network", "asset", "pay_to", "payer", "amount", "transaction", "log_index",
    "block_number", "nonce", "payment", "found_at",
)  # fmt: skip
_TODO = {
    "transfer": "whose payment is it? Serve or refund its payer, then tollgate payments dismiss ID --because ...",
    "receipt": "ask another RPC endpoint for the transaction; tollgate payments show PAYMENT",
}


def listed(stack_name: str, aws: Aws, now: int, *, every: bool) -> Result:
    """What waits for a person; with ``every`` also what is too young to tell, and other money. Exit code 1 when
    anything waits."""
    stack = read_stack(aws.cloudformation, stack_name)
    rows = Discrepancies(Table(aws.dynamodb, stack.payments_table))
    partitions = discrepancies.LISTS.values() if every else [discrepancies.OPEN]
    found = [row for partition in partitions for row in _rows(rows, partition)]
    waiting = sum(row["standing"] == "OPEN" for row in found)
    document: dict[str, Any] = {"discrepancies": [_document(row) for row in found]}
    if not found:
        return Result(document, ["chain and books agree, as far as they were compared"])
    return Result(document, [line for row in found for line in _lines(row, now)], code=1 if waiting else 0)


def dismiss(id: str, because: str, stack_name: str, aws: Aws, now: int) -> Result:
    """OPEN → DISMISSED, with an operator's reason. Raises ``ConfigurationError`` for a reason that says nothing.

    Exit code 1 when there is no such discrepancy, or it is not open.
    """
    if not because.strip() or len(because) > 500 or not because.isprintable():
        raise ConfigurationError("--because must be a line of up to 500 characters: who looked, and what it was")
    stack = read_stack(aws.cloudformation, stack_name)
    table = Table(aws.dynamodb, stack.payments_table)
    row = table.get(f"DSC#{id}")
    if row is None:
        return _no(f"{stack.name} has no discrepancy {id}: tollgate payments discrepancies lists them")
    if row["standing"] != "OPEN" or not Discrepancies(table).dismiss(row, because, now):
        return _no(f"discrepancy {id} is {row['standing']}, not OPEN. Nothing was written")
    return Result({"dismissed": id, "because": because}, [f"discrepancy {id}: OPEN -> DISMISSED"])


def _rows(rows: Discrepancies, partition: str) -> Iterator[Item]:
    after: Entry | None = None
    while True:
        found, after = rows.due(partition, _FOR_EVER, _PAGE, after)
        yield from found
        if after is None:
            return


def _document(row: Item) -> dict[str, Any]:
    return {"id": _id(row), **{key: row[key] for key in _SHOWN if key in row}}


def _lines(row: Item, now: int) -> list[str]:
    paid = amount(row["amount"], Network.parse(row["network"]), Address.parse(row["asset"]))
    lines = [
        f"{row['standing']}  {row['kind']}{f' ({why})' if (why := row.get('why')) else ''}  {paid}"
        f"  found {age(now - row['found_at'])} ago",
        f"  id           {_id(row)}",
        f"  from         {row['payer']}",
        f"  to           {row['pay_to']}",
        f"  transaction  {row['transaction']}, log {row['log_index']}, block {row['block_number']}",
    ]
    if "payment" in row:
        lines.append(f"  payment      {row['payment']}")
    if row["standing"] == "OPEN":
        lines.append(f"  -> {_TODO[row['kind']]}")
    return lines


def _id(row: Item) -> str:
    return str(row["pk"]).removeprefix("DSC#")


def _no(sentence: str) -> Result:
    return Result({"error": sentence}, [], [sentence], code=1)
