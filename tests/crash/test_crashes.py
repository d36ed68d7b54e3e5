"""Every effect of every scenario killed before and after, and pairs of crashes; then I1 to I14.

``make test`` visits all single crashes and a fixed sample of the rest; ``make crash`` and CI (TOLLGATE_CRASH=all) every
other fault and every pair. A broken promise prints the plan and the world's whole history; ``Run(scenario, plan).go()``
repeats it.
"""

from collections.abc import Callable

import pytest

from tests.crash.enumeration import EVERYTHING, Tally, walk_pairs, walk_singles
from tests.crash.scenarios import SCENARIOS
from tests.crash.walk import Scenario

# Pieces of a scenario's pairs, for the workers to share.
PARTS = 4 if EVERYTHING else 1

of_each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: f"{s.name}-{s.flow}".replace(" ", "_"))


def keep(record: Callable[[str, object], None], scenario: Scenario, tally: Tally) -> None:
    """What the summary at the end adds up."""
    record("crash", [scenario.flow, scenario.name, tally.crashes, tally.faults, tally.pairs])


@of_each_scenario
def test_a105_any_single_crash(scenario: Scenario, record_property: Callable[[str, object], None]) -> None:
    """The undisturbed run ends as it should; so does every one in which a process dies once, or a call fails once."""
    tally = Tally()
    walk_singles(scenario, tally)
    keep(record_property, scenario, tally)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(PARTS))
@of_each_scenario
def test_a105_a_crash_and_another_during_recovery(
    scenario: Scenario, part: int, record_property: Callable[[str, object], None]
) -> None:
    """Whatever finishes what a dead process left may die as well."""
    tally = Tally()
    walk_pairs(scenario, tally, part, PARTS)
    keep(record_property, scenario, tally)
