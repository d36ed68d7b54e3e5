"""Records of the payments table's stream in, and which of them were not dealt with out.

    {"Records": [{"eventName": "MODIFY", "dynamodb": {"Keys", "NewImage", "OldImage", "SequenceNumber"}}]}

Source: AWS, "Using AWS Lambda with Amazon DynamoDB", example event and "Reporting batch item failures". Lambda goes on
from the lowest number that it is told of, so what came before it is dealt with and what comes after it comes again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tollgate.ledger.dynamo import Item, from_dynamo
from tollgate.ledger.tallies import HISTORY_ATTRIBUTES, read_history
from tollgate.payment.tally import History

PAYMENT = "PAY#"


@dataclass(frozen=True, slots=True)
class Change:
    """A payment after a change. ``before`` is how many moves it had before it, ``sequence`` the record's number."""

    sequence: str
    history: History
    before: int


class Unreadable(Exception):
    """A record that is no payment of ours can be read from: a bug, or somebody edited the item."""

    def __init__(self, sequence: str, why: str) -> None:
        super().__init__(why)
        self.sequence = sequence


def read_changes(event: Mapping[str, Any]) -> tuple[Sequence[Change], Unreadable | None]:
    """The changes of payments in a batch, up to the first record that cannot be read."""
    found: list[Change] = []
    try:
        for change in _changes(event["Records"]):
            found.append(change)
    except Unreadable as unreadable:
        return found, unreadable
    return found, None


def failures(sequence: str | None) -> dict[str, Any]:
    """What a handler returns with ReportBatchItemFailures: the record to go on from, ``None`` after the last."""
    return {"batchItemFailures": [] if sequence is None else [{"itemIdentifier": sequence}]}


def _changes(records: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    for record in records:
        told = record["dynamodb"]
        # The mapping's filter lets nothing else through; what is deleted has no image any more.
        if not told["Keys"]["pk"]["S"].startswith(PAYMENT) or "NewImage" not in told:
            continue
        try:
            history = read_history(_image(told["NewImage"]))
            before = len(_image(told.get("OldImage", {})).get("moves", ()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(told["SequenceNumber"], type(error).__name__) from error
        yield Change(told["SequenceNumber"], history, before)


def _image(image: Mapping[str, Any]) -> Item:
    return from_dynamo({name: image[name] for name in HISTORY_ATTRIBUTES if name in image})
