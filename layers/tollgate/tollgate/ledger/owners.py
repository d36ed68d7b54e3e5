"""Owners, one item each in the routes table, with the sign-ins that they used up.

OWNER#<address>   {owner: JSON, used: ("<nonce> <until>", ...)}

Each change of an owner's writes its item in the change's own transaction, conditioned on what was read: a sign-in
works once, an owner's changes come one after the other, and none lands once the operator has taken the owner away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tollgate.ledger.dynamo import ConditionFailed, Delete, Item, Put, Table, Value, from_dynamo
from tollgate.payment.owners import Owner, owner_from_json, owner_to_json
from tollgate.wire.primitives import Address

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PREFIX = "OWNER#"


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """An owner as read. ``text`` is its JSON; ``used`` are nonces with the Unix second until which they are kept."""

    owner: Owner
    text: str
    used: tuple[tuple[str, int], ...]

    def has_used(self, nonce: str) -> bool:
        """Whether a sign-in with this nonce made a change."""
        return any(nonce == old for old, _ in self.used)


class OwnersTable:
    """Owners in the routes table."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._name = table_name
        self._table = Table(client, table_name)

    def find(self, address: Address) -> OwnerRow | None:
        """One owner, in one consistent read. Raises ``ConfigurationError`` if the item cannot be read."""
        item = self._table.get(_PREFIX + address.lower)
        return None if item is None else _row(item)

    def all(self) -> list[OwnerRow]:
        """Every owner, by address; it reads the whole table, for the command line only."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._name,
            ConsistentRead=True,
            FilterExpression="begins_with(pk, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": _PREFIX}},
        )
        rows = [_row(from_dynamo(raw)) for page in pages for raw in page["Items"]]
        return sorted(rows, key=lambda row: row.owner.address)

    def write(self, write: Put | Delete) -> None:
        """One write of its own, made by ``put`` or ``remove``. Raises ``ConditionFailed``."""
        try:
            self._table.write(write)
        except ConditionFailed as error:
            # The client sends a write again whose answer was lost: our own item is success (threat 41).
            if not isinstance(write, Put) or error.item != write.item:
                raise


def put(owner: Owner, read: OwnerRow | None) -> Put:
    """The owner in place of what was read, as a write of a transaction."""
    item = _item(owner, owner_to_json(owner), () if read is None else read.used)
    return Put(item) if read is None else Put(item, *_unchanged(read))


def use(row: OwnerRow, nonce: str, until: int, now: int) -> Put:
    """The owner with one more nonce used up, and without those whose time is over."""
    kept = tuple(used for used in row.used if used[1] >= now)
    return Put(_item(row.owner, row.text, (*kept, (nonce, until))), *_unchanged(row))


def remove(row: OwnerRow) -> Delete:
    """The owner taken away."""
    return Delete(_PREFIX + row.owner.address.lower, *_unchanged(row))


def _unchanged(row: OwnerRow) -> tuple[str, dict[str, Value], dict[str, str]]:
    return "#owner = :owner AND used = :used", {":owner": row.text, ":used": _used(row.used)}, {"#owner": "owner"}


def _item(owner: Owner, text: str, used: Sequence[tuple[str, int]]) -> dict[str, Value | None]:
    return {"pk": _PREFIX + owner.address.lower, "owner": text, "used": _used(used)}


def _used(used: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{nonce} {until}" for nonce, until in used)


def _row(item: Item) -> OwnerRow:
    address = Address.parse(item["pk"].removeprefix(_PREFIX))
    used = tuple((nonce, int(until)) for nonce, until in (text.split(" ") for text in item["used"]))
    return OwnerRow(owner_from_json(address, item["owner"]), item["owner"], used)
