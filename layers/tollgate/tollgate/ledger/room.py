"""What a payer has open at this facilitator, and how often its settlements reverted: one row a payer.

    PYR#<network>#<asset>#<payer>     {open, open_value, <nonce>: validBefore of each that is open,
                                       paid_in: block of its last transfer, reverts, blocked_until}
    PTO#<network>#<payTo>             {reverts}: our own mined transactions to it that reverted, for the operator

A settlement takes its room in the write that reserves its nonce, and gives it back in the write that ends it
(threats 62, 72). A row that TTL removed too early only makes room.
"""

from dataclasses import dataclass

from tollgate.errors import LostRace
from tollgate.ledger.dynamo import Item, Update, Value
from tollgate.payment.identity import PaymentId
from tollgate.payment.settlement import SettleRequest
from tollgate.wire.primitives import Address, Bytes32, Network

# So many reverts within the window, and nothing new is reserved for the payer until the block is over.
MOST_REVERTS = 5
REVERT_WINDOW_SECONDS = 3600
BLOCK_SECONDS = 3600
KEEP_SECONDS = 400 * 86_400
# DynamoDB keeps 38 digits; sums of values that are cut here stay exact.
_LARGEST = 2**116 - 1


@dataclass(frozen=True, slots=True)
class Room:
    """What a payer may have open: fewer than ``most`` settlements, worth no more than ``balance`` (atomic units), as it
    was in block ``seen``. ``now`` is Unix seconds."""

    balance: int
    most: int
    now: int
    seen: int


class NoRoom(LostRace):
    """The payer has too much open, or is ``blocked``, or its balance was seen before a transfer that ended since
    (``stale``); nothing was written. ``open`` is what it has open here, the earliest ``validBefore`` first."""

    def __init__(self, request: SettleRequest, row: Item | None, room: Room) -> None:
        super().__init__("no room for the payer's settlement")
        row = row or {}
        self.blocked = row.get("blocked_until", 0) > room.now
        self.stale = not self.blocked and row.get("paid_in", 0) > room.seen
        nonces = sorted((deadline, nonce) for nonce, deadline in row.items() if nonce.startswith("0x"))
        id = request.payment_id
        self.open = [PaymentId(id.network, id.asset, id.payer, Bytes32.parse(nonce)) for _, nonce in nonces]


@dataclass(frozen=True, slots=True)
class Reverts:
    """A payer's last reverts, Unix seconds, oldest first."""

    times: tuple[int, ...] = ()

    @classmethod
    def of(cls, row: Item | None) -> "Reverts":
        """Read a payer's row."""
        return cls(tuple(int(one) for one in (row or {}).get("reverts", "").split()))

    def and_at(self, now: int) -> "Reverts":
        """With one more; only as many as decide are kept."""
        return Reverts((*self.times, now)[-MOST_REVERTS:])

    @property
    def too_many(self) -> bool:
        """Whether the last of them came too close to each other."""
        return len(self.times) == MOST_REVERTS and self.times[-1] - self.times[0] <= REVERT_WINDOW_SECONDS

    def __str__(self) -> str:
        return " ".join(map(str, self.times))


def payer_key(request: SettleRequest) -> str:
    """Key of the payer's row."""
    return f"PYR#{request.network}#{request.asset.lower}#{request.authorization.from_.lower}"


def take_room(request: SettleRequest, room: Room | None, now: int) -> Update:
    """One more is open. Fails when there is no ``room``; ``None`` is for what was open before: it always has room."""
    a = request.authorization
    values: dict[str, Value] = {":one": 1, ":value": _cut(a.value), ":deadline": _cut(a.valid_before)}
    names = {"#open": "open", "#nonce": str(a.nonce)}
    condition = None
    if room is not None:
        # The first is always let in: that the token would move it was just seen.
        values |= {":most": room.most, ":room": _cut(max(0, room.balance - a.value)), ":now": room.now}
        condition = (
            "(attribute_not_exists(#open) OR (#open < :most AND open_value <= :room))"
            " AND (attribute_not_exists(blocked_until) OR blocked_until <= :now)"
        )
        if room.balance < a.value * room.most:
            # What ended between the look and this write is in neither number; a rich payer has it to spare.
            values[":seen"] = room.seen
            condition += " AND (attribute_not_exists(paid_in) OR paid_in <= :seen)"
    values[":expires"] = now + KEEP_SECONDS
    expression = "SET expires_at = :expires, #nonce = :deadline ADD #open :one, open_value :value"
    return Update(payer_key(request), expression, condition, values, names)


def give_room_back(request: SettleRequest, now: int, paid_in: int | None) -> Update:
    """One is open no more; ``paid_in`` is the block that moved its money, if one did."""
    a = request.authorization
    values: dict[str, Value] = {":one": -1, ":value": -_cut(a.value), ":expires": now + KEEP_SECONDS}
    sets = "expires_at = :expires"
    if paid_in is not None:
        values[":paid_in"] = paid_in
        sets += ", paid_in = :paid_in"
    expression = f"SET {sets} REMOVE #nonce ADD #open :one, open_value :value"
    return Update(payer_key(request), expression, None, values, {"#open": "open", "#nonce": str(a.nonce)})


def write_reverts(request: SettleRequest, known: Reverts, then: Reverts, now: int) -> Update:
    """The payer's reverts are ``then``, if they still were ``known``; the last may be one too many."""
    values: dict[str, Value] = {":then": str(then), ":expires": now + KEEP_SECONDS}
    sets = "SET reverts = :then, expires_at = :expires"
    condition = "attribute_not_exists(reverts)"
    if known.times:
        values[":known"] = str(known)
        condition = "reverts = :known"
    if then.too_many:
        values[":until"] = now + BLOCK_SECONDS
        sets += ", blocked_until = :until"
    return Update(payer_key(request), sets, condition, values)


def count_revert_to(network: Network, pay_to: Address, now: int) -> Update:
    """One more of our transactions to ``pay_to`` reverted."""
    values: dict[str, Value] = {":one": 1, ":expires": now + KEEP_SECONDS}
    key = f"PTO#{network}#{pay_to.lower}"
    return Update(key, "SET expires_at = :expires ADD reverts :one", None, values)


def _cut(amount: int) -> int:
    return min(amount, _LARGEST)
