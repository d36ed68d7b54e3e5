"""What a payment's history adds to the sums of its route and day.

A payment's moves are the one account of what became of it, and only ever grow: the first ``counted`` of them were
counted before, the rest were not. So whoever reads the same history twice, late or out of order counts nothing twice.

Revenue is ``settled_amount`` less ``reversed_amount``, which is what the ledger's own revenue rows sum up to; refunds
and credits stand beside it. Money that came for a payment which was given up (``unserved``) is no revenue, and what
was sent back of it (``returned``) is no refund of any.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tollgate.payment.record import Move
from tollgate.payment.states import State

DAY_SECONDS = 86_400

# State that a payment moved to -> what counts it.
_COUNTED_AS: Mapping[str, str] = MappingProxyType(
    {
        State.EXECUTING: "claimed",
        State.CLAIMED: "claimed",
        State.RELEASED: "released",
        State.UNPAID: "unpaid",
        State.SETTLED: "settled",
        State.REVERSED: "reversed",
        State.PAID_UNSERVED: "unserved",
        State.REFUND_DUE: "refund_due",
        State.REFUNDED: "refunded",
        State.CREDITED: "credited",
    }
)
# These say how much, too: ``<name>_amount``, in atomic units.
WITH_AMOUNT = frozenset({"settled", "reversed", "unserved", "refund_due", "refunded", "credited", "returned"})
_COUNTS = tuple(dict.fromkeys((*_COUNTED_AS.values(), "returned")))
COLUMNS: tuple[str, ...] = (*_COUNTS, *(f"{name}_amount" for name in _COUNTS if name in WITH_AMOUNT))


@dataclass(frozen=True, slots=True)
class History:
    """A payment as far as it is counted. ``payment`` is its digest, ``amount`` atomic units.

    ``owner`` is its route's owner at the claim, "" when the route had none; ``payer`` and ``pay_to`` are addresses.
    """

    payment: str
    route: str
    owner: str
    network: str
    asset: str
    amount: int
    moves: tuple[Move, ...]
    payer: str = ""
    pay_to: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What sums are kept for. ``day`` is days since 1970-01-01, UTC, of the move itself: a day that is over stays."""

    day: int
    route: str
    owner: str
    network: str
    asset: str


Sums = dict[str, int]


def tally(history: History, counted: int = 0) -> dict[Cell, Sums]:
    """What the moves after the first ``counted`` add, by cell."""
    found: dict[Cell, Sums] = {}
    state = ""
    for index, move in enumerate(history.moves):
        before, state = state, move.what if move.what in State.__members__ else state
        name = _COUNTED_AS.get(move.what)
        if name is None or index < counted:
            continue
        if name == "refunded" and before == State.PAID_UNSERVED:
            name = "returned"
        day = move.at // DAY_SECONDS
        sums = found.setdefault(Cell(day, history.route, history.owner, history.network, history.asset), {})
        sums[name] = sums.get(name, 0) + 1
        if name in WITH_AMOUNT:
            sums[f"{name}_amount"] = sums.get(f"{name}_amount", 0) + history.amount
    return found


def add(sums: Sums, more: Mapping[str, int]) -> None:
    """Add ``more`` to ``sums``."""
    for name, value in more.items():
        sums[name] = sums.get(name, 0) + value


def revenue(sums: Mapping[str, int]) -> int:
    """What was sold and stands, in atomic units: equal to the ledger's sum."""
    return sums.get("settled_amount", 0) - sums.get("reversed_amount", 0)
