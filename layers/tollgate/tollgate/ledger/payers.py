"""What a payer has under way, kept in the transactions that move payments (threats 46-49, 72).

    PYR#<network>#<asset>#<payer>   {open, open_value}: payments claimed and not ended, their sum in atomic units;
                                    {strikes, struck_at, blocked_until}: runs that stayed unpaid
    UNK#<payer>#<fingerprint>       {payment}: this request's payment was answered "unknown";
                                    {given}: the second payment that got its outcome instead of being claimed

One balance cannot stand behind many payments: together they never exceed what the payer held when the last of
them was checked. A payer whose runs stay unpaid is not served for a while, however the money went away.
"""

from dataclasses import dataclass

from tollgate.ledger.dynamo import Check, ConditionFailed, Item, Put, Table, TransactionCancelled, Update, Value
from tollgate.ledger.moves import appended
from tollgate.ledger.payment_items import payer_key, payment_key, unknown_key
from tollgate.payment.identity import PaymentId
from tollgate.payment.record import ANSWERED_UNKNOWN, Claim, Move, Payment

# So many unpaid runs, each within the window of the one before, and a payer has to wait (seconds).
STRIKES = 5
STRIKE_WINDOW_SECONDS = 3600
BLOCK_SECONDS = 3600
# How long a row about an unknown outcome is kept beyond its payment's deadline.
_KEEP_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Within:
    """What a claim must stay within: ``room`` is what else of the payer's balance may be under way (atomic units)."""

    most_open: int
    room: int


def enter(claim: Claim, within: Within | None) -> Update:
    """Count a claim in, if the payer's limits admit it."""
    values: dict[str, Value] = {":one": 1, ":value": claim.authorization.value}
    condition = None
    names = {"#open": "open"}
    if within is not None:
        values |= {":most": within.most_open, ":room": within.room, ":now": claim.claimed_at}
        condition = (
            "(attribute_not_exists(#open) OR (#open < :most AND open_value <= :room))"
            " AND (attribute_not_exists(blocked_until) OR blocked_until <= :now)"
        )
    return Update(payer_key(claim.id), "ADD #open :one, open_value :value", condition, values, names)


def leave(payment: Payment) -> list[Update]:
    """Count a payment out, in the transaction that ends it. Nothing for one that was never counted in."""
    return _count(payment, -1)


def enter_again(payment: Payment) -> list[Update]:
    """Count a payment in again whose block is gone; no limit stops it: it was served."""
    return _count(payment, 1)


def _count(payment: Payment, sign: int) -> list[Update]:
    if not payment.claim.counted:
        return []
    values: dict[str, Value] = {":count": sign, ":value": sign * payment.claim.authorization.value}
    return [
        Update(payer_key(payment.id), "ADD #open :count, open_value :value", None, values, {"#open": "open"}),
    ]


def no_unknown(claim: Claim) -> Check:
    """Holds unless another payment of this payer for this request stands answered as unknown."""
    return Check(
        unknown_key(claim.id, claim.fingerprint),
        "attribute_not_exists(pk) OR payment = :me OR (attribute_exists(given) AND given <> :me)",
        {":me": claim.id.digest},
    )


class Payers:
    """The rows of payers outside of a payment's own moves."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def answered_unknown(self, payment: Payment, now: int) -> None:
        """Before a 503 leaves: a second payment for the same request shall get this one's outcome.

        Written into the payment's history too. An older payment's row stays until its own outcome was given.
        """
        if payment.answered_unknown:
            return
        claim = payment.claim
        row: dict[str, Value | None] = {
            "pk": unknown_key(claim.id, claim.fingerprint),
            "payment": claim.id.digest,
            "expires_at": claim.authorization.valid_before + _KEEP_SECONDS,
        }
        values: dict[str, Value] = {}
        names: dict[str, str] = {}
        history = appended(names, values, Move(ANSWERED_UNKNOWN, now))
        try:
            self._table.transact(
                [
                    Put(row, "attribute_not_exists(pk) OR attribute_exists(given)"),
                    Update(payment_key(claim.id), "SET " + history, "attribute_exists(pk)", values, names),
                ]
            )
        except TransactionCancelled:
            return

    def give(self, second: PaymentId, fingerprint: str, first: str) -> bool:
        """The outcome of ``first`` (a digest) goes to whoever sent ``second``, which is never claimed; others pass
        from now on. False when it went to somebody else already."""
        return self._close(unknown_key(second, fingerprint), first, second.digest)

    def forget(self, payer: PaymentId, fingerprint: str, first: str) -> None:
        """The first payment stands in nobody's way any more. ``payer`` is any payment of its payer's."""
        self._close(unknown_key(payer, fingerprint), first, first)

    def _close(self, key: str, first: str, given: str) -> bool:
        try:
            self._table.write(
                Update(
                    key,
                    "SET given = :given",
                    "payment = :first AND (attribute_not_exists(given) OR given = :given)",
                    {":first": first, ":given": given},
                )
            )
        except ConditionFailed:
            return False
        return True

    def strike(self, payment: Payment, now: int) -> list[Update]:
        """One more run that stays unpaid: for the transaction that says so. One read; not on the hot path.

        Two at the same moment may count as one.
        """
        row: Item = self._table.get(payer_key(payment.id)) or {}
        recent = row.get("struck_at", 0) > now - STRIKE_WINDOW_SECONDS
        strikes = (row.get("strikes", 0) if recent else 0) + 1
        values: dict[str, Value] = {":strikes": strikes, ":now": now}
        expression = "SET strikes = :strikes, struck_at = :now"
        if strikes >= STRIKES:
            expression += ", blocked_until = :until"
            values[":until"] = now + BLOCK_SECONDS
        if payment.claim.counted:
            values |= {":count": -1, ":value": -payment.claim.authorization.value}
            return [
                Update(
                    payer_key(payment.id),
                    expression + " ADD #open :count, open_value :value",
                    None,
                    values,
                    {"#open": "open"},
                )
            ]
        return [Update(payer_key(payment.id), expression, None, values)]
