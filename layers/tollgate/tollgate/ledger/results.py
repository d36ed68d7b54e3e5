"""Where paid results are fetched later.

    RES#<sha256 of the token>    {payment, route, url, query, expires_at}

The token is a capability: whoever has it gets the result, so only its hash is a key, and the link itself stands nowhere
but in the paid answer.
"""

import hashlib
from dataclasses import dataclass

from tollgate.ledger.dynamo import Put, Table
from tollgate.payment.identity import PaymentId

RESULT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class ResultPlace:
    """Where the upstream said that a result will be. ``payment`` is the payment's digest, ``query`` as it is sent."""

    payment: str
    route: str
    url: str
    query: str


class ResultsLedger:
    """Rows in the payments table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def keep(self, token: str, id: PaymentId, route: str, url: str, query: str, now: int) -> None:
        """Put the row, before the answer that holds the link is stored: one that nobody was given harms nothing."""
        self._table.write(
            Put(
                {
                    "pk": _key(token),
                    "payment": id.digest,
                    "route": route,
                    "url": url,
                    "query": query,
                    "expires_at": now + RESULT_SECONDS,
                }
            )
        )

    def find(self, token: str, now: int) -> tuple[ResultPlace | None, bool]:
        """The place, and whether it is past its time (which TTL does not decide)."""
        item = self._table.get(_key(token))
        if item is None:
            return None, False
        place = ResultPlace(item["payment"], item["route"], item["url"], item["query"])
        return place, item["expires_at"] <= now


def _key(token: str) -> str:
    return f"RES#{hashlib.sha256(token.encode()).hexdigest()}"
