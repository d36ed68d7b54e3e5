"""Counts and slots that keep resends within bounds (rules 5 and 6, threat 116).

They live in the payments table, in items of their own where they must not collide with a move.
"""

from tollgate.ledger.dynamo import ConditionFailed, Put, Table, Update
from tollgate.ledger.payment_items import payment_key
from tollgate.payment.identity import PaymentId
from tollgate.wire.primitives import Address

WAITERS = 3
ADDRESS_RESENDS = 3


class Resends:
    """Who may wait, and how often an answer was given on the source address alone."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take_slot(self, id: PaymentId, now: int, until: int) -> int | None:
        """Take one of the three waiting slots until ``until`` (Unix seconds); ``None`` if all are taken.

        A slot whose holder died frees itself when its time has passed.
        """
        for slot in range(WAITERS):
            try:
                self._table.write(
                    Update(
                        f"WAIT#{id.digest}",
                        "SET #slot = :until, expires_at = :until",
                        "attribute_not_exists(#slot) OR #slot < :now",
                        {":until": until, ":now": now},
                        {"#slot": f"slot{slot}"},
                    )
                )
            except ConditionFailed:
                continue
            return slot
        return None

    def free_slot(self, id: PaymentId, slot: int) -> None:
        """Give a slot back."""
        self._table.write(
            Update(
                f"WAIT#{id.digest}",
                "SET #slot = :none",
                None,
                {":none": 0},
                {"#slot": f"slot{slot}"},
            )
        )

    def count_address_resend(self, id: PaymentId) -> bool:
        """Count one answer given on the source address alone; False when the three are used up."""
        try:
            self._table.write(
                Update(
                    payment_key(id),
                    "ADD address_resends :one",
                    "attribute_not_exists(address_resends) OR address_resends < :most",
                    {":one": 1, ":most": ADDRESS_RESENDS},
                )
            )
        except ConditionFailed:
            return False
        return True

    def use_signature(self, payer: Address, nonce: str, now: int, keep_seconds: int) -> bool:
        """Mark a fresh signature's nonce as used; False when it was used before."""
        try:
            self._table.write(Put({"pk": f"FSG#{payer.lower}#{nonce}", "at": now, "expires_at": now + keep_seconds}))
        except ConditionFailed:
            return False
        return True
