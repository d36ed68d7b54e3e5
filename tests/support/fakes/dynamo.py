"""A DynamoDB client in memory: the boto3 methods that the ledgers call, with the service's own strictness.

One thread at a time. Items are kept as the typed dicts of the wire. ``tests/crash/test_fakes_dynamo.py`` runs
the same cases against this and against a DynamoDB server over HTTP.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from tests.support.fakes.effects import Effects
from tests.support.fakes.expressions import Invalid, Item, Typed, apply_update, condition, update

Reply = dict[str, Any]
Observer = Callable[[str, str, Item | None, Item | None], None]

_MAX_ITEM_BYTES = 400 * 1024
_MAX_TRANSACTION = 100
_MAX_BATCH_GET = 100
_OPERATIONS = ("Put", "Update", "Delete", "ConditionCheck")


class FakeDynamo:
    """Tables with the hash key ``pk``; every table has the index ``work`` (hash ``work``, range ``due``, keys only).

    ``observers`` are told of every change: (table, key, old item, new item). ``throttle`` says whether the
    next request is to be throttled; such a request changes nothing.
    """

    def __init__(self, effects: Effects) -> None:
        self.tables: dict[str, dict[str, Item]] = {}
        self.observers: list[Observer] = []
        self.throttle: Callable[[str], bool] | None = None
        self.requests = 0
        # How often an item was written or removed.
        self.changes = 0
        self._effects = effects

    def create(self, name: str) -> str:
        """Make an empty table."""
        self.tables[name] = {}
        return name

    # Reads.

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool = False) -> Reply:
        """GetItem."""
        self._read("GetItem", _key(Key))
        item = self._table(TableName).get(_key(Key))
        return {} if item is None else {"Item": dict(item)}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Reply:
        """BatchGetItem."""
        keys = [(table, _key(key)) for table, wanted in RequestItems.items() for key in wanted["Keys"]]
        if not 1 <= len(keys) <= _MAX_BATCH_GET or len(set(keys)) != len(keys):
            raise _invalid("BatchGetItem takes 1 to 100 distinct keys", "BatchGetItem")
        self._read("BatchGetItem", ",".join(key for _, key in keys))
        found: dict[str, list[Item]] = {table: [] for table in RequestItems}
        for table, key in keys:
            item = self._table(table).get(key)
            if item is not None:
                found[table].append(dict(item))
        return {"Responses": found, "UnprocessedKeys": {}}

    def query(
        self,
        *,
        TableName: str,
        IndexName: str,
        KeyConditionExpression: str,
        ExpressionAttributeNames: dict[str, str],
        ExpressionAttributeValues: dict[str, Typed],
        Limit: int | None = None,
        ExclusiveStartKey: Item | None = None,
        ScanIndexForward: bool = True,
    ) -> Reply:
        """Query of the index ``work``: projected keys in order of ``due``, pages of ``Limit``."""
        if IndexName != "work":
            raise _invalid(f"no index {IndexName}", "Query")
        self._read("Query", f"{TableName} {IndexName}")
        parsed = condition(KeyConditionExpression)
        names, values = ExpressionAttributeNames, ExpressionAttributeValues
        rows = [
            {name: item[name] for name in ("pk", "work", "due")}
            for item in self._table(TableName).values()
            if "work" in item and "due" in item and parsed.run(item, names, values)
        ]
        rows.sort(key=_due_order, reverse=not ScanIndexForward)
        if ExclusiveStartKey is not None:
            start = _due_order(ExclusiveStartKey)
            rows = [r for r in rows if (_due_order(r) > start) == ScanIndexForward and _due_order(r) != start]
        page = rows if Limit is None else rows[:Limit]
        reply: Reply = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
        if Limit is not None and len(page) == Limit:
            reply["LastEvaluatedKey"] = dict(page[-1])
        return reply

    # Writes.

    def put_item(self, **request: Any) -> Reply:
        """PutItem."""
        return self._write("Put", request)

    def update_item(self, **request: Any) -> Reply:
        """UpdateItem."""
        return self._write("Update", request)

    def delete_item(self, **request: Any) -> Reply:
        """DeleteItem."""
        return self._write("Delete", request)

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]], ClientRequestToken: str = "") -> Reply:
        """TransactWriteItems: all or nothing; says for every item why not."""
        if not 1 <= len(TransactItems) <= _MAX_TRANSACTION:
            raise _invalid("a transaction has 1 to 100 items", "TransactWriteItems")
        parts = [next(iter(item.items())) for item in TransactItems]
        targets = [(request["TableName"], _target(request)) for _, request in parts]
        if len(set(targets)) != len(targets):
            raise _invalid("Transaction request cannot include multiple operations on one item", "TransactWriteItems")
        return self._change("TransactWriteItems", " + ".join(key for _, key in targets), lambda: self._transact(parts))

    def _transact(self, parts: list[tuple[str, dict[str, Any]]]) -> Reply:
        changes: list[tuple[str, str, Item | None]] = []
        reasons: list[Reply] = []
        for operation, request in parts:
            old = self._table(request["TableName"]).get(_target(request))
            if _holds(request, old):
                reasons.append({"Code": "None"})
                changes.append((request["TableName"], _target(request), _outcome(operation, request, old)))
                continue
            reason: Reply = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
            if old is not None and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
                reason["Item"] = dict(old)
            reasons.append(reason)
        if len(changes) < len(parts):
            codes = ", ".join(reason["Code"] for reason in reasons)
            raise _error(
                "TransactionCanceledException",
                f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
                "TransactWriteItems",
                CancellationReasons=reasons,
            )
        for (operation, _), (table, key, new) in zip(parts, changes, strict=True):
            if operation != "ConditionCheck":
                self._store(table, key, new)
        return {}

    def _write(self, operation: str, request: dict[str, Any]) -> Reply:
        key = _target(request)
        return self._change(f"{operation}Item", key, lambda: self._single(operation, request, key))

    def _single(self, operation: str, request: dict[str, Any], key: str) -> Reply:
        old = self._table(request["TableName"]).get(key)
        if not _holds(request, old):
            more = {}
            if old is not None and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
                more["Item"] = dict(old)
            raise _error(
                "ConditionalCheckFailedException", "The conditional request failed", f"{operation}Item", **more
            )
        new = _outcome(operation, request, old)
        self._store(request["TableName"], key, new)
        wanted = request.get("ReturnValues", "NONE")
        shown = {"ALL_NEW": new, "ALL_OLD": old}.get(wanted)
        return {} if shown is None else {"Attributes": dict(shown)}

    def _store(self, table: str, key: str, new: Item | None) -> None:
        self.changes += 1
        items = self._table(table)
        old = items.get(key)
        if new is None:
            items.pop(key, None)
        else:
            items[key] = new
        for observer in self.observers:
            observer(table, key, old, new)

    def _change(self, operation: str, detail: str, action: Callable[[], Reply]) -> Reply:
        self.requests += 1

        def throttled_or_done() -> Reply:
            if self.throttle is not None and self.throttle(operation):
                raise _error("ThrottlingException", "Rate exceeded", operation)
            try:
                return action()
            except Invalid as bad:
                raise _invalid(str(bad), operation) from bad

        return self._effects.perform("dynamo", f"{operation} {detail}", throttled_or_done, _unanswered)

    def _read(self, operation: str, detail: str) -> None:
        self.requests += 1
        self._effects.step("dynamo", f"{operation} {detail}")
        if self.throttle is not None and self.throttle(operation):
            raise _error("ThrottlingException", "Rate exceeded", operation)

    def _table(self, name: str) -> dict[str, Item]:
        if name not in self.tables:
            raise _error("ResourceNotFoundException", f"no table {name}", "any")
        return self.tables[name]


def _key(key: Item) -> str:
    if set(key) != {"pk"} or not key["pk"].get("S"):
        raise _invalid("The provided key element does not match the schema", "any")
    text: str = key["pk"]["S"]
    return text


def _target(request: dict[str, Any]) -> str:
    return _key({"pk": request["Item"]["pk"]} if "Item" in request else request["Key"])


def _holds(request: dict[str, Any], old: Item | None) -> bool:
    names: dict[str, str] = request.get("ExpressionAttributeNames", {})
    values: dict[str, Typed] = request.get("ExpressionAttributeValues", {})
    used: frozenset[str] = frozenset()
    test = None
    if "ConditionExpression" in request:
        test = condition(request["ConditionExpression"])
        used = test.used
    if "UpdateExpression" in request:
        used |= update(request["UpdateExpression"]).used
    given = frozenset(names) | frozenset(values)
    if used != given:
        raise Invalid(f"placeholders used and given differ: {sorted(used ^ given)}")
    return test is None or test.run(old or {}, names, values)


def _outcome(operation: str, request: dict[str, Any], old: Item | None) -> Item | None:
    if operation == "Put":
        new: Item = dict(request["Item"])
    elif operation == "Update":
        names: dict[str, str] = request.get("ExpressionAttributeNames", {})
        values: dict[str, Typed] = request.get("ExpressionAttributeValues", {})
        parsed = update(request["UpdateExpression"])
        new = apply_update(parsed, old or dict(request["Key"]), names, values)
        if new.get("pk") != request["Key"]["pk"]:
            raise Invalid("Cannot update attribute pk. This attribute is part of the key")
    else:
        return None if operation == "Delete" else old
    body = new.get("body")
    # Nothing else that the ledgers write can come near the limit.
    if body is not None and len(body.get("B", b"")) > _MAX_ITEM_BYTES:
        raise Invalid("Item size has exceeded the maximum allowed size")
    return new


def _due_order(row: Item) -> tuple[Decimal, str]:
    return Decimal(row["due"]["N"]), row["pk"]["S"]


def _error(code: str, message: str, operation: str, **more: Any) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"RetryAttempts": 0}, **more}
    return ClientError(response, operation)


def _invalid(message: str, operation: str) -> ClientError:
    return _error("ValidationException", message, operation)


def _unanswered(fault: str) -> Exception:
    if fault == "refuse":
        return ConnectTimeoutError(endpoint_url="https://dynamodb.test")
    return ReadTimeoutError(endpoint_url="https://dynamodb.test")
