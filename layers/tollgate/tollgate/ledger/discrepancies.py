"""Where ledger and chain differ: how far each receiver's transfers are compared, and what nothing explains.

    SCAN#<network>#<asset>#<payTo>     how far the chain's transfers to a receiver are compared with the log rows
    DSC#<network>#<tx>#<index>         a transfer that no payment explains
    DSC#<digest>                       a receipt that the chain does not show

A transfer is first SEEN: its payment may be about to be booked. What is still unexplained after a grace is OPEN
when an authorization of x402's kind made it, and PLAIN otherwise (a seller's wallet may get other money). CLOSED: it
was explained later; DISMISSED: an operator said why it may stand. The rows of each kind are a partition of the work
index. Times are Unix seconds, amounts atomic units.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tollgate.ledger.dynamo import ConditionFailed, Delete, Item, Put, Table, Update, Value
from tollgate.ledger.work import Entry, Page, WorkList
from tollgate.payment.identity import PaymentId
from tollgate.payment.record import Payment
from tollgate.payment.settlement import TransferSeen
from tollgate.wire.primitives import Address, Network

SCANS = "scans"
SEEN = "unexplained"
OPEN = "discrepancies"
PLAIN = "plain"
LISTS = {"SEEN": SEEN, "OPEN": OPEN, "PLAIN": PLAIN}
# Other money is no discrepancy; its rows are kept as long as somebody may ask.
_KEEP_PLAIN_SECONDS = 180 * 86_400
_BATCH = 100
ABSENT = "attribute_not_exists(pk)"
_NONE: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who is paid in one token."""

    network: Network
    asset: Address
    pay_to: Address

    @property
    def key(self) -> str:
        """Key of its cursor's row."""
        return f"SCAN#{self.network}#{self.asset.lower}#{self.pay_to.lower}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a receiver's transfers are compared: from block ``first`` to below ``next``, whose time is ``reached``.

    ``span`` is how many blocks to ask for at once.
    """

    receiver: Receiver
    first: int
    next: int
    span: int
    reached: int


class Discrepancies:
    """Rows in the payments table. One request each, unless it says otherwise."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._work = WorkList(table)

    # How far

    def watch(self, receiver: Receiver, from_block: int, reached: int, span: int) -> bool:
        """Begin to compare a receiver's transfers, from a block on; False when that was begun before."""
        row: dict[str, Value | None] = {
            "pk": receiver.key,
            "network": str(receiver.network),
            "asset": receiver.asset.lower,
            "pay_to": receiver.pay_to.lower,
            "first": from_block,
            "next": from_block,
            "span": span,
            "reached": reached,
            "work": SCANS,
            "due": reached,
        }
        try:
            self._table.write(Put(row))
        except ConditionFailed:
            return False
        return True

    def cursors(self, now: int, limit: int, after: Entry | None = None) -> tuple[list[Cursor], Entry | None]:
        """Whose turn it is, the one compared the longest ago first; two requests."""
        page, rows = self._rows(SCANS, now, limit, after)
        return [_cursor(rows[entry.pk]) for entry in page.entries if entry.pk in rows], page.more

    def postpone(self, cursor: Cursor, due: int, span: int) -> None:
        """Before a receiver is looked at: its next turn, and how many blocks are to be asked for then."""
        self._table.write(
            Update(
                cursor.receiver.key,
                "SET due = :due, span = :span",
                "attribute_exists(pk)",
                {":due": due, ":span": span},
            )
        )

    def reach(self, cursor: Cursor, next: int, span: int, reached: int) -> Cursor:
        """Everything below ``next`` is compared. Raises ``ConditionFailed`` when another pass was faster."""
        item = self._table.write(
            Update(
                cursor.receiver.key,
                "SET #next = :next, span = :span, reached = :reached",
                "#next = :was",
                {":next": next, ":span": span, ":reached": reached, ":was": cursor.next},
                {"#next": "next"},
            )
        )
        return _cursor(item)

    # What nothing explains

    def unexplained(self, network: Network, transfers: Iterable[TransferSeen]) -> list[TransferSeen]:
        """Those whose log pays no payment; a request for each hundred."""
        keys = {log_row_key(network, seen): seen for seen in transfers}
        explained = self._read(keys)
        return [seen for key, seen in keys.items() if key not in explained]

    def see(self, receiver: Receiver, seen: TransferSeen, now: int, due: int) -> bool:
        """Keep a transfer that nothing explains yet, to be looked at again; False when it is kept already."""
        row: dict[str, Value | None] = {
            "pk": f"DSC#{receiver.network}#{seen.transaction}#{seen.log_index}",
            "kind": "transfer",
            "standing": "SEEN",
            "network": str(receiver.network),
            "asset": receiver.asset.lower,
            "pay_to": receiver.pay_to.lower,
            "payer": seen.from_.lower,
            "amount": seen.value,
            "transaction": str(seen.transaction),
            "log_index": seen.log_index,
            "block_number": seen.block_number,
            "found_at": now,
            "work": SEEN,
            "due": due,
        }
        return self._put(row)

    def receipt_without_log(self, payment: Payment, why: str, now: int, due: int) -> bool:
        """A receipt that the chain does not show; False when that stands there already."""
        row: dict[str, Value | None] = {
            "pk": receipt_discrepancy_key(payment.id),
            "kind": "receipt",
            "standing": "OPEN",
            "nonce": str(payment.id.nonce),
            "why": why,
            "payment": payment.id.digest,
            "network": str(payment.id.network),
            "asset": payment.id.asset.lower,
            "pay_to": payment.claim.authorization.to.lower,
            "payer": payment.id.payer.lower,
            "amount": payment.claim.authorization.value,
            "transaction": str(payment.transaction),
            "log_index": payment.log_index,
            "block_number": payment.block_number,
            "found_at": now,
            "work": OPEN,
            "due": due,
        }
        # A payment that was settled again after a reorganisation has another receipt.
        return self._put(row, "attribute_not_exists(pk) OR standing = :closed", {":closed": "CLOSED"})

    def due(self, partition: str, now: int, limit: int, after: Entry | None = None) -> tuple[list[Item], Entry | None]:
        """Rows of one list that are to be looked at by ``now``, and where the next page begins; two requests."""
        page, rows = self._rows(partition, now, limit, after)
        return [rows[entry.pk] for entry in page.entries if entry.pk in rows], page.more

    def later(self, row: Item, due: int) -> None:
        """Look at it again then."""
        self._change(row, "SET due = :due", {":due": due})

    def report(self, row: Item, payment: str | None, nonce: str, due: int) -> bool:
        """SEEN → OPEN: an authorization made it; ``payment`` is whose digest, when there is such a payment.

        False when somebody else changed the row first.
        """
        values: dict[str, Value] = {":open": "OPEN", ":list": OPEN, ":due": due, ":nonce": nonce}
        expression = "SET standing = :open, #work = :list, due = :due, nonce = :nonce"
        if payment is not None:
            values[":payment"] = payment
            expression += ", payment = :payment"
        return self._change(row, expression, values)

    def plain(self, row: Item, now: int) -> bool:
        """SEEN → PLAIN: money that no authorization moved."""
        values: dict[str, Value] = {":plain": "PLAIN", ":list": PLAIN, ":at": row["found_at"]}
        values[":expires"] = now + _KEEP_PLAIN_SECONDS
        return self._change(row, "SET standing = :plain, #work = :list, due = :at, expires_at = :expires", values)

    def close(self, row: Item, now: int) -> bool:
        """OPEN → CLOSED: it is explained now."""
        values: dict[str, Value] = {":closed": "CLOSED", ":now": now}
        return self._change(row, "SET standing = :closed, closed_at = :now REMOVE #work, due", values)

    def dismiss(self, row: Item, why: str, now: int) -> bool:
        """OPEN → DISMISSED: an operator says why it may stand."""
        values: dict[str, Value] = {":dismissed": "DISMISSED", ":now": now, ":why": why}
        return self._change(
            row, "SET standing = :dismissed, closed_at = :now, because = :why REMOVE #work, due", values
        )

    def forget(self, row: Item) -> None:
        """A SEEN one that was explained in time, or whose block is gone: as if it had never been there."""
        try:
            self._table.write(
                Delete(row["pk"], "standing = :seen", {":seen": "SEEN"}),
            )
        except ConditionFailed:
            return

    def explained(self, row: Item) -> bool:
        """Whether the log of a row pays a payment by now."""
        return self._table.get(f"LOG#{row['network']}#{row['transaction']}#{row['log_index']}") is not None

    def payment_of(self, digest: str) -> Item | None:
        """The item of a payment."""
        return self._table.get(f"PAY#{digest}")

    def _rows(self, partition: str, now: int, limit: int, after: Entry | None) -> tuple[Page, dict[str, Item]]:
        page = self._work.page(partition, now, min(limit, _BATCH), after)
        rows = self._table.get_many([entry.pk for entry in page.entries]) if page.entries else {}
        # The index lags: what has left this list meanwhile is not on it.
        return page, {pk: row for pk, row in rows.items() if row.get("work") == partition and row["due"] <= now}

    def _put(self, row: dict[str, Value | None], condition: str = ABSENT, values: Mapping[str, Value] = _NONE) -> bool:
        try:
            self._table.write(Put(row, condition, values))
        except ConditionFailed:
            return False
        return True

    def _change(self, row: Item, expression: str, values: dict[str, Value]) -> bool:
        names = {"#work": "work"} if "#work" in expression else {}
        try:
            self._table.write(
                Update(row["pk"], expression, "standing = :was", {**values, ":was": row["standing"]}, names)
            )
        except ConditionFailed:
            return False
        return True

    def _read(self, keys: Iterable[str]) -> dict[str, Item]:
        wanted = list(keys)
        found: dict[str, Item] = {}
        for start in range(0, len(wanted), _BATCH):
            found |= self._table.get_many(wanted[start : start + _BATCH])
        return found


def log_row_key(network: Network, seen: TransferSeen) -> str:
    """Key of the row that makes this log pay one payment."""
    return f"LOG#{network}#{seen.transaction}#{seen.log_index}"


def receipt_discrepancy_key(id: PaymentId) -> str:
    """Key of the row that says that a payment's receipt has no log."""
    return f"DSC#{id.digest}"


def _cursor(row: Item) -> Cursor:
    receiver = Receiver(Network.parse(row["network"]), Address.parse(row["asset"]), Address.parse(row["pay_to"]))
    return Cursor(receiver, row["first"], row["next"], row["span"], row["reached"])
