"""The seller's ledger: claim, answer, books. Every method is one request unless it says otherwise.

A method that loses a race raises ``LostRace``: the caller reads the payment again and goes by what
stands there. A write of ours that DynamoDB applied although its answer was lost is recognised by
its owner token or its transaction, and counts as done (threat 41).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tollgate.errors import LostRace, TollgateError
from tollgate.ledger.answers import INLINE_ANSWER_BYTES, AnswersUnavailable, Bodies, describe, read_body
from tollgate.ledger.dynamo import (
    Check,
    ConditionFailed,
    Delete,
    Item,
    Put,
    Table,
    TransactionCancelled,
    Update,
    Value,
    Write,
)
from tollgate.ledger.moves import appended, move
from tollgate.ledger.payers import Payers, Within, enter, leave, no_unknown
from tollgate.ledger.payment_items import (
    answer_item,
    answer_key,
    claim_item,
    first_state,
    identifier_key,
    payment_key,
    read_answer,
    read_payment,
    unknown_key,
)
from tollgate.ledger.rates import RateMoved, counted
from tollgate.ledger.work import OWED
from tollgate.payment.identity import PaymentId
from tollgate.payment.rate_limits import RouteLimits
from tollgate.payment.record import Claim, Move, Payment, StoredAnswer, debt_row
from tollgate.payment.states import OWED_BACK, Flow, State
from tollgate.wire.primitives import Bytes32
from tollgate.wire.reasons import Reason

# Where things stand in the claim's transaction.
_PAYMENT, _PAYER, _UNKNOWN, _IDENTIFIER = range(4)
# A nonce is kept on the books this long after its authorization expired, whatever TTL does (threat 43).
LATE_PROOF_SECONDS = 120


class KnownPayment(LostRace):
    """The payment was claimed before; ``payment`` is how it stands."""

    def __init__(self, payment: Payment) -> None:
        super().__init__("known payment")
        self.payment = payment


class IdentifierBound(TollgateError):
    """The payment-identifier belongs to another payment of this payer on this route (rule 13)."""


class PayerLimited(TollgateError):
    """The payer has too much under way, or too much unpaid; nothing was written. ``wait`` is seconds, if known."""

    def __init__(self, why: str, wait: int | None) -> None:
        super().__init__(why)
        self.wait = wait


class UnknownFirst(TollgateError):
    """Another payment of this payer for this request was answered as unknown; ``key`` is its item's."""

    def __init__(self, key: str) -> None:
        super().__init__("an earlier payment for the same request is not decided")
        self.key = key


class PaymentsLedger:
    """Conditional writes over the payments table."""

    def __init__(self, table: Table, bodies: Bodies | None = None, *, answer_seconds: int = 86_400) -> None:
        self._table = table
        self._bodies = bodies
        self._answer_seconds = answer_seconds

    def claim(self, claim: Claim, within: Within | None = None, limits: RouteLimits | None = None) -> Payment:
        """Put the payment as EXECUTING (upfront flow: CLAIMED) if nobody claimed it before.

        The look-up is the failure's answer.

        The payer's row counts it in the same transaction, if it stays ``within`` the payer's limits.
        Where its route has ``limits``, that is counted there too, after one read.
        Raises ``KnownPayment``, ``IdentifierBound``, ``UnknownFirst``, ``PayerLimited``, ``RateLimited`` or
        ``RateMoved``, having written nothing. Of what is limited it may still be known: look it up.
        """
        rates = [] if limits is None else counted(self._table, claim, limits)
        writes: list[Write | Check] = [Put(claim_item(claim)), enter(claim, within), no_unknown(claim)]
        if claim.identifier is not None:
            row: dict[str, Value | None] = {
                "pk": identifier_key(claim.route, claim.id.payer, claim.identifier),
                "payment": claim.id.digest,
                "fingerprint": claim.fingerprint,
            }
            writes.append(
                Put(
                    row,
                    "attribute_not_exists(pk) OR (payment = :payment AND fingerprint = :fingerprint)",
                    {":payment": claim.id.digest, ":fingerprint": claim.fingerprint},
                )
            )
        try:
            self._table.transact([*writes, *rates])
        except TransactionCancelled as lost:
            # Not every failed condition need be named, and what is known is never merely refused (rule 1).
            known = lost.failed.get(_PAYMENT) or self._table.get(payment_key(claim.id))
            if known:
                return _mine_or_known(read_payment(known), claim)
            first = lost.failed.get(_UNKNOWN)
            if first:
                raise UnknownFirst(f"PAY#{first['payment']}") from lost
            if claim.identifier is not None and _IDENTIFIER in lost.failed:
                raise IdentifierBound("bound to another payment") from lost
            if _PAYER not in lost.failed and max(lost.failed) >= len(writes):
                raise RateMoved("somebody else bought at the same moment") from lost
            raise _limited(lost.failed.get(_PAYER), claim) from lost
        return Payment(claim, first_state(claim), fence=1)

    def get(self, id: PaymentId) -> Payment | None:
        """Read one payment, consistently."""
        item = self._table.get(payment_key(id))
        return read_payment(item) if item else None

    def get_by_key(self, pk: str) -> Payment | None:
        """Read the payment that a work list names."""
        item = self._table.get(pk)
        return read_payment(item) if item else None

    def get_by_digest(self, digest: str) -> Payment | None:
        """Read the payment of an id as it travels (64 hex digits), consistently."""
        return self.get_by_key(f"PAY#{digest}")

    def find(self, id: PaymentId, route: str, fingerprint: str, identifier: str | None) -> "Found":
        """The payment and what else is on the books about this request of its payer: one consistent read."""
        key, unknown = payment_key(id), unknown_key(id, fingerprint)
        row_key = None if identifier is None else identifier_key(route, id.payer, identifier)
        found = self._table.get_many([key, unknown] if row_key is None else [key, unknown, row_key])
        row = None if row_key is None else found.get(row_key)
        first = found.get(unknown)
        return Found(
            payment=read_payment(found[key]) if key in found else None,
            bound_elsewhere=row is not None and row["payment"] != id.digest,
            unknown_first=f"PAY#{first['payment']}" if first and first.get("given", id.digest) == id.digest else None,
        )

    def keep(self, payment: Payment, answer: StoredAnswer) -> StoredAnswer:
        """Put a body that is too big for the table where a resend will find it, before ``hold`` (rule 7).

        No request for one that the table can take. Raises ``AnswersUnavailable``: then it must not be sold.
        """
        if answer.size <= INLINE_ANSWER_BYTES:
            return answer
        kept = describe(payment, answer.body)
        self._big_bodies().put(kept, answer.body)
        return replace(answer, kept=kept)

    def hold(self, payment: Payment, answer: StoredAnswer, now: int) -> Payment:
        """EXECUTING → SETTLING with the answer, in one transaction: before settle is ever invoked (rule 2)."""
        key = payment_key(payment.id)
        owner = payment.claim.owner
        try:
            self._table.transact(
                [
                    move(
                        key,
                        State.EXECUTING,
                        State.SETTLING,
                        fence=payment.fence,
                        now=now,
                        set_={"due": payment.claim.lease_until + 1},
                        require={"owner": ("=", owner)},
                    ),
                    Put(answer_item(payment.id, answer, now, self._answer_seconds)),
                ]
            )
        except TransactionCancelled as lost:
            current = self.get(payment.id)
            if current is None or current.state is not State.SETTLING or current.claim.owner != owner:
                raise LostRace("the claim was taken away") from lost
            return current
        return self._expect(payment, State.SETTLING)

    def _expect(self, payment: Payment, state: State) -> Payment:
        return Payment(payment.claim, state, payment.fence)

    def release(self, payment: Payment, now: int, *, debt: str | None, dead: bool = False, why: str = "") -> None:
        """EXECUTING or CLAIMED → RELEASED: not charged, ever. Frees the identifier, drops the signature.

        ``debt`` says why an upstream run stays unpaid; then, and if ``dead``, the owner must be dead (rule 11).
        ``why`` is for the payment's history: what the upstream gave instead of something to sell.
        """
        claim = payment.claim
        update = move(
            payment_key(payment.id),
            payment.state,
            State.RELEASED,
            fence=payment.fence,
            now=now,
            detail=debt or why,
            set_={
                "released_at": now,
                "due": claim.authorization.valid_before + LATE_PROOF_SECONDS,
            },
            remove=("signature",),
            require={"lease_until": ("<", now)} if debt or dead else {"owner": ("=", claim.owner)},
        )
        writes: list[Write] = [update, *leave(payment), *self._free_identifier(payment)]
        if debt is not None:
            writes.append(Put({"pk": f"DEBT#{payment.id.digest}", **debt_row(payment, now, debt)}))
        self._transact(writes)

    def unpaid(self, payment: Payment, reason: Reason, now: int) -> None:
        """SETTLING → UNPAID: proven impossible. With it a strike and a debt row, if the upstream ran."""
        update = move(
            payment_key(payment.id),
            State.SETTLING,
            State.UNPAID,
            fence=payment.fence,
            now=now,
            detail=reason.value,
            set_={
                "reason": reason.value,
                "due": payment.claim.authorization.valid_before + LATE_PROOF_SECONDS,
            },
            remove=("signature",),
        )
        debt = Put({"pk": f"DEBT#{payment.id.digest}", **debt_row(payment, now, reason.value)})
        ran = payment.claim.flow is Flow.AUTHORIZATION or payment.ran_at is not None
        owed = [debt, *Payers(self._table).strike(payment, now)] if ran else leave(payment)
        self._transact([update, *owed, *self._free_identifier(payment)])

    def _free_identifier(self, payment: Payment) -> list[Write]:
        claim = payment.claim
        if claim.identifier is None:
            return []
        return [
            Delete(
                identifier_key(claim.route, claim.id.payer, claim.identifier),
                "attribute_not_exists(pk) OR payment = :payment",
                {":payment": payment.id.digest},
            )
        ]

    def reopen(self, payment: Payment, now: int) -> Payment:
        """REVERSED or UNRESOLVED → SETTLING: to be settled again, with the same authorization."""
        self._transact(
            [
                move(
                    payment_key(payment.id),
                    payment.state,
                    State.SETTLING,
                    fence=payment.fence,
                    now=now,
                    set_={"due": now},
                )
            ]
        )
        return replace(payment, state=State.SETTLING, attempts=0)

    def unresolved(self, payment: Payment, now: int, due: int) -> None:
        """SETTLING → UNRESOLVED: the deadline passed and no RPC endpoint can say what happened."""
        update = move(
            payment_key(payment.id),
            State.SETTLING,
            State.UNRESOLVED,
            fence=payment.fence,
            now=now,
            set_={"due": due},
        )
        self._transact([update])

    def take_over(self, payment: Payment, owner: str, now: int, lease_until: int) -> bool:
        """Become the one who settles a SETTLING payment whose owner is dead; False if somebody else did."""
        names = {"#owner": "owner", "#state": "state"}
        values: dict[str, Value] = {
            ":owner": owner,
            ":lease": lease_until,
            ":due": lease_until + 1,
            ":settling": State.SETTLING.value,
            ":now": now,
            ":fence": payment.fence,
        }
        history = appended(names, values, Move("TAKEN_OVER", now))
        try:
            self._table.write(
                Update(
                    payment_key(payment.id),
                    f"SET #owner = :owner, lease_until = :lease, due = :due, {history}",
                    "#state = :settling AND lease_until < :now AND fence = :fence",
                    values,
                    names,
                )
            )
        except ConditionFailed as lost:
            # Our own success, if DynamoDB's answer to it was lost (threat 41).
            return lost.item is not None and lost.item["owner"] == owner
        return True

    def note(self, payment: Payment, now: int, due: int, transaction: Bytes32 | None) -> None:
        """While the outcome stays unknown: when to look again, and the hash once there is one."""
        values: dict[str, Value] = {":due": due, ":settling": State.SETTLING.value, ":fence": payment.fence}
        expression = "SET due = :due"
        names = {"#state": "state"}
        if transaction is not None:
            expression += ", #tx = :tx"
            values[":tx"] = str(transaction)
            names["#tx"] = "transaction"
            if transaction != payment.transaction:
                expression += ", " + appended(names, values, Move("BROADCAST", now, str(transaction)))
        try:
            self._table.write(
                Update(
                    payment_key(payment.id),
                    expression,
                    "#state = :settling AND fence = :fence",
                    values,
                    names,
                )
            )
        except ConditionFailed:
            return

    def reschedule(self, payment: Payment, due: int | None, *, forget_signature: bool = False) -> None:
        """Move a payment on the work list, or take it off (``None``), if its state has not moved.

        What is owed back leaves it for a list of its own, where operators see it without reading the whole table.
        """
        values: dict[str, Value] = {":state": payment.state.value, ":fence": payment.fence}
        names = {"#state": "state"}
        removed = ["signature"] if forget_signature else []
        if due is not None:
            values[":due"] = due
            expression = "SET due = :due"
        elif payment.state in OWED_BACK:
            values |= {":owed": OWED, ":settled": payment.settled_at or 0}
            names["#work"] = "work"
            expression = "SET #work = :owed, due = :settled"
        else:
            names["#work"] = "work"
            removed = ["#work", "due", *removed]
            expression = ""
        if removed:
            expression += " REMOVE " + ", ".join(removed)
        try:
            self._table.write(
                Update(
                    payment_key(payment.id),
                    expression.strip(),
                    "#state = :state AND fence = :fence",
                    values,
                    names,
                )
            )
        except ConditionFailed:
            return

    def answer(self, id: PaymentId, now: int) -> StoredAnswer | None:
        """The kept answer, or ``None`` past retention, whatever TTL has deleted yet (rule 10).

        One more request for a body that is kept outside the table. Raises ``AnswerLost`` or
        ``AnswersUnavailable``.
        """
        item = self._table.get(answer_key(id))
        if item is None or item["expires_at"] <= now:
            return None
        answer = read_answer(item)
        if answer.kept is None:
            return answer
        return replace(answer, body=read_body(self._big_bodies(), answer.kept))

    def _big_bodies(self) -> Bodies:
        if self._bodies is None:
            raise AnswersUnavailable("no bucket is configured")
        return self._bodies

    def _transact(self, writes: Sequence[Write]) -> None:
        try:
            self._table.transact(writes)
        except TransactionCancelled as lost:
            raise LostRace("the payment moved on") from lost


@dataclass(frozen=True, slots=True)
class Found:
    """What one look-up found. ``unknown_first``: key of another payment for the same request, answered as unknown."""

    payment: Payment | None
    bound_elsewhere: bool
    unknown_first: str | None


def _mine_or_known(known: Payment, claim: Claim) -> Payment:
    if known.claim.owner == claim.owner:
        return known
    raise KnownPayment(known)


def _limited(row: Item | None, claim: Claim) -> PayerLimited:
    blocked_until = (row or {}).get("blocked_until", 0)
    if blocked_until > claim.claimed_at:
        return PayerLimited("too many of the payer's calls stayed unpaid", blocked_until - claim.claimed_at)
    return PayerLimited("the payer has as much under way as the balance or the limit admits", None)
