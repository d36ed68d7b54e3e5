"""A paid call on the deployed stack is counted and told: its stream, both consumers with their roles, the bus."""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

from eth_account.signers.local import LocalAccount

from local.stack import LocalStack
from tests.e2e.http import get, signed
from tests.support.buyer import encode
from tollgate.ledger.dynamo import Table
from tollgate.ledger.tallies import Tallies
from tollgate.payment.identity import PaymentId
from tollgate.wire.parse import parse_payment
from tollgate_cli.stack import read_stack

T = TypeVar("T")
_SECONDS = 60.0


def until(ask: Callable[[], T | None]) -> T:
    """What ``ask`` gives in the end: the stream is read by a poller of the local AWS's own."""
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        found = ask()
        if found is not None:
            return found
        time.sleep(0.2)
    raise AssertionError("it never came")


def test_what_is_paid_is_counted_and_told(stack: LocalStack, buyer: LocalAccount) -> None:
    """By the real mappings: from the table through the stream to the sums, and to a rule on the bus."""
    deployed = read_stack(stack.client("cloudformation"), stack.name)
    events, sqs, name = stack.client("events"), stack.client("sqs"), f"e2e-{secrets.token_hex(4)}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = f"{stack.name}-payments"
    events.put_rule(Name=name, EventBusName=bus, EventPattern='{"detail-type": ["payment.settled"]}')
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

    payment = signed(stack, buyer, "/weather/oslo")
    bought = get(stack, "/weather/oslo", payment)
    assert bought.status == 200
    digest = PaymentId.of(parse_payment(encode(payment))).digest

    def told() -> Any:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            detail = json.loads(message["Body"])["detail"]
            if detail["payment"] == digest:
                return detail
        return None

    detail = until(told)
    assert (detail["type"], detail["amount"]) == ("payment.settled", "10000")
    assert detail["transaction"] == bought.receipt["transaction"]
    tallies = Tallies(Table(stack.dynamodb, deployed.analytics_table))
    until(lambda: tallies.counted([digest]).get(digest) == 3 or None)
    shown = json.loads(stack.tollgate("analytics", "show", "--json"))
    assert sum(row["paid"] for row in shown["rows"] if row["route"] == "GET /weather/{city}") > 0
    # The local AWS measures nothing, and that is not 0.
    assert {row["requests"] for row in shown["traffic"]} == {None}
