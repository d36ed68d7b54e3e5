"""Which worlds there are: every effect of a run killed before and after, failed in other ways, and pairs of kills.

Dying before an effect is dying after the previous one when the same process did both at the same moment and nothing
came between: such worlds are the same world, which is visited once (``distinct``).
"""

import os
import zlib
from collections.abc import Iterator, Sequence

from tests.crash.walk import FAULTS, Run, Scenario
from tests.support.fakes.effects import Effect

# "all" visits every pair; otherwise one in so many, chosen by its name: the same ones every time.
EVERYTHING = os.environ.get("TOLLGATE_CRASH") == "all"
SAMPLED_FIRST = 10
SAMPLED_SECOND = 12
# Of what is no crash (an answer lost, a call refused, a write repeated).
SAMPLED_FAULT = 8

Plan = dict[int, str]


class Tally:
    """What was visited: ``crashes`` alone, ``faults`` alone, ``pairs`` of crashes."""

    def __init__(self) -> None:
        self.crashes = 0
        self.faults = 0
        self.pairs = 0

    @property
    def worlds(self) -> int:
        """All of them."""
        return self.crashes + self.faults + self.pairs


def distinct(log: Sequence[Effect], beyond: int = -1) -> Iterator[tuple[int, str]]:
    """The kills of a run's effects after index ``beyond`` that make different worlds."""
    previous: Effect | None = None
    for effect in log:
        if effect.index > beyond:
            same = previous is not None and previous.process == effect.process and previous.at == effect.at
            if not same or (previous is not None and previous.index == beyond):
                yield effect.index, "before"
            yield effect.index, "after"
        previous = effect


def chosen(one_in: int, *parts: object) -> bool:
    """Whether the sample has it."""
    return EVERYTHING or zlib.crc32(repr(parts).encode()) % one_in == 0


def visit(scenario: Scenario, plan: Plan) -> list[Effect]:
    """One world; its effects. Raises ``Broken``."""
    return Run(scenario, plan).go().world.effects.log


def walk_singles(scenario: Scenario, tally: Tally) -> None:
    """The undisturbed run, every crash, every other fault."""
    run = Run(scenario, {}).go()
    first = run.world.payments.get(run.buyer.told[0].payment)
    assert first is not None
    assert first.state.value == scenario.end, f"{scenario.name} ended {first.state}, not {scenario.end}"
    tally.crashes += 1
    log = run.world.effects.log
    for index, fault in distinct(log):
        visit(scenario, {index: fault})
        tally.crashes += 1
    for effect in log:
        for fault in FAULTS[effect.kind]:
            if chosen(SAMPLED_FAULT, scenario.name, effect.index, fault):
                visit(scenario, {effect.index: fault})
                tally.faults += 1


def walk_pairs(scenario: Scenario, tally: Tally, part: int, parts: int) -> None:
    """A crash, and another one in what comes after it; the ``part``-th of ``parts`` of the first ones."""
    firsts = list(distinct(visit(scenario, {})))
    for first, fault in firsts[part::parts]:
        if not chosen(SAMPLED_FIRST, scenario.name, first, fault):
            continue
        log = visit(scenario, {first: fault})
        tally.crashes += 1
        for second, again in distinct(log, beyond=first):
            if chosen(SAMPLED_SECOND, scenario.name, first, fault, second, again):
                visit(scenario, {first: fault, second: again})
                tally.pairs += 1
