"""Whose turn it is among several facilitators."""

from dataclasses import replace

import pytest

from tests.support.payments import some_claim
from tests.support.world import Diary
from tollgate.facilitator.remote_http import Reach
from tollgate.facilitator.remote_turns import (
    FIRST_PAUSE_SECONDS,
    FIRST_SKIP_SECONDS,
    HOLD_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_SKIP_SECONDS,
    STRIKE_SECONDS,
    STRIKES,
    Turns,
)
from tollgate.payment.events import Event
from tollgate.payment.identity import PaymentId
from tollgate.wire.primitives import Address, Bytes32, Network

PAYMENT = some_claim().id
BASE = Network(8453)


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    """From now on."""
    return Time()


def turns_of(count: int, time: Time, diary: Diary | None = None) -> Turns:
    """Turns of a fresh process."""
    return Turns([f"f{n}.example" for n in range(count)], diary or Diary(), time)


def turn(turns: Turns, *, tried: tuple[int, ...] = (), old: bool = False) -> int | None:
    """Whose turn it is."""
    return turns.next(PAYMENT, tried=tried, old=old)


def payment(number: int, payer: int) -> PaymentId:
    """One of many."""
    return replace(PAYMENT, nonce=Bytes32(number.to_bytes(32, "big")), payer=Address(payer.to_bytes(20, "big")))


def strike(turns: Turns, count: int, *, payers: int = 2, first: int = 0) -> None:
    """The first facilitator leaves so many good payments unsettled."""
    for number in range(first, first + count):
        turns.failed(0, payment(number, number % payers + 1))


@pytest.mark.parametrize("reach", [Reach.NOWHERE, Reach.REFUSED])
def test_the_next_one_is_asked_when_the_first_has_nothing_or_refused(time: Time, reach: Reach) -> None:
    """At once; and none of them twice in one go."""
    turns = turns_of(2, time)
    assert turn(turns) == 0
    turns.asked(0, PAYMENT, reach, None)
    assert turn(turns, tried=(0,)) == 1
    turns.asked(1, PAYMENT, reach, None)
    assert turn(turns, tried=(0, 1)) is None


def test_one_that_may_be_at_work_keeps_the_payment_for_a_while(time: Time) -> None:
    """Nobody else is asked before; being asked again does not make it longer; then the others come first."""
    turns = turns_of(3, time)
    turns.asked(0, PAYMENT, Reach.UNCLEAR, None)
    assert turn(turns, tried=(0,)) is None
    time.now += HOLD_SECONDS - 1
    assert turn(turns) == 0
    turns.asked(0, PAYMENT, Reach.UNCLEAR, None)
    time.now += 1
    assert turn(turns) == 1
    turns.asked(1, PAYMENT, Reach.REFUSED, None)
    assert turn(turns, tried=(1,)) == 2
    turns.asked(2, PAYMENT, Reach.UNCLEAR, None)
    time.now += LONGEST_PAUSE_SECONDS - 59
    assert turn(turns) is None, "the last one may be at work now"


def test_a_definite_refusal_afterwards_lets_the_next_one_begin(time: Time) -> None:
    """It said what became of what it was doing."""
    turns = turns_of(2, time)
    turns.asked(0, PAYMENT, Reach.UNCLEAR, None)
    time.now += FIRST_PAUSE_SECONDS
    assert turn(turns) == 0
    turns.asked(0, PAYMENT, Reach.REFUSED, None)
    assert turn(turns, tried=(0,)) == 1


def test_an_old_payment_begins_with_the_second_where_nobody_remembers_it(time: Time) -> None:
    """Another process has asked the first, in vain; with one facilitator there is no second."""
    assert turn(turns_of(2, time), old=True) == 1
    assert turn(turns_of(1, time), old=True) == 0
    turns = turns_of(2, time)
    turns.asked(1, PAYMENT, Reach.REFUSED, None)
    assert turn(turns, tried=(1,), old=True) == 0


def test_the_pause_before_one_is_asked_again_doubles(time: Time) -> None:
    """5, 10, 20, 40, 60 and 60 seconds; a hash that was named is remembered meanwhile."""
    turns = turns_of(1, time)
    hash_ = Bytes32(b"\x07" * 32)
    pauses: list[float] = []
    for _ in range(6):
        turns.asked(0, PAYMENT, Reach.UNCLEAR, hash_ if not pauses else None)
        began = time.now
        while turn(turns) is None:
            time.now += 1
        pauses.append(time.now - began)
    assert pauses == [FIRST_PAUSE_SECONDS, 10, 20, 40, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    assert turns.named(PAYMENT) == hash_


def test_who_leaves_good_payments_of_several_payers_unsettled_is_skipped(time: Time) -> None:
    """Asked last, on that network, for a minute; not earlier, and it is told of once."""
    diary = Diary()
    turns = turns_of(2, time, diary)
    strike(turns, STRIKES - 1)
    assert not turns.skipped(0, PAYMENT.network)
    strike(turns, 3, first=STRIKES - 1)
    assert turns.skipped(0, PAYMENT.network)
    assert not turns.skipped(0, BASE)
    assert not turns.skipped(1, PAYMENT.network)
    assert turn(turns) == 1
    assert turn(turns, tried=(1,)) == 0
    assert diary.count(Event.FACILITATOR_SKIPPED) == 1
    time.now += FIRST_SKIP_SECONDS
    assert turn(turns) == 0


def test_no_single_payer_gets_a_facilitator_skipped(time: Time) -> None:
    """Whom it does not like cannot take everybody's offers away."""
    turns = turns_of(1, time)
    strike(turns, 50, payers=1)
    assert not turns.skipped(0, PAYMENT.network)


def test_strikes_are_forgotten_in_time_and_by_a_settlement(time: Time) -> None:
    """Five in three minutes without one that works."""
    turns = turns_of(1, time)
    strike(turns, STRIKES - 1)
    time.now += STRIKE_SECONDS + 1
    strike(turns, STRIKES - 1, first=10)
    assert not turns.skipped(0, PAYMENT.network)
    turns.asked(0, PAYMENT, Reach.UNCLEAR, None)
    turns.ended(PAYMENT, settled=True)
    strike(turns, STRIKES - 1, first=20)
    assert not turns.skipped(0, PAYMENT.network)


def test_who_was_skipped_is_on_probation_until_it_settles(time: Time) -> None:
    """One more strike is enough, and the time doubles, up to five minutes."""
    turns = turns_of(1, time)
    strike(turns, STRIKES)
    for number, seconds in enumerate((60, 120, 240, LONGEST_SKIP_SECONDS, LONGEST_SKIP_SECONDS)):
        began = time.now
        while turns.skipped(0, PAYMENT.network):
            time.now += 1
        assert time.now - began == seconds
        strike(turns, 1, first=100 + number)
    turns.asked(0, PAYMENT, Reach.UNCLEAR, None)
    turns.ended(PAYMENT, settled=True)
    assert not turns.skipped(0, PAYMENT.network)


def test_a_payment_that_a_stranger_settled_is_nobodys_merit(time: Time) -> None:
    """Nor is one that failed."""
    turns = turns_of(1, time)
    strike(turns, STRIKES - 1)
    turns.asked(0, PAYMENT, Reach.UNCLEAR, None)
    turns.ended(PAYMENT, settled=False)
    strike(turns, 1, first=10)
    assert turns.skipped(0, PAYMENT.network)
