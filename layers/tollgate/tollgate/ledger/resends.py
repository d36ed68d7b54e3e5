"""Counts and slots that keep resends within bounds (rules 5 and 6, threat 116).

They live in the payments table, in items of their own where they must not collide with a move. ``by`` is a random
token of this one use, by which a write whose answer was lost is known again.
"""

from tollgate.ledger.dynamo import ConditionFailed, Item, Put, Table, Update
from tollgate.ledger.payment_items import payment_key
from tollgate.payment.identity import PaymentId
from tollgate.wire.primitives import Address

WAITERS = 3
ADDRESS_RESENDS = 3


class Resends:
    """Who may wait, and how often an answer was given on the source address alone."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take_slot(self, id: PaymentId, now: int, until: int, by: str) -> int | None:
        """Take one of the three waiting slots until ``until`` (Unix seconds); ``None`` if all are taken.

        A slot whose holder died frees itself when its time has passed.
        """
        for slot in range(WAITERS):
            names = {"#slot": f"slot{slot}", "#by": f"by{slot}"}
            try:
                self._table.write(
                    Update(
                        f"WAIT#{id.digest}",
                        "SET #slot = :until, #by = :by, expires_at = :until",
                        "attribute_not_exists(#slot) OR #slot < :now",
                        {":until": until, ":now": now, ":by": by},
                        names,
                    )
                )
            except ConditionFailed as lost:
                if not _was_me(lost, f"by{slot}", by):
                    continue
            return slot
        return None

    def free_slot(self, id: PaymentId, slot: int, by: str) -> None:
        """Give a slot back, unless its time had passed and somebody else holds it."""
        try:
            self._table.write(
                Update(
                    f"WAIT#{id.digest}",
                    "SET #slot = :none",
                    "#by = :by",
                    {":none": 0, ":by": by},
                    {"#slot": f"slot{slot}", "#by": f"by{slot}"},
                )
            )
        except ConditionFailed:
            return

    def count_address_resend(self, id: PaymentId, by: str) -> bool:
        """Count one answer given on the source address alone; False when the three are used up."""
        try:
            self._table.write(
                Update(
                    payment_key(id),
                    "SET resent_by = :by ADD address_resends :one",
                    "resent_by <> :by AND (attribute_not_exists(address_resends) OR address_resends < :most)",
                    {":one": 1, ":most": ADDRESS_RESENDS, ":by": by},
                )
            )
        except ConditionFailed as lost:
            return _was_me(lost, "resent_by", by)
        return True

    def use_signature(self, payer: Address, nonce: str, now: int, keep_seconds: int, by: str) -> bool:
        """Mark a fresh signature's nonce as used; False when it was used before."""
        item: Item = {
            "pk": f"FSG#{payer.lower}#{nonce}",
            "used_by": by,
            "at": now,
            "expires_at": now + keep_seconds,
        }
        try:
            self._table.write(Put(item))
        except ConditionFailed as lost:
            return _was_me(lost, "used_by", by)
        return True


def _was_me(lost: ConditionFailed, name: str, by: str) -> bool:
    """Whether the condition failed on this very write: DynamoDB had done it, and its answer was lost (threat 41)."""
    return lost.item is not None and lost.item.get(name) == by
