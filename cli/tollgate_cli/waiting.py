"""Why a payment waits, and what to do about it, from what the ledgers hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tollgate.ledger.dynamo import Item
from tollgate.ledger.settlement_items import Settlement
from tollgate.ledger.work import OWED, PARKED
from tollgate.payment.identity import PaymentId
from tollgate.payment.record import Payment
from tollgate.payment.states import OWED_BACK, SettlementState, State
from tollgate.wire.primitives import Address, Network

# Reconcile comes each minute: what was due for longer than this, it does not get to.
OVERDUE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Waiting:
    """One payment that waits. ``why`` groups, ``todo`` is said once a group; times are Unix seconds.

    ``slot`` is the relayer's nonce that its settlement has, while it is not mined.
    """

    id: str
    identity: PaymentId | None
    state: str
    why: str
    todo: str
    amount: int
    route: str
    since: int
    due: int | None
    slot: tuple[Network, Address, int] | None = None


_RELAYER = "tollgate relayer says what gas there is: send the network's coin to the address that it prints"
_RPC = "mend the RPC secret; tollgate doctor says which endpoint does not answer"
_BY_ITSELF = "nothing: reconcile does it within minutes, unless it is behind (ReconcileLagAlarm)"
_REFUND = "send the amount back to the payer, then tollgate payments refunded ID --transaction 0x..."


def why_it_waits(
    item: Item, payment: Payment, settlement: Settlement | None, has_gas: Mapping[Network, bool], now: int
) -> Waiting | None:
    """``None`` when it does not: at its end, just begun, or only to be looked at once more."""
    why = _why(item, payment, settlement, has_gas, now)
    if why is None:
        return None
    reason, todo = why
    open_slot = settlement is not None and settlement.slot is not None and payment.state is State.SETTLING
    slot = None
    if open_slot and settlement is not None and settlement.slot is not None:
        slot = (settlement.slot.network, settlement.slot.relayer, settlement.slot.nonce)
    return Waiting(
        payment.id.digest,
        payment.id,
        payment.state.value,
        reason,
        todo,
        payment.claim.authorization.value,
        payment.claim.route,
        payment.claim.claimed_at,
        item.get("due") if item.get("work") != PARKED else None,
        slot,
    )


def unreadable(item: Item) -> Waiting:
    """An item that this version cannot read."""
    parked = item.get("parked")
    return Waiting(
        str(item["pk"]).removeprefix("PAY#"),
        None,
        str(item.get("state", "?")),
        f"cannot be read{f', parked ({parked})' if parked else ''}",
        "another version wrote it, or somebody by hand: deploy that version, then tollgate payments unpark ID",
        0,
        str(item.get("route", "?")),
        _int(item.get("claimed_at")),
        None,
    )


def _why(
    item: Item, payment: Payment, settlement: Settlement | None, has_gas: Mapping[Network, bool], now: int
) -> tuple[str, str] | None:
    if item.get("work") == PARKED:
        return (
            f"parked: {item.get('parked', '?')}",
            "read its traceback in reconcile's log, mend that, then tollgate payments unpark ID",
        )
    if payment.state in OWED_BACK:
        return _owed(item, payment)
    if payment.state is State.UNRESOLVED:
        return "no RPC endpoint could say what happened", _RPC
    overdue = now - _int(item.get("due"), now) > OVERDUE_SECONDS
    if payment.alive(now) and not overdue:
        return None
    match payment.state:
        case State.EXECUTING:
            return "its process died while the upstream ran", _BY_ITSELF
        case State.CLAIMED:
            return "its process died before it settled", "nothing: released when the authorization has expired"
        case State.EXECUTING_PAID:
            return "its process died while the upstream ran, and it is paid", _BY_ITSELF
        case State.SETTLING | State.REVERSED:
            return _settlement(payment, settlement, has_gas)
    return ("due, and not looked at", "see ReconcileLagAlarm and ReconcileStoppedAlarm") if overdue else None


def _owed(item: Item, payment: Payment) -> tuple[str, str]:
    if payment.refund_failed is not None:
        return f"its refund is impossible ({payment.refund_failed})", _REFUND
    if payment.refund_begun_at is not None:
        return "its refund has begun", "nothing: reconcile finishes it. Never send it by hand meanwhile"
    if payment.state is State.REFUND_DUE and item.get("work") != OWED:
        return (
            "its refund has not begun: its block is not deep yet, or the treasury has too little",
            "tollgate relayer prints the treasury: send it the token; refund.waits in settle's log says why",
        )
    return "the money is owed back to the payer", _REFUND


def _settlement(payment: Payment, settlement: Settlement | None, has_gas: Mapping[Network, bool]) -> tuple[str, str]:
    network = payment.id.network
    no_gas = has_gas.get(network) is False
    if settlement is None:
        if no_gas:
            return f"no relayer has gas on {network}", _RELAYER
        return (
            "nothing was signed for it",
            "its RPC endpoint does not answer, the base fee is above MaxFeeGwei, or the payer's money is gone: "
            "why stands beside settlement.pending in settle's log",
        )
    match settlement.state:
        case SettlementState.RESERVED:
            return "a nonce is reserved, nothing is signed", _BY_ITSELF
        case SettlementState.SIGNED:
            if no_gas:
                return f"no relayer has gas on {network}", _RELAYER
            return (
                "signed and not mined",
                "tollgate doctor compares the network's fee with MaxFeeGwei, above which nothing is sent",
            )
        case SettlementState.CONFIRMED | SettlementState.FAILED:
            return f"its settlement is {settlement.state}, its books are not written", _BY_ITSELF


def behind_a_lower_nonce(waiting: list[Waiting]) -> list[Waiting]:
    """Of one relayer's unmined nonces only the lowest holds itself up; the others wait for it."""
    lowest: dict[tuple[Network, Address], int] = {}
    for one in waiting:
        if one.slot is not None:
            network, relayer, nonce = one.slot
            lowest[network, relayer] = min(nonce, lowest.get((network, relayer), nonce))
    return [_behind(one, lowest) for one in waiting]


def _behind(one: Waiting, lowest: Mapping[tuple[Network, Address], int]) -> Waiting:
    if one.slot is None or one.why != "signed and not mined":
        return one
    network, relayer, nonce = one.slot
    first = lowest[network, relayer]
    if nonce == first:
        return one
    return replace(
        one, why=f"waits behind nonce {first} of {relayer}", todo="nothing of its own: see that nonce's payment"
    )


def _int(value: object, otherwise: int = 0) -> int:
    return value if isinstance(value, int) else otherwise
