"""Which payments an operator means: by id, by identity, or by a transaction that paid or refunded them.

Those of sellers elsewhere are in the settlements table only.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tollgate.errors import ConfigurationError
from tollgate.ledger.dynamo import Item, Table
from tollgate.ledger.settlement_items import settlement_key
from tollgate.ledger.work import OWED, PARKED, Entry, WorkList
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import NetworkInfo
from tollgate_cli.aws import Aws
from tollgate_cli.result import Progress
from tollgate_cli.stack import Stack

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_BEGINNING = re.compile(r"[0-9a-fA-F]{8,63}")
_TRANSACTION = re.compile(r"0x[0-9a-fA-F]{64}")
# Log rows are looked for under their key first: reading the whole table is the last resort.
_LIKELY_LOG_INDEXES = 2000
_BATCH = 100
# Later than anything is ever due (Unix seconds).
_FOR_EVER = 10**11
# Rows that name a transaction and have their payment's digest in their key.
_OF_A_PAYMENT = frozenset({"PAY", "RCT", "LIA", "RVS"})
_SETTLEMENT = "STL#"


def is_transaction(text: str) -> bool:
    """Whether this is written as a transaction hash is."""
    return _TRANSACTION.fullmatch(text) is not None


def is_beginning(text: str) -> bool:
    """Whether this may be the beginning of an id: 8 hex digits or more, not all of them."""
    return _BEGINNING.fullmatch(text) is not None


def digest_of(id: str) -> str:
    """The digest of an id or an identity. Raises ``ConfigurationError`` when it is neither."""
    if _DIGEST.fullmatch(id):
        return id.lower()
    try:
        return PaymentId.parse(id).digest
    except ValueError as error:
        raise ConfigurationError(
            f"{id} is not a payment: give its id (64 hex digits), network#asset#payer#nonce,"
            " or a transaction (0x and 64 hex digits); show also takes an id's first 8 digits or more, and a payer"
        ) from error


def of_transaction(transaction: str, stack: Stack, table: Table, aws: Aws, progress: Progress) -> list[str]:
    """Digests of what a transaction paid; one that no log row names is found by reading the table."""
    transaction = transaction.lower()
    found = {row["payment"] for info in stack.facts.networks for row in _log_rows(info, transaction, table)}
    if not found:
        progress("no settled payment has this transaction; reading the whole payments table")
        found = _scan(transaction, stack, aws)
    return sorted(found)


def beginning_with(beginning: str, stack: Stack, table: Table, aws: Aws, progress: Progress) -> list[str]:
    """Digests that begin like this: of what is on a work list, and only then of everything."""
    beginning = f"PAY#{beginning.lower()}"
    found = {pk for pk in listed_keys(WorkList(table)) if pk.startswith(beginning)}
    if not found:
        progress("nothing that waits begins like this; reading the whole payments table")
        pages = aws.dynamodb.get_paginator("scan").paginate(
            TableName=stack.payments_table,
            ConsistentRead=True,
            FilterExpression="begins_with(pk, :beginning)",
            ProjectionExpression="pk",
            ExpressionAttributeValues={":beginning": {"S": beginning}},
        )
        found = {str(raw["pk"]["S"]) for page in pages for raw in page["Items"]}
    return sorted(pk.removeprefix("PAY#") for pk in found)


def listed_keys(work: WorkList) -> Iterator[str]:
    """Keys of everything that is on the work list, parked, or owed back; the index may lag by a moment."""
    for partition in (*work.shards, PARKED, OWED):
        after: Entry | None = None
        while True:
            page = work.page(partition, _FOR_EVER, _BATCH, after)
            yield from (entry.pk for entry in page.entries)
            after = page.more
            if after is None:
                break


def settlement_of(id: str, stack: Stack, table: Table, aws: Aws, progress: Progress) -> Item | None:
    """The settlement of a payment that the payments table does not know; only an identity finds it without a scan."""
    if not is_transaction(id) and not _DIGEST.fullmatch(id):
        return table.get(settlement_key(PaymentId.parse(id)))
    progress("none of this stack's routes knows it; reading the whole settlements table")
    filters: dict[str, Any] = {
        "FilterExpression": "begins_with(pk, :settlement)",
        "ExpressionAttributeValues": {":settlement": {"S": _SETTLEMENT}},
    }
    if is_transaction(id):
        filters["FilterExpression"] += (
            " AND (tx_hash = :transaction OR contains(replaced, :transaction) OR contains(proof, :transaction))"
        )
        filters["ExpressionAttributeValues"][":transaction"] = {"S": id.lower()}
    pages = aws.dynamodb.get_paginator("scan").paginate(
        TableName=stack.settlements_table, ConsistentRead=True, ProjectionExpression="pk", **filters
    )
    for key in (str(raw["pk"]["S"]) for page in pages for raw in page["Items"]):
        if is_transaction(id) or PaymentId.parse(key.removeprefix(_SETTLEMENT)).digest == id.lower():
            return table.get(key)
    return None


def _log_rows(info: NetworkInfo, transaction: str, table: Table) -> list[Item]:
    keys = [f"LOG#{info.network}#{transaction}#{index}" for index in range(_LIKELY_LOG_INDEXES)]
    rows: list[Item] = []
    for start in range(0, len(keys), _BATCH):
        rows += table.get_many(keys[start : start + _BATCH]).values()
    return rows


def _scan(transaction: str, stack: Stack, aws: Aws) -> set[str]:
    """Pending ones, reversed ones by the transaction that is gone, refunded ones by the refund's."""
    pages = aws.dynamodb.get_paginator("scan").paginate(
        TableName=stack.payments_table,
        ConsistentRead=True,
        FilterExpression="#transaction = :transaction OR refund_transaction = :transaction",
        ProjectionExpression="pk",
        ExpressionAttributeNames={"#transaction": "transaction"},
        ExpressionAttributeValues={":transaction": {"S": transaction}},
    )
    return {digest for page in pages for raw in page["Items"] if (digest := _digest_in(raw))}


def _digest_in(raw: Mapping[str, Any]) -> str:
    prefix, _, rest = str(raw["pk"]["S"]).partition("#")
    return rest.partition("#")[0] if prefix in _OF_A_PAYMENT else ""
