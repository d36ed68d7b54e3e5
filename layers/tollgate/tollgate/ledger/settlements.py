"""The facilitator's ledger: settlements, the relayers' nonces, and the bytes that were signed for them.

    STL#<payment id>                  the settlement: seller, terms, nonce, signed bytes, outcome
    RLY#<network>#<relayer>           {next}: the nonce that it reserves next; {seen, seen_at}: whether its queue moves
    NNC#<network>#<relayer>#<nonce>   {payment}: whose nonce this is; or {raw, tx_hash, ...}: a filled hole
    CAP#<seller>#<day>                {count}: settlements that a seller elsewhere has begun on that day
    PYR#<network>#<asset>#<payer>     what the payer has open, and its reverts: see ledger/room.py

Timeline of one settlement, each line one request, each condition derived from the arrows:

    reserve       put STL (absent) as RESERVED + RLY next: n -> n+1 (still n) + put NNC (absent) + PYR (room for it)
                  [+ CAP count: c -> c+1]
    store_bytes   RESERVED -> SIGNED, if no bytes are there yet: the first stored bytes win
    replace_bytes a further version with a higher fee, if the newest is still the one that it replaces
    conclude      SIGNED -> CONFIRMED | FAILED + PYR (its room is free again)
    reopen        CONFIRMED -> SIGNED, when the block of the proof is gone + PYR (it takes its room again)

An item also keeps the request, with the payer's signature: whoever meets a dead reservation can finish it.
"""

from dataclasses import replace

from tollgate.errors import LostRace
from tollgate.ledger.dynamo import (
    ConditionFailed,
    Delete,
    Item,
    Put,
    Table,
    TransactionCancelled,
    Update,
    Value,
)
from tollgate.ledger.room import (
    NoRoom,
    Reverts,
    Room,
    count_revert_to,
    give_room_back,
    payer_key,
    take_room,
    write_reverts,
)
from tollgate.ledger.settlement_items import (
    DailyCap,
    OpenSlot,
    RelayerQueue,
    Settlement,
    SignedBytes,
    Slot,
    ended_as,
    read_settlement,
    read_signed,
    relayer_key,
    settlement_item,
    settlement_key,
    signed_fields,
    verdict_fields,
)
from tollgate.payment.identity import PaymentId
from tollgate.payment.settlement import Confirmed, Failed, SettleRequest
from tollgate.payment.states import SETTLEMENT_TRANSITIONS, SettlementState
from tollgate.wire.primitives import Address, Bytes32, Network

# A settlement that ended is kept for over a year; TTL only ever removes ended ones.
RETENTION_SECONDS = 400 * 86_400
# More nonces than one settle would fill, if the chain's count turned out wrong.
FAR_AHEAD = 100
# Where the payer's room and the seller's cap stand in the reserving transaction.
_ROOM, _CAP = 3, 4


class KnownSettlement(LostRace):
    """The payment has a settlement; ``settlement`` is how it stands."""

    def __init__(self, settlement: Settlement) -> None:
        super().__init__("known settlement")
        self.settlement = settlement


class NonceTaken(LostRace):
    """Another settlement reserved the nonce first; the next attempt goes by what stands there now."""


class CapReached(LostRace):
    """The seller's settlements of the day are used up; nothing was written."""


class FarAhead(LostRace):
    """The chain's count is so far above the counter that it is worth a second question: a counter never
    goes back, and each nonce skipped by mistake has to be paid for."""


class SettlementsLedger:
    """Conditional writes over the settlements table; remembers each relayer's next nonce between calls."""

    def __init__(self, table: Table) -> None:
        self._table = table
        # What RLY held when last seen. Only a guess: the condition decides.
        self._queues: dict[str, RelayerQueue] = {}
        # Where a nonce was taken although the counter had not come so far (a backup, a hand): go on above.
        self._above: dict[str, int] = {}

    def get(self, payment: PaymentId) -> Settlement | None:
        """Read one settlement, consistently."""
        item = self._table.get(settlement_key(payment))
        return read_settlement(item) if item else None

    def reserve(
        self,
        request: SettleRequest,
        relayer: Address,
        chain_nonce: int,
        owner: str,
        lease_until: int,
        *,
        room: Room,
        asked_twice: bool = False,
        cap: DailyCap | None = None,
    ) -> Settlement:
        """Put the settlement as RESERVED with the relayer's next nonce: max(stored, ``chain_nonce``).

        One request when this instance knows the counter. ``owner`` is this invocation's random token: it
        recognises a write of ours whose answer was lost. ``room`` is what the payer may have open, ``cap`` counts
        the settlement, exactly once, with it. Raises ``KnownSettlement``, ``NonceTaken``, ``NoRoom``,
        ``CapReached``, and ``FarAhead``, having written nothing, unless the chain was ``asked_twice``.
        """
        counter = relayer_key(request.network, relayer)
        remembered = counter in self._queues
        queue = self.queue(request.network, relayer)
        stored = queue.next
        if chain_nonce > (stored or 0) + FAR_AHEAD and not asked_twice:
            raise FarAhead("the chain's transaction count is far above the counter")
        slot = Slot(request.network, relayer, max(stored or 0, chain_nonce, self._above.get(counter, 0)))
        settlement = Settlement(request, SettlementState.RESERVED, slot, owner, lease_until, holds_room=True)
        after = replace(queue.looked_at(chain_nonce, room.now), next=slot.nonce + 1)
        try:
            self._table.transact(
                [
                    Put(settlement_item(settlement)),
                    _count_on(counter, queue, after),
                    Put(
                        {
                            "pk": slot.key,
                            "payment": settlement_key(request.payment_id),
                            "expires_at": lease_until + RETENTION_SECONDS,
                        }
                    ),
                    take_room(request, room, room.now),
                    *([cap.count()] if cap else []),
                ]
            )
        except TransactionCancelled as lost:
            if 1 in lost.failed:
                self._queues[counter] = RelayerQueue.of(lost.failed[1])
            capped, full = _CAP in lost.failed, _ROOM in lost.failed
            if 0 in lost.failed or capped or full:
                # Not every failed condition need be named, and what is known is never merely refused (rule 1).
                known = lost.failed.get(0)
                standing = read_settlement(known) if known else self.get(request.payment_id)
                if standing is not None and standing.owner == owner:
                    return standing
                if standing is not None:
                    raise KnownSettlement(standing) from lost
                if full:
                    raise NoRoom(request, lost.failed[_ROOM], room) from lost
                if capped:
                    raise CapReached("the seller's cap of the day is reached") from lost
                raise NonceTaken("the settlement went away meanwhile") from lost
            if 1 not in lost.failed and (not remembered or counter in self._above):
                self._above[counter] = slot.nonce + 1
            raise NonceTaken(f"nonce {slot.nonce} is taken") from lost
        self._queues[counter] = after
        return settlement

    def queue(self, network: Network, relayer: Address) -> RelayerQueue:
        """What was last seen of a relayer's nonces; read when this instance has not seen any of it."""
        counter = relayer_key(network, relayer)
        if counter not in self._queues:
            self._queues[counter] = RelayerQueue.of(self._table.get(counter))
        return self._queues[counter]

    def store_bytes(self, settlement: Settlement, signed: SignedBytes, *, filler: bool) -> Settlement:
        """RESERVED → SIGNED. Returns the settlement as it stands: another's bytes, if those came first."""
        slot = _slot(settlement)
        sets, names, values = _sets(signed_fields(signed))
        values |= {":filler": filler, ":relayer": slot.relayer.lower, ":nonce": slot.nonce}
        update = Update(
            settlement_key(settlement.id),
            f"SET #state = :target, filler = :filler, {sets}",
            _arrow(SettlementState.RESERVED, SettlementState.SIGNED, values)
            + " AND attribute_not_exists(#raw) AND relayer = :relayer AND relayer_nonce = :nonce",
            values,
            {"#state": "state", **names},
        )
        try:
            return read_settlement(self._table.write(update))
        except ConditionFailed as lost:
            return _standing(lost.item)

    def replace_bytes(self, key: str, standing: SignedBytes, newer: SignedBytes) -> SignedBytes:
        """Store a further version beside ``standing``, for the settlement or filled hole at ``key``, ended or not.

        Returns the bytes that stand: another's version, if that came first. Raises ``LostRace`` if none do.
        """
        sets, names, values = _sets(signed_fields(newer))
        update = Update(
            key,
            f"SET {sets}",
            "#tx_hash = :standing",
            {**values, ":standing": str(standing.transaction)},
            names,
        )
        try:
            found = read_signed(self._table.write(update))
        except ConditionFailed as lost:
            found = read_signed(lost.item or {})
        if found is None:
            raise LostRace("there are no bytes to replace")
        return found

    def conclude(self, settlement: Settlement, outcome: Confirmed | Failed, now: int) -> Settlement:
        """SIGNED → CONFIRMED or FAILED. Returns the settlement as it stands: the first verdict wins."""
        ended = ended_as(settlement, outcome)
        values: dict[str, Value] = {":expires": now + RETENTION_SECONDS}
        sets = ["#state = :target", "expires_at = :expires"]
        names = {"#state": "state"}
        for name, value in verdict_fields(ended).items():
            if value is not None:
                sets.append(f"#{name} = :{name}")
                names[f"#{name}"] = name
                values[f":{name}"] = value
        condition = _arrow(SettlementState.SIGNED, ended.state, values)
        key, expression = settlement_key(settlement.id), "SET " + ", ".join(sets)
        try:
            if not settlement.holds_room:
                condition += " AND attribute_not_exists(holds_room)"
                return read_settlement(self._table.write(Update(key, expression, condition, values, names)))
            condition += " AND attribute_exists(holds_room)"
            update = Update(key, expression + " REMOVE holds_room", condition, values, names)
            paid_in = ended.proof.block_number if ended.proof is not None else None
            self._table.transact([update, give_room_back(settlement.request, now, paid_in)])
        except ConditionFailed as lost:
            return _standing(lost.item)
        except TransactionCancelled as lost:
            return _standing(lost.failed.get(0) or self._table.get(key))
        return replace(ended, holds_room=False)

    def record(self, request: SettleRequest, outcome: Confirmed | Failed, now: int) -> Settlement:
        """Write down a payment that had ended before it was first brought here, so that no second seller
        is told of success (threat 39). Returns the settlement as it stands."""
        ended = ended_as(Settlement(request, SettlementState.RESERVED), outcome)
        if ended.state not in SETTLEMENT_TRANSITIONS[None]:
            raise ValueError(f"no arrow leads from nothing to {ended.state}")
        try:
            self._table.write(Put({**settlement_item(ended), "expires_at": now + RETENTION_SECONDS}))
        except ConditionFailed as lost:
            return _standing(lost.item)
        return ended

    def reopen(self, settlement: Settlement, now: int) -> Settlement | None:
        """CONFIRMED → SIGNED: the block of its proof is gone, and it takes its room again, be there any or not.

        ``None`` when we never had bytes for it: then it is forgotten, and settled like a new one. ``now`` is Unix
        seconds. Raises ``LostRace``.
        """
        key = settlement_key(settlement.id)
        proof = verdict_fields(settlement)["proof"]
        if proof is None:
            raise ValueError("only what was confirmed is reopened")
        values: dict[str, Value] = {":proof": proof}
        condition = _arrow(SettlementState.CONFIRMED, SettlementState.SIGNED, values) + " AND proof = :proof"
        names = {"#state": "state"}
        if settlement.raw is None:
            del values[":target"]
            self._table.write(Delete(key, condition, values, names))
            return None
        values[":true"] = True
        expression = "SET #state = :target, holds_room = :true REMOVE proof, ours, expires_at"
        update = Update(key, expression, condition, values, names)
        self._table.transact([update, take_room(settlement.request, None, now)])
        return replace(settlement, state=SettlementState.SIGNED, proof=None, ours=False, holds_room=True)

    def count_revert(self, settlement: Settlement, transaction: Bytes32, now: int) -> Settlement:
        """Our ``transaction`` for it mined and reverted: counted for its payer and its payTo, once for each
        settlement. ``now`` is Unix seconds. Returns the settlement as it stands."""
        request = settlement.request
        mark = Update(
            settlement_key(settlement.id),
            "SET reverted = :transaction",
            "attribute_exists(pk) AND attribute_not_exists(reverted)",
            {":transaction": str(transaction)},
        )
        row = self._table.get(payer_key(request))
        while True:
            known = Reverts.of(row)
            payer = write_reverts(request, known, known.and_at(now), now)
            try:
                self._table.transact([mark, payer, count_revert_to(request.network, request.authorization.to, now)])
            except TransactionCancelled as lost:
                if 1 in lost.failed and 0 not in lost.failed:
                    # Another of the payer's was counted meanwhile.
                    row = lost.failed[1]
                    continue
                return _standing(lost.failed.get(0) or self._table.get(mark.pk))
            return replace(settlement, reverted=transaction)

    def slots(self, network: Network, relayer: Address, nonces: range) -> list[OpenSlot]:
        """What stands at each of at most 100 nonces, in order. Two requests."""
        slots = [Slot(network, relayer, n) for n in nonces]
        rows = self._table.get_many([s.key for s in slots]) if slots else {}
        keys = [row["payment"] for row in rows.values() if "payment" in row]
        found = self._table.get_many(keys) if keys else {}
        out = []
        for slot in slots:
            row = rows.get(slot.key, {})
            payment = row.get("payment")
            item = found.get(payment) if payment else None
            settlement = read_settlement(item) if item else None
            if settlement is not None and settlement.slot != slot:
                settlement = None
            out.append(OpenSlot(slot, settlement, read_signed(row), None if settlement else payment))
        return out

    def fill_hole(self, slot: Slot, signed: SignedBytes, *, orphan_of: str | None = None) -> SignedBytes:
        """Store the bytes that use up a nonce which nobody reserved, or which was reserved for a settlement
        (``orphan_of``) that is not there: backups do not keep an item's neighbours in step. Returns the bytes
        that stand there: the first stored win here too. Raises ``LostRace`` if a settlement has it after all."""
        item: Item = {"pk": slot.key, **signed_fields(signed)}
        try:
            if orphan_of is None:
                self._table.write(Put(item))
            else:
                self._table.write(Put(item, "payment = :orphan", {":orphan": orphan_of}))
        except ConditionFailed as lost:
            standing = read_signed(lost.item or {})
            if standing is None:
                raise LostRace("the nonce belongs to a settlement") from lost
            return standing
        return signed


def _arrow(source: SettlementState, target: SettlementState, values: dict[str, Value]) -> str:
    """The condition of a move; fills in its values. Raises ``ValueError`` without such an arrow: a bug."""
    if target not in SETTLEMENT_TRANSITIONS[source]:
        raise ValueError(f"no arrow leads from {source} to {target}")
    values[":source"] = source.value
    values[":target"] = target.value
    return "#state = :source"


def _count_on(counter: str, queue: RelayerQueue, after: RelayerQueue) -> Update:
    values: dict[str, Value] = {":after": after.next or 0, ":seen": after.seen, ":at": after.seen_at}
    condition = "attribute_not_exists(pk)"
    if queue.next is not None:
        condition = "#next = :stored"
        values[":stored"] = queue.next
    expression = "SET #next = :after, seen = :seen, seen_at = :at"
    return Update(counter, expression, condition, values, {"#next": "next"})


def _sets(fields: dict[str, Value]) -> tuple[str, dict[str, str], dict[str, Value]]:
    """The part of an update's expression that sets ``fields``, with its names and values."""
    sets = ", ".join(f"#{name} = :{name}" for name in fields)
    return sets, {f"#{name}": name for name in fields}, {f":{name}": value for name, value in fields.items()}


def _slot(settlement: Settlement) -> Slot:
    if settlement.slot is None:
        raise ValueError("a settlement without a nonce cannot be signed")
    return settlement.slot


def _standing(item: Item | None) -> Settlement:
    if not item:
        raise LostRace("the settlement is gone")
    return read_settlement(item)
