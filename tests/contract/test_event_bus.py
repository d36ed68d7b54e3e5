"""Events on a bus over HTTP, and what becomes of those that a bus does not take."""

import json
import secrets
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.aws import client
from tests.support.payments import NOW
from tollgate.edge.event_bus import EventBus
from tollgate.edge.stream_records import Change
from tollgate.payment.record import Move
from tollgate.payment.tally import History

HASH = "0x" + "11" * 32
PAIR = (Move("EXECUTING", NOW), Move("SETTLED", NOW, HASH))


def change(number: int, *moves: Move, before: int = 0) -> Change:
    """A payment of its own, with as many moves."""
    address = "0x" + "aa" * 20
    history = History(f"{number:064x}", "map", "", "eip155:1", address, 7, moves, address, address)
    return Change(str(number), history, before)


class Bus:
    """PutEvents as AWS answers it; ``refuses``: which entries a call does not take, or what it fails with."""

    def __init__(self, *refuses: "Sequence[str] | Exception") -> None:
        self.refuses = list(refuses)
        self.calls: list[list[str]] = []

    @property
    def taken(self) -> list[str]:
        """The ids of what was taken."""
        return [id for call, refused in self._done for id in call if id not in refused]

    def put_events(self, *, Entries: Sequence[dict[str, Any]]) -> Any:
        assert 1 <= len(Entries) <= 10
        ids = [json.loads(entry["Detail"])["id"] for entry in Entries]
        self.calls.append(ids)
        refused = self.refuses.pop(0) if self.refuses else []
        if isinstance(refused, Exception):
            raise refused
        self._done = [*getattr(self, "_done", []), (ids, refused)]
        entries = [{"ErrorCode": "ThrottlingException"} if id in refused else {"EventId": "1"} for id in ids]
        return {"FailedEntryCount": len(refused), "Entries": entries}


def bus(fake: Bus) -> EventBus:
    return EventBus(fake, "payments", lambda _: None, lambda: 0.5)


def id(number: int, index: int) -> str:
    return f"{number:064x}-{index}"


def test_events_that_a_bus_did_not_take_are_put_again_and_only_those() -> None:
    """PutEvents answers 200 for a call of which it took a part."""
    fake = Bus([id(1, 1)])
    assert bus(fake).publish([change(1, *PAIR), change(2, *PAIR)]) == (4, None)
    assert fake.calls[1] == [id(1, 1)]
    assert sorted(fake.taken) == sorted(id(n, i) for n in (1, 2) for i in (0, 1))


def test_what_is_not_taken_after_all_is_not_lost() -> None:
    """The batch is taken up again at the record of the first event that is missing, not at its end."""
    always = [id(2, 1)]
    fake = Bus(always, always, always)
    assert bus(fake).publish([change(1, *PAIR), change(2, *PAIR), change(3, *PAIR)]) == (5, "2")
    assert id(2, 1) not in fake.taken


def test_a_call_that_fails_is_made_again() -> None:
    """Throttled as a whole, or no answer."""
    error = ClientError({"Error": {"Code": "ThrottlingException"}}, "PutEvents")
    fake = Bus(error)
    assert bus(fake).publish([change(1, *PAIR)]) == (2, None)
    down = Bus(error, error, error)
    assert bus(down).publish([change(n, *PAIR) for n in range(1, 9)]) == (0, "1")
    assert len(down.calls) == 3


def test_more_than_ten_go_in_several_calls_and_moves_of_before_in_none() -> None:
    """In order."""
    fake = Bus()
    assert bus(fake).publish([change(n, *PAIR, before=1) for n in range(12)]) == (12, None)
    assert [len(call) for call in fake.calls] == [10, 2]
    assert fake.taken == [id(n, 1) for n in range(12)]
    assert bus(fake).publish([change(1, *PAIR, before=2)]) == (0, None)


@pytest.fixture
def queue(aws_endpoint: str) -> Any:
    """The name of a bus, and a queue that a rule sends all of its events to."""
    events, sqs, name = client("events", aws_endpoint), client("sqs", aws_endpoint), f"bus-{secrets.token_hex(4)}"
    events.create_event_bus(Name=name)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=name, EventPattern='{"source": ["tollgate"]}')
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
    return events, name, sqs, url


def test_a_rule_of_the_operators_gets_what_is_put(queue: Any) -> None:
    """Source, type and detail as docs/events.md has them, through a bus and a rule over HTTP."""
    events, name, sqs, url = queue
    assert EventBus(events, name).publish([change(1, *PAIR)]) == (2, None)
    got = []
    while len(got) < 2:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])
        assert found, "the rule's target got nothing"
        got += [json.loads(message["Body"]) for message in found]
    settled = next(event for event in got if event["detail-type"] == "payment.settled")
    assert settled["source"] == "tollgate"
    assert (settled["detail"]["id"], settled["detail"]["transaction"]) == (id(1, 1), HASH)
