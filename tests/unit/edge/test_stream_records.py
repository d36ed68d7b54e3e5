"""The stream's records as they come, and what is said back of those that cannot be read."""

import json
from typing import Any

from tests.template.cfn import ROOT
from tollgate.edge.stream_records import failures, read_changes
from tollgate.payment.record import Move

EVENT: dict[str, Any] = json.loads((ROOT / "events" / "counter_stream.json").read_text())


def test_a_payment_is_read_with_how_far_it_was() -> None:
    """Each record holds the whole history; the image before it says what is new."""
    changes, unreadable = read_changes(EVENT)
    assert unreadable is None
    assert failures(None) == {"batchItemFailures": []}
    assert [(change.before, len(change.history.moves)) for change in changes] == [(0, 1), (1, 2), (2, 3)]
    last = changes[-1].history
    assert [move.what for move in last.moves] == ["EXECUTING", "SETTLING", "SETTLED"]
    assert (last.route, last.network, last.amount) == ("weather", "eip155:84532", 10_000)
    assert last.moves[0] == Move("EXECUTING", 1_800_000_000)


def test_a104_a_signature_is_in_the_record_and_not_in_what_is_read() -> None:
    """The table's stream holds what the table holds; nothing of it that is secret goes any further."""
    assert '"signature"' in json.dumps(EVENT)
    changes, _ = read_changes(EVENT)
    assert "AQEBAQ" not in repr(changes)
    assert "\\x01" not in repr(changes)


def test_what_is_no_payment_is_passed_over() -> None:
    """An answer, and a payment that was removed: the mapping's filter is not all that stands before them."""
    answer = {"Keys": {"pk": {"S": "ANS#1"}}, "NewImage": {"body": {"B": "c3Vubnk="}}, "SequenceNumber": "1"}
    removed = {"Keys": {"pk": {"S": "PAY#1"}}, "OldImage": {"moves": {"L": []}}, "SequenceNumber": "2"}
    changes, unreadable = read_changes({"Records": [{"dynamodb": answer}, {"dynamodb": removed}]})
    assert (list(changes), unreadable) == ([], None)


def test_a_record_that_cannot_be_read_stops_the_batch_there_and_not_before() -> None:
    """Lambda goes on from it; what came before is dealt with, what comes after comes again."""
    for image in ({}, {"identity": {"S": "x"}}, {"moves": {"L": [{"N": "1"}]}}, {"moves": {"L": [{"S": "SETTLED"}]}}):
        bad = json.loads(json.dumps(EVENT["Records"][1]))
        bad["dynamodb"]["NewImage"] = {**bad["dynamodb"]["NewImage"], **image} if image else {}
        records = [EVENT["Records"][0], bad, EVENT["Records"][2]]
        changes, unreadable = read_changes({"Records": records})
        assert len(changes) == 1
        told = bad["dynamodb"]["SequenceNumber"]
        assert unreadable is not None
        assert failures(unreadable.sequence) == {"batchItemFailures": [{"itemIdentifier": told}]}
