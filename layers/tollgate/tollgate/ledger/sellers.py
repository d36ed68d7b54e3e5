"""The sellers table: one item per seller elsewhere, read once per call of the facilitator's API.

SELLER#<name>   {seller: JSON}   replaced only while it is what was read; a removed key is refused from then on
"""

from typing import TYPE_CHECKING

from tollgate.ledger.dynamo import ConditionFailed, Delete, Put, Table, Value, from_dynamo
from tollgate.payment.sellers import Seller, seller_from_json, seller_to_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PREFIX = "SELLER#"


class SellersTable:
    """Sellers in DynamoDB. Nothing is remembered between calls: a removed key ends at once."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._name = table_name
        self._table = Table(client, table_name)

    def find(self, name: str) -> Seller | None:
        """One seller, in one consistent read. Raises ``ConfigurationError`` if the item cannot be read."""
        found = self.load(name)
        return found[0] if found else None

    def load(self, name: str) -> tuple[Seller, str] | None:
        """A seller with the text that ``replace`` wants."""
        item = self._table.get(_PREFIX + name)
        return (seller_from_json(name, item["seller"]), item["seller"]) if item else None

    def add(self, seller: Seller) -> None:
        """A new seller. Raises ``ConditionFailed`` (a ``LostRace``) when the name is taken."""
        item = _item(seller)
        try:
            self._table.write(Put(item))
        except ConditionFailed as error:
            # The client sends a write again whose answer was lost: our own item is success (threat 41).
            if error.item != item:
                raise

    def replace(self, seller: Seller, read: str) -> None:
        """Put it in place of what was ``read``. Raises ``ConditionFailed`` when somebody changed it meanwhile.

        A count would begin again with a seller that is removed and added: its old keys would be back.
        """
        item = _item(seller)
        try:
            self._table.write(Put(item, "seller = :read", {":read": read}))
        except ConditionFailed as error:
            if error.item != item:
                raise

    def remove(self, name: str) -> bool:
        """Forget a seller; whether there was one."""
        try:
            self._table.write(Delete(_PREFIX + name, "attribute_exists(pk)"))
        except ConditionFailed:
            return False
        return True

    def all(self) -> list[Seller]:
        """Every seller by name; it reads the whole table, for the command line only."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._name, ConsistentRead=True)
        items = [from_dynamo(raw) for page in pages for raw in page["Items"]]
        sellers = [
            seller_from_json(item["pk"].removeprefix(_PREFIX), item["seller"])
            for item in items
            if item["pk"].startswith(_PREFIX)
        ]
        return sorted(sellers, key=lambda seller: seller.name)


def _item(seller: Seller) -> dict[str, Value | None]:
    return {"pk": _PREFIX + seller.name, "seller": seller_to_json(seller)}
