"""Payments that come to all their ends in the ledger, and the records that DynamoDB streams of it.

The records have the shape that Lambda hands over: typed attributes, bytes in base64, numbers as text.
Source: AWS, "Using AWS Lambda with Amazon DynamoDB", example event.
"""

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.support.fakes.dynamo import FakeDynamo
from tests.support.payments import ANSWER, NOW, some_claim, some_proof, some_word
from tollgate.errors import LostRace
from tollgate.ledger.books import Books
from tollgate.ledger.dynamo import Table
from tollgate.ledger.payments import PaymentsLedger
from tollgate.ledger.upfront import UpfrontLedger
from tollgate.payment.record import Payment
from tollgate.payment.states import Flow, State
from tollgate.wire.reasons import Reason

Record = dict[str, Any]
Choose = Callable[[int], int]
ROUTES = ("weather", "map#of#all")


class Shop:
    """The seller's ledger, walked at random: ``choose(n)`` says which of n ways a payment goes."""

    def __init__(self, table: Table, choose: Choose) -> None:
        self._choose = choose
        self._payments = PaymentsLedger(table)
        self._upfront = UpfrontLedger(table)
        self._books = Books(table)
        self.now = NOW

    def sell(self, steps: int) -> str:
        """One payment, and up to ``steps`` moves of it, each some hours after the last; its digest."""
        flow = (Flow.AUTHORIZATION, Flow.UPFRONT)[self._choose(2)]
        claim = some_claim(flow=flow, value=1 + self._choose(10**6), lease_until=self.now - 1)
        authorization = replace(claim.authorization, valid_before=self.now + 60)
        route = ROUTES[self._choose(2)]
        payment = self._payments.claim(
            replace(claim, route=route, authorization=authorization, claimed_at=self.now, counted=False)
        )
        for _ in range(steps):
            self.now += self._choose(3) * 20_000
            ways = list(self._ways(payment))
            if not ways:
                break
            try:
                ways[self._choose(len(ways))]()
            except LostRace:
                break
            found = self._payments.get(payment.id)
            assert found is not None
            payment = found
        return payment.id.digest

    def _ways(self, p: Payment) -> Iterator[Callable[[], object]]:
        now, books, upfront = self.now, self._books, self._upfront
        match p.state:
            case State.EXECUTING:
                yield lambda: self._payments.hold(p, ANSWER, now)
                yield lambda: self._payments.release(p, now, debt=None, why="status_500")
            case State.CLAIMED:
                yield lambda: upfront.begin(p, now)
            case State.SETTLING:
                yield lambda: books.book(p, some_proof(), True, now, now + 60)
                yield lambda: books.book(p, some_proof(), False, now, now + 60)
                yield lambda: self._payments.unpaid(p, Reason.AUTHORIZATION_CANCELLED, now)
                yield lambda: self._payments.unresolved(p, now, now)
            case State.UNRESOLVED | State.REVERSED:
                yield lambda: self._payments.reopen(p, now)
            case State.SETTLED if p.claim.flow is Flow.UPFRONT:
                yield lambda: upfront.run(p, p.claim.owner, now)
                yield lambda: upfront.refund_due(p, "not_fetched", now, dead=True)
                yield lambda: books.reverse(p, now)
            case State.EXECUTING_PAID:
                yield lambda: upfront.fulfil(p, ANSWER, now, now + 60)
                yield lambda: upfront.refund_due(p, "status_500", now, dead=False)
            case State.SETTLED | State.FULFILLED:
                yield lambda: books.reverse(p, now)
            case State.REFUND_DUE:
                yield lambda: upfront.refunded(p, some_word(), now)
                yield lambda: upfront.credited(p, "ticket-7", now)
                yield lambda: books.reverse(p, now)
            case State.RELEASED | State.UNPAID:
                yield lambda: books.paid_unserved(p, some_proof(), False, now)
            case State.PAID_UNSERVED:
                yield lambda: books.refunded(p, some_word(), now)


class Stream:
    """What a table streams: NEW_AND_OLD_IMAGES, as Lambda hands it over."""

    def __init__(self, dynamo: FakeDynamo, table: str) -> None:
        self.records: list[Record] = []
        self._table = table
        dynamo.observers.append(self._changed)

    def _changed(self, table: str, key: str, old: Any, new: Any) -> None:
        # The event source mapping's filter.
        if table == self._table and key.startswith("PAY#"):
            self.records.append(record(len(self.records) + 1, key, old, new))


def record(number: int, key: str, old: Any, new: Any) -> Record:
    """One record; ``old`` and ``new`` are typed items or ``None``."""
    name = "INSERT" if not old else "MODIFY" if new else "REMOVE"
    told: Record = {
        "ApproximateCreationDateTime": NOW,
        "Keys": {"pk": {"S": key}},
        "SequenceNumber": f"{number:021d}",
        "SizeBytes": 100,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    told |= {side: _sent(item) for side, item in (("OldImage", old), ("NewImage", new)) if item}
    return {
        "eventID": f"{number:032x}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": told,
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/payments/stream/2026-01-01T00:00:00.000",
    }


def payments_of(streams: Any, arn: str) -> list[Record]:
    """What a real stream holds from its beginning, filtered and made JSON as Lambda does; ``streams`` is a client."""
    records: list[Record] = []
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    at = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    following = at["ShardIterator"]
    while True:
        page = streams.get_records(ShardIterator=following)
        records += [_handed_over(record) for record in page["Records"]]
        following = page.get("NextShardIterator")
        if not page["Records"] or following is None:
            return [r for r in records if r["dynamodb"]["Keys"]["pk"]["S"].startswith("PAY#")]


def _handed_over(record: Any) -> Record:
    told = dict(record["dynamodb"])
    told["ApproximateCreationDateTime"] = told["ApproximateCreationDateTime"].timestamp()
    told |= {side: _sent(told[side]) for side in ("OldImage", "NewImage") if side in told}
    return {**record, "dynamodb": told}


def _sent(item: Any) -> Any:
    return {
        name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else dict(value)
        for name, value in item.items()
    }
