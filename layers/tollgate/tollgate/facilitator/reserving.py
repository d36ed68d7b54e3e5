"""Winning a nonce for a settlement, before anything is signed."""

from collections.abc import Callable
from math import ceil

from tollgate.chain.evm import Preparation
from tollgate.errors import Refusal
from tollgate.facilitator.call import Call
from tollgate.facilitator.choosing import RelayerChoice
from tollgate.facilitator.fees import Fees
from tollgate.facilitator.ports import Clock, SettlementLedger, Sleep
from tollgate.facilitator.relayers import Relayers
from tollgate.facilitator.verdicts import budget
from tollgate.ledger.room import Room
from tollgate.ledger.settlement_items import DailyCap, Settlement
from tollgate.ledger.settlements import CapReached, FarAhead, NonceTaken
from tollgate.payment.events import Event, Journal
from tollgate.wire.primitives import Address
from tollgate.wire.reasons import Reason

# Rule 11: a lease outlives its invocation.
LEASE_SLACK_SECONDS = 5
_PAUSE_SECONDS = 0.05


class Reserving:
    """Reserves until it wins. ``most_open`` is how many settlements a payer may have open; ``jitter`` gives numbers
    in 0..1, ``new_owner`` a fresh random token."""

    def __init__(
        self,
        relayers: Relayers,
        ledger: SettlementLedger,
        journal: Journal,
        *,
        most_open: int,
        clock: Clock,
        sleep: Sleep,
        jitter: Callable[[], float],
        new_owner: Callable[[], str],
    ) -> None:
        self._relayers = relayers
        self._ledger = ledger
        self._journal = journal
        self._most_open = most_open
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._new_owner = new_owner

    def reserve(self, call: Call, preparation: Preparation, fees: Fees) -> tuple[Settlement, int]:
        """The reservation, and its relayer's mined nonce.

        Raises ``KnownSettlement``, ``NonceTaken``, ``NoRoom``, and ``Refusal`` at a guest's daily cap.
        """
        request = call.request
        choice = RelayerChoice(self._relayers, self._ledger, self._clock, call, preparation, fees)
        owner = self._new_owner()
        lease_until = ceil(call.deadline) + LEASE_SLACK_SECONDS
        seen = preparation.check.head.number
        room = Room(preparation.mined_balance, self._most_open, int(self._clock()), seen)
        cap = DailyCap.at(request.seller, call.guest.daily_cap, int(self._clock())) if call.guest else None
        asked_twice: set[Address] = set()
        while True:
            relayer, chain_nonce = choice.best()
            try:
                reserved = self._ledger.reserve(
                    request,
                    relayer,
                    chain_nonce,
                    owner,
                    lease_until,
                    room=room,
                    asked_twice=relayer in asked_twice,
                    cap=cap,
                )
            except FarAhead:
                # One wrong answer would move the counter for ever; too low a nonce harms one payment only.
                left = budget(call.until, self._clock())
                choice.correct(relayer, min(chain_nonce, call.lane.chain.transaction_count(relayer, left)))
                asked_twice.add(relayer)
                continue
            except NonceTaken:
                if self._clock() >= call.until:
                    raise
                self._sleep(_PAUSE_SECONDS * self._jitter())
                continue
            except CapReached as reached:
                raise Refusal(Reason.DAILY_CAP, "your settlements of today are used up") from reached
            self._journal.record(
                Event.SETTLEMENT_RESERVED,
                payment=request.payment_id.digest,
                relayer=str(relayer),
                nonce=reserved.slot.nonce if reserved.slot else None,
            )
            return reserved, chain_nonce
