"""Refunds that were signed, beside the settlements.

    RFA#<payment id>    {request, at}: the refund's signed authorization; the first stored one is the only one

The key that signed it stands in it. Another treasury would be another payer of the refund, with a nonce of
its own on chain: so once a refund is signed, no key but that one ever refunds the payment.
"""

import json

from tollgate.errors import LostRace
from tollgate.ledger.dynamo import ConditionFailed, Item, Put, Table, Value
from tollgate.ledger.settlements import RETENTION_SECONDS
from tollgate.payment.identity import PaymentId
from tollgate.payment.settlement import SettleRequest


class RefundsLedger:
    """Over the settlements table. The items hold signatures: never log them."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, payment: PaymentId) -> SettleRequest | None:
        """The refund that stands for a payment, read consistently."""
        item = self._table.get(_key(payment))
        return _read(item) if item else None

    def keep(self, payment: PaymentId, refund: SettleRequest, now: int) -> SettleRequest:
        """Store a signed refund; returns the one that stands: another's, if that came first. ``now`` is Unix time."""
        item: dict[str, Value | None] = {
            "pk": _key(payment),
            "request": json.dumps(refund.to_json(), separators=(",", ":")),
            "at": now,
            # TTL only tidies: by then the refund's own deadline has passed long since.
            "expires_at": refund.authorization.valid_before + RETENTION_SECONDS,
        }
        try:
            self._table.write(Put(item))
        except ConditionFailed as lost:
            if not lost.item:
                raise LostRace("the refund is gone") from lost
            return _read(lost.item)
        return refund


def _key(payment: PaymentId) -> str:
    return f"RFA#{payment}"


def _read(item: Item) -> SettleRequest:
    return SettleRequest.from_json(json.loads(item["request"]))
