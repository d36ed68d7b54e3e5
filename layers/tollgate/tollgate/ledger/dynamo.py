"""The few DynamoDB calls that the ledgers make, over a plain boto3 client.

Items are flat dicts of ``str``, ``int``, ``bool``, ``bytes`` and lists of ``str`` (here: tuples); a value of
``None`` is not stored.
Reads are consistent, always (rule 10). A transaction cancelled only by conflicts or throttling is
tried again with jitter (threat 106); a failed condition comes back with the item that failed it.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tollgate.errors import LostRace, TollgateError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Value = str | int | bool | bytes | tuple[str, ...]
Item = dict[str, Any]

_ATTEMPTS = 40
_RETRIED_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_RETRIED_ERRORS = frozenset(
    {
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "InternalServerError",
    }
)


class ConditionFailed(LostRace):
    """A single conditional write failed; ``item`` is what stood there (empty if nothing did)."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("condition failed")
        self.item = item


class TransactionCancelled(LostRace):
    """A transaction failed; ``failed`` maps the index of each failed condition to the item there."""

    def __init__(self, failed: Mapping[int, Item | None]) -> None:
        super().__init__(f"conditions failed: {sorted(failed)}")
        self.failed = failed


class LedgerUnavailable(TollgateError):
    """DynamoDB kept throttling or failing; whether the last write happened is not known."""


def to_dynamo(item: Mapping[str, Value | None]) -> dict[str, Any]:
    """Marshal a flat dict."""
    return {k: _marshal(v) for k, v in item.items() if v is not None}


def _marshal(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, tuple):
        return {"L": [{"S": text} for text in value]}
    return {"S": value}


def from_dynamo(item: Any) -> Item:
    """Unmarshal a flat dict."""
    out: Item = {}
    for key, typed in item.items():
        ((kind, value),) = typed.items()
        if kind == "N":
            out[key] = int(value)
        else:
            out[key] = tuple(text["S"] for text in value) if kind == "L" else value
    return out


def _line(raw: Any) -> tuple[str, int]:
    item = from_dynamo(raw)
    return item["pk"], item["due"]


@dataclass(frozen=True, slots=True)
class Put:
    """Put a whole item; ``if_absent`` or a free condition."""

    item: Mapping[str, Value | None]
    condition: str | None = "attribute_not_exists(pk)"
    values: Mapping[str, Value] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Update:
    """Update an item by expression. ``names`` are ``#aliases``, ``values`` are ``:aliases``."""

    pk: str
    expression: str
    condition: str | None
    values: Mapping[str, Value] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an item under a condition."""

    pk: str
    condition: str
    values: Mapping[str, Value] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on an item that a transaction does not write."""

    pk: str
    condition: str
    values: Mapping[str, Value] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


Write = Put | Update | Delete


@dataclass(frozen=True, slots=True)
class Query:
    """Lines of an index, never truth. ``limit`` bounds what is looked at, before ``filter`` leaves some of it out."""

    index: str
    condition: str
    values: Mapping[str, Value]
    names: Mapping[str, str]
    filter: str | None = None
    newest_first: bool = False


class Table:
    """One DynamoDB table whose hash key is ``pk``."""

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._name = name
        self._sleep = sleep
        self._jitter = jitter

    def get(self, pk: str) -> Item | None:
        """Read one item, consistently."""
        out = self._call("get_item", TableName=self._name, Key={"pk": {"S": pk}}, ConsistentRead=True)
        return from_dynamo(out["Item"]) if "Item" in out else None

    def get_many(self, pks: Sequence[str]) -> dict[str, Item]:
        """Read up to 100 items in one request, consistently; absent ones are left out."""
        found: dict[str, Item] = {}
        keys = [{"pk": {"S": pk}} for pk in dict.fromkeys(pks)]
        while keys:
            out = self._call(
                "batch_get_item",
                RequestItems={self._name: {"Keys": keys, "ConsistentRead": True}},
            )
            for raw in out["Responses"].get(self._name, []):
                item = from_dynamo(raw)
                found[item["pk"]] = item
            keys = out.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
        return found

    def write(self, write: Write) -> Item:
        """Do one write; an Update returns the new item. Raises ``ConditionFailed`` with the old one."""
        method, request = self._request(write)
        if isinstance(write, Update):
            request["ReturnValues"] = "ALL_NEW"
        try:
            out = self._call(method, **request)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            raw = error.response.get("Item")
            raise ConditionFailed(from_dynamo(raw) if raw else None) from error
        return from_dynamo(out.get("Attributes") or {})

    def transact(self, writes: Sequence[Write | Check]) -> None:
        """Do all writes or none, if every check holds. Raises ``TransactionCancelled`` when a condition fails."""
        kinds = {Put: "Put", Update: "Update", Delete: "Delete", Check: "ConditionCheck"}
        request = [{kinds[type(w)]: self._request(w)[1]} for w in writes]
        for attempt in range(_ATTEMPTS):
            try:
                self._call("transact_write_items", TransactItems=request)
                return
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                reasons: list[Any] = list(error.response.get("CancellationReasons", []))
                failed = {
                    index: from_dynamo(reason["Item"]) if reason.get("Item") else None
                    for index, reason in enumerate(reasons)
                    if reason.get("Code") == "ConditionalCheckFailed"
                }
                if failed:
                    raise TransactionCancelled(failed) from error
                codes = {reason.get("Code") for reason in reasons} - {"None", None}
                if not codes or not codes <= _RETRIED_REASONS:
                    raise
            self._pause(attempt)
        raise LedgerUnavailable("transaction kept conflicting")

    def query_due(
        self, index: str, partition: str, due: int, limit: int, after: tuple[str, int] | None = None
    ) -> tuple[list[tuple[str, int]], tuple[str, int] | None]:
        """A page of the ``work``/``due`` index: key and due time of what is due, oldest first; never truth.

        ``after`` is where the page before ended; the second value is where this one did, ``None`` after the last.
        """
        request: dict[str, Any] = {}
        if after is not None:
            pk, at = after
            request["ExclusiveStartKey"] = {"pk": {"S": pk}, "work": {"S": partition}, "due": {"N": str(at)}}
        out = self._call(
            "query",
            TableName=self._name,
            IndexName=index,
            KeyConditionExpression="#work = :work AND #due <= :due",
            ExpressionAttributeNames={"#work": "work", "#due": "due"},
            ExpressionAttributeValues={":work": {"S": partition}, ":due": {"N": str(due)}},
            Limit=limit,
            **request,
        )
        last = out.get("LastEvaluatedKey")
        return [_line(raw) for raw in out["Items"]], _line(last) if last else None

    def lines(self, query: Query, limit: int, after: Item | None = None) -> tuple[list[Item], Item | None]:
        """A page of an index; the second value is where it ended, for the next one's ``after``; ``None``: no more."""
        out = self._call("query", **self._query(query, after), Limit=limit)
        last = out.get("LastEvaluatedKey")
        return [from_dynamo(raw) for raw in out["Items"]], from_dynamo(last) if last else None

    def count(self, query: Query, pages: int) -> tuple[int, bool]:
        """How many lines a query has, in at most so many pages of 1 MB; whether that is all of them."""
        counted, after = 0, None
        for _ in range(pages):
            out = self._call("query", **self._query(query, after), Select="COUNT")
            counted += out["Count"]
            last = out.get("LastEvaluatedKey")
            if not last:
                return counted, True
            after = from_dynamo(last)
        return counted, False

    def _query(self, query: Query, after: Item | None) -> dict[str, Any]:
        request: dict[str, Any] = {
            "TableName": self._name,
            "IndexName": query.index,
            "KeyConditionExpression": query.condition,
            "ExpressionAttributeNames": dict(query.names),
            "ExpressionAttributeValues": to_dynamo(query.values),
            "ScanIndexForward": not query.newest_first,
        }
        if query.filter is not None:
            request["FilterExpression"] = query.filter
        if after is not None:
            request["ExclusiveStartKey"] = to_dynamo(after)
        return request

    def _request(self, write: Write | Check) -> tuple[str, dict[str, Any]]:
        request: dict[str, Any] = {"TableName": self._name}
        if isinstance(write, Put):
            method = "put_item"
            request["Item"] = to_dynamo(write.item)
        else:
            # A check has no call of its own: it only ever stands in a transaction.
            method = "update_item" if isinstance(write, Update) else "delete_item"
            request["Key"] = {"pk": {"S": write.pk}}
            if isinstance(write, Update):
                request["UpdateExpression"] = write.expression
        if write.condition is not None:
            request["ConditionExpression"] = write.condition
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if write.values:
            request["ExpressionAttributeValues"] = to_dynamo(write.values)
        if write.names:
            request["ExpressionAttributeNames"] = dict(write.names)
        return method, request

    def _call(self, method: str, **request: Any) -> dict[str, Any]:
        for attempt in range(_ATTEMPTS):
            try:
                out: dict[str, Any] = getattr(self._client, method)(**request)
                return out
            except ClientError as error:
                if error.response["Error"]["Code"] not in _RETRIED_ERRORS:
                    raise
            self._pause(attempt)
        raise LedgerUnavailable(f"{method} kept being throttled")

    def _pause(self, attempt: int) -> None:
        self._sleep(min(0.5, 0.01 * 2 ** min(attempt, 6)) * self._jitter())
