"""``tollgate payment show``: what the seller's ledger knows of a payment, without what must not be seen."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tollgate.errors import ConfigurationError
from tollgate.ledger.dynamo import Item, Table
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import NetworkInfo
from tollgate_cli.aws import Aws
from tollgate_cli.result import Progress, Result
from tollgate_cli.stack import Stack, read_stack

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TRANSACTION = re.compile(r"0x[0-9a-fA-F]{64}")
# A signature is a bearer of money until used, signed bytes too; an identifier and an answer are the
# buyer's (rules 6 and 9). Bytes are never printed, whatever they are called.
_NEVER_PRINTED = frozenset({"signature", "raw", "body", "headers", "identifier", "owner", "source"})
_TIMES = frozenset(
    {
        "at", "claimed_at", "settled_at", "lease_until", "due", "valid_before", "expires_at", "stored_at",
        "refunded_at", "reversed_at",
    }
)  # fmt: skip
_PARTS = (("payment", "PAY"), ("receipt", "RCT"), ("answer", "ANS"), ("debt", "DEBT"), ("liability", "LIA"))
# Log rows are looked for under their key first: reading the whole table is the last resort.
_LIKELY_LOG_INDEXES = 2000
_BATCH = 100


def show(id: str, stack_name: str, aws: Aws, progress: Progress) -> Result:
    """A payment by its id (64 hex digits), its identity, or its transaction.

    Raises ``ConfigurationError`` when ``id`` is none of them. Exit code 1 when there is no such payment.
    """
    stack = read_stack(aws.cloudformation, stack_name)
    table = Table(aws.dynamodb, stack.payments_table)
    digests = _digests(id, stack, table, aws, progress)
    found = [part for digest in digests if (part := _read(digest, table))]
    if not found:
        sentence = f"{stack.name} knows no payment {id}"
        return Result({"error": sentence, "payments": []}, [], [sentence], code=1)
    lines: list[str] = []
    for payment in found:
        for name, item in payment.items():
            lines.append(f"{name}")
            lines += [f"  {key:<20} {_readable(key, value)}" for key, value in sorted(item.items())]
    return Result({"payments": found}, lines)


def _digests(id: str, stack: Stack, table: Table, aws: Aws, progress: Progress) -> list[str]:
    if _DIGEST.fullmatch(id):
        return [id]
    if _TRANSACTION.fullmatch(id):
        return _of_transaction(id.lower(), stack, table, aws, progress)
    try:
        return [PaymentId.parse(id).digest]
    except ValueError as error:
        raise ConfigurationError(
            f"{id} is not a payment: give its id (64 hex digits), network#asset#payer#nonce,"
            " or a transaction (0x and 64 hex digits)"
        ) from error


def _read(digest: str, table: Table) -> dict[str, Item]:
    keys = {f"{prefix}#{digest}": name for name, prefix in _PARTS}
    items = table.get_many(list(keys))
    if f"PAY#{digest}" not in items:
        return {}
    found = {name: _printable(items[key]) for key, name in keys.items() if key in items}
    found["payment"]["id"] = digest
    log = _log_row(items[f"PAY#{digest}"], table)
    return found | ({"log": _printable(log)} if log is not None else {})


def _log_row(payment: Item, table: Table) -> Item | None:
    if "transaction" not in payment or "log_index" not in payment:
        return None
    network = str(PaymentId.parse(payment["identity"]).network)
    return table.get(f"LOG#{network}#{payment['transaction']}#{payment['log_index']}")


def _of_transaction(transaction: str, stack: Stack, table: Table, aws: Aws, progress: Progress) -> list[str]:
    """Every payment that a transaction paid; one that is still unsettled is found by reading the table."""
    found = {row["payment"] for info in stack.facts.networks for row in _log_rows(info, transaction, table)}
    if not found:
        progress("no settled payment has this transaction; reading the whole payments table")
        found = _scan(transaction, stack, aws)
    return sorted(found)


def _log_rows(info: NetworkInfo, transaction: str, table: Table) -> list[Item]:
    keys = [f"LOG#{info.network}#{transaction}#{index}" for index in range(_LIKELY_LOG_INDEXES)]
    rows: list[Item] = []
    for start in range(0, len(keys), _BATCH):
        rows += table.get_many(keys[start : start + _BATCH]).values()
    return rows


def _scan(transaction: str, stack: Stack, aws: Aws) -> set[str]:
    pages = aws.dynamodb.get_paginator("scan").paginate(
        TableName=stack.payments_table,
        ConsistentRead=True,
        FilterExpression="#transaction = :transaction",
        ProjectionExpression="pk",
        ExpressionAttributeNames={"#transaction": "transaction"},
        ExpressionAttributeValues={":transaction": {"S": transaction}},
    )
    keys = (raw["pk"]["S"] for page in pages for raw in page["Items"])
    return {key.removeprefix("PAY#") for key in keys if key.startswith("PAY#")}


def _printable(item: Mapping[str, Any]) -> Item:
    return {
        key: value
        for key, value in item.items()
        if key not in _NEVER_PRINTED and key != "pk" and not isinstance(value, bytes)
    }


def _readable(key: str, value: Any) -> str:
    if key in _TIMES and isinstance(value, int):
        return f"{value} ({datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC)"
    return str(value)
