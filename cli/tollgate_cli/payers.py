"""A payer's payments, in a line each."""

import re
from typing import Any

from tollgate.ledger.dynamo import Item, from_dynamo
from tollgate.payment.identity import PaymentId
from tollgate_cli.ages import age, moment
from tollgate_cli.aws import Aws
from tollgate_cli.money import money
from tollgate_cli.result import Progress, Result
from tollgate_cli.stack import Stack

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def is_payer(text: str) -> bool:
    """Whether this is written as an address is."""
    return _ADDRESS.fullmatch(text) is not None


def of_payer(payer: str, stack: Stack, aws: Aws, now: int, progress: Progress) -> Result:
    """What a payer paid, or did not, the newest first. Exit code 1 when there is nothing."""
    progress("reading the whole payments table")
    pages = aws.dynamodb.get_paginator("scan").paginate(
        TableName=stack.payments_table,
        ConsistentRead=True,
        FilterExpression="begins_with(pk, :payment) AND contains(#identity, :payer)",
        ProjectionExpression="pk, #identity, #state, #value, route, claimed_at",
        ExpressionAttributeNames={"#identity": "identity", "#state": "state", "#value": "value"},
        ExpressionAttributeValues={":payment": {"S": "PAY#"}, ":payer": {"S": f"#{payer.lower()}#0x"}},
    )
    found = [from_dynamo(raw) for page in pages for raw in page["Items"]]
    if not found:
        sentence = f"{stack.name} knows no payment of {payer}"
        return Result({"error": sentence, "payments": []}, [], [sentence], code=1)
    found.sort(key=lambda item: (-int(item["claimed_at"]), item["pk"]))
    return Result({"payments": [_summary(item) for item in found]}, [_line(item, now) for item in found])


def _summary(item: Item) -> dict[str, Any]:
    return {
        "id": item["pk"].removeprefix("PAY#"),
        "state": item["state"],
        "value": item["value"],
        "route": item["route"],
        "claimed_at": item["claimed_at"],
    }


def _line(item: Item, now: int) -> str:
    id = PaymentId.parse(item["identity"])
    at = int(item["claimed_at"])
    amount = money(item["value"], id)
    return f"{id.digest}  {item['state']:<14} {amount}  {item['route']}  {moment(at)} ({age(now - at)} ago)"
