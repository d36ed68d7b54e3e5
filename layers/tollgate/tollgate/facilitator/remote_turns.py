"""Whose turn it is: which of several facilitators is asked for a payment, and when the next one is.

An authorization works once, so two facilitators never make two payments of one; but both would send, one would
pay gas for nothing, and which of the two transactions counts would be chance. So the first that may be at work
is left alone with the payment for a while. What is remembered here is this process's: another one begins anew.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from tollgate.facilitator.remote_http import Reach
from tollgate.gateway.ports import Clock
from tollgate.payment.events import Event, Journal
from tollgate.payment.identity import PaymentId
from tollgate.wire.primitives import Address, Bytes32, Network

# How long one that may be at work is left alone with a payment.
HOLD_SECONDS = 30.0
# The pause before one facilitator is asked again for one payment: doubled each time.
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
# So many payments, of at least so many payers, that the chain would have taken and that were not settled, one
# after another: no single payer whom a facilitator does not like can make it skipped.
STRIKES = 5
PAYERS = 2
STRIKE_SECONDS = 180.0
FIRST_SKIP_SECONDS = 60.0
LONGEST_SKIP_SECONDS = 300.0
_MOST_PAYMENTS = 1000


@dataclass(slots=True)
class _Case:
    """One payment. ``last`` was asked last, ``named`` the transaction that was named last.

    ``holder`` may be at work since ``held_at``; ``pauses``: when each may be asked again, and the pause after that.
    """

    last: int
    named: Bytes32 | None = None
    holder: int | None = None
    held_at: float = 0.0
    pauses: dict[int, tuple[float, float]] = field(default_factory=dict)


@dataclass(slots=True)
class _Record:
    """One facilitator on one network. ``skips`` is how long it is skipped next time."""

    strikes: dict[PaymentId, float] = field(default_factory=dict)
    skipped_until: float = 0.0
    skips: float = FIRST_SKIP_SECONDS


class Turns:
    """For facilitators by the name, in the order of configuration."""

    def __init__(self, names: Collection[str], journal: Journal, clock: Clock) -> None:
        self._names = tuple(names)
        self._journal = journal
        self._clock = clock
        self._cases: OrderedDict[PaymentId, _Case] = OrderedDict()
        self._records: dict[tuple[int, Network], _Record] = {}

    def next(self, payment: PaymentId, *, tried: Collection[int], old: bool) -> int | None:
        """Whom to ask now, but none of ``tried``; ``None``: nobody for the moment.

        ``old``: the payment is older than ``HOLD_SECONDS``, so another process, if not this one, has asked already.
        """
        now = self._clock()
        case = self._cases.get(payment)
        order = list(range(len(self._names)))
        if case is None:
            order = order[1:] + order[:1] if old else order
        elif case.holder is not None:
            if now < case.held_at + HOLD_SECONDS:
                order = [case.holder]
            else:
                order.remove(case.holder)
                order.append(case.holder)
        order.sort(key=lambda index: self.skipped(index, payment.network))
        for index in order:
            free_at, _ = case.pauses.get(index, (0.0, 0.0)) if case else (0.0, 0.0)
            if index not in tried and now >= free_at:
                return index
        return None

    def asked(self, index: int, payment: PaymentId, reach: Reach, named: Bytes32 | None) -> None:
        """It was asked, and the chain does not show the payment yet."""
        now = self._clock()
        case = self._cases.setdefault(payment, _Case(index))
        case.last, case.named = index, named or case.named
        self._cases.move_to_end(payment)
        while len(self._cases) > _MOST_PAYMENTS:
            self._cases.popitem(last=False)
        _, pause = case.pauses.get(index, (0.0, FIRST_PAUSE_SECONDS))
        case.pauses[index] = (now + pause, min(2 * pause, LONGEST_PAUSE_SECONDS))
        if reach is not Reach.UNCLEAR:
            case.holder = None if case.holder == index else case.holder
        elif case.holder != index or now >= case.held_at + HOLD_SECONDS:
            case.holder, case.held_at = index, now

    def named(self, payment: PaymentId) -> Bytes32 | None:
        """The transaction that one of them named for it, unproven."""
        case = self._cases.get(payment)
        return case.named if case else None

    def ended(self, payment: PaymentId, *, settled: bool) -> None:
        """Its outcome is on chain. ``settled``: one of them did it, so whoever was asked last works."""
        case = self._cases.pop(payment, None)
        if settled and case is not None:
            self._records.pop((case.last, payment.network), None)

    def failed(self, index: int, payment: PaymentId) -> None:
        """It did not settle what the chain would have taken. Too much of that, and it is skipped for a while."""
        now = self._clock()
        record = self._records.setdefault((index, payment.network), _Record())
        record.strikes = {p: at for p, at in record.strikes.items() if now - at <= STRIKE_SECONDS} | {payment: now}
        payers: set[Address] = {p.payer for p in record.strikes}
        again = record.skips > FIRST_SKIP_SECONDS
        if now < record.skipped_until or not (again or (len(record.strikes) >= STRIKES and len(payers) >= PAYERS)):
            return
        self._journal.record(
            Event.FACILITATOR_SKIPPED,
            facilitator=self._names[index],
            network=str(payment.network),
            seconds=int(record.skips),
        )
        record.skipped_until = now + record.skips
        record.skips = min(2 * record.skips, LONGEST_SKIP_SECONDS)

    def skipped(self, index: int, network: Network) -> bool:
        """Whether it keeps refusing there: asked last, and no reason to offer the network."""
        record = self._records.get((index, network))
        return record is not None and self._clock() < record.skipped_until
