"""What the world is told of a payment: one event for each move that matters to somebody, made of its history alone.

An event's id is a function of the payment and of the move's place in its history, so whoever gets it twice can tell
(threat 98). Nothing in it is secret: addresses, amounts and transactions are on the chain, the rest are codes.
docs/events.md describes the events, docs/events.schema.json is their JSON Schema.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tollgate.payment.record import Move
from tollgate.payment.states import State
from tollgate.payment.tally import History

VERSION = "1"

# State that a payment moved to -> the event's type, and what the one word of its move is.
_TOLD: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        State.EXECUTING: ("payment.verified", ""),
        State.CLAIMED: ("payment.verified", ""),
        State.SETTLED: ("payment.settled", "transaction"),
        State.RELEASED: ("payment.failed", "reason"),
        State.UNPAID: ("payment.failed", "reason"),
        State.REVERSED: ("payment.reversed", "transaction"),
        State.PAID_UNSERVED: ("payment.unserved", "transaction"),
        State.REFUND_DUE: ("payment.refund_due", "reason"),
        State.REFUNDED: ("payment.refunded", "transaction"),
        State.CREDITED: ("payment.credited", "reference"),
    }
)
TYPES = tuple(dict.fromkeys(type for type, _ in _TOLD.values()))


@dataclass(frozen=True, slots=True)
class Notice:
    """One event. ``at`` is Unix seconds, of the move; ``detail`` is what is sent, JSON that is compatible for ever."""

    id: str
    type: str
    at: int
    detail: Mapping[str, Any]


def notices(history: History, before: int) -> Iterator[Notice]:
    """The events of the moves after the first ``before``, in order."""
    for index, move in enumerate(history.moves):
        if index < before or move.what not in _TOLD:
            continue
        yield _notice(history, index, move)


def _notice(history: History, index: int, move: Move) -> Notice:
    type, word = _TOLD[move.what]
    id = f"{history.payment}-{index}"
    detail: dict[str, Any] = {
        "version": VERSION,
        "id": id,
        "type": type,
        "at": move.at,
        "payment": history.payment,
        "route": history.route,
        "owner": history.owner or None,
        "network": history.network,
        "asset": history.asset,
        "amount": str(history.amount),
        "payer": history.payer,
        "payTo": history.pay_to,
    }
    if word:
        detail[word] = move.detail or None
    return Notice(id, type, move.at, detail)
