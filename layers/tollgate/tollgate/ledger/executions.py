"""What became of workflows that paid calls started.

    EXE#<payment's digest>   {route, callback, asked_at, accepted_at?, execution?, expires_at}
                             and once it ended {ended_at, outcome, content_type, body, size}

Written before the webhook is asked, since a workflow may end before it has answered. ``callback`` is the SHA-256 of the
token that this one workflow was given to say its end with; who has that token can say it once.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from tollgate.ledger.dynamo import ConditionFailed, Item, Put, Table, Update, Value
from tollgate.payment.identity import PaymentId

# As long as the buyer's link leads somewhere (results.py).
EXECUTION_SECONDS = 86_400


class Ending(StrEnum):
    """How a workflow says that it ended."""

    DELIVERED = "delivered"
    FAILED = "failed"


class NoExecution(Exception):
    """No workflow was given this token, or its day is over."""


class AlreadyEnded(Exception):
    """It said another end before."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One workflow. ``ending`` is ``None`` while it runs; times are Unix seconds."""

    route: str
    asked_at: int
    execution: str
    ending: Ending | None
    content_type: str
    body: bytes = field(repr=False)


class ExecutionsLedger:
    """Rows in the payments table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self, id: PaymentId, route: str, token: str, now: int) -> None:
        """Before the webhook is asked."""
        item: Item = {
            "pk": _key(id.digest),
            "route": route,
            "callback": _hash(token),
            "asked_at": now,
            "expires_at": now + EXECUTION_SECONDS,
        }
        self._table.write(Put(item, None))

    def accepted(self, id: PaymentId, execution: str, now: int) -> None:
        """The webhook said that it will take its time; ``execution`` is its own name for it, or ""."""
        self._table.write(
            Update(
                _key(id.digest),
                "SET accepted_at = :now, execution = :execution",
                "attribute_exists(pk)",
                {":now": now, ":execution": execution},
            )
        )

    def end(self, payment: str, token: str, ending: Ending, content_type: str, body: bytes, now: int) -> str:
        """Keep how it ended; the same said again changes nothing. The route's id.

        ``payment`` is the payment's digest. Raises ``NoExecution`` or ``AlreadyEnded``.
        """
        values: dict[str, Value] = {
            ":now": now,
            ":callback": _hash(token),
            ":outcome": ending.value,
            ":type": content_type,
            ":body": body,
            ":size": len(body),
        }
        sets = "SET ended_at = :now, outcome = :outcome, content_type = :type, body = :body, #size = :size"
        try:
            row = self._table.write(
                Update(
                    _key(payment),
                    sets,
                    "callback = :callback AND expires_at > :now AND attribute_not_exists(ended_at)",
                    values,
                    {"#size": "size"},
                )
            )
        except ConditionFailed as failed:
            row = failed.item or {}
            if row.get("callback") != values[":callback"] or row["expires_at"] <= now:
                raise NoExecution from failed
            if (row["outcome"], row["content_type"], row["body"]) != (ending.value, content_type, body):
                raise AlreadyEnded from failed
        return str(row["route"])

    def find(self, payment: str) -> Execution | None:
        """The workflow of a payment, by the payment's digest."""
        row = self._table.get(_key(payment))
        if row is None:
            return None
        ending = Ending(row["outcome"]) if "outcome" in row else None
        return Execution(
            row["route"],
            row["asked_at"],
            row.get("execution", ""),
            ending,
            row.get("content_type", ""),
            row.get("body", b""),
        )


def _key(payment: str) -> str:
    return f"EXE#{payment}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
