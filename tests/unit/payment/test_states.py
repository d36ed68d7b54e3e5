"""The arrows: data, picture and conditions are one thing."""

import re
from pathlib import Path

import pytest

from tollgate.ledger.moves import move
from tollgate.payment.states import (
    SETTLEMENT_TRANSITIONS,
    TRANSITIONS,
    SettlementState,
    State,
)

DOCS = Path(__file__).parents[3] / "docs"


def arrows_in_docs() -> set[tuple[str, str]]:
    """(from, to) pairs of the picture in docs/architecture.md."""
    text = (DOCS / "architecture.md").read_text()
    found = set()
    for source, targets in re.findall(r"^  (\(none\)|[A-Z_]+) +-> ([A-Z_, ]+)$", text, re.MULTILINE):
        found |= {(source, target) for target in targets.split(", ")}
    return found


def test_the_picture_in_the_docs_has_exactly_the_arrows_of_the_code() -> None:
    """Neither may drift."""
    code = {
        (source.value if source else "(none)", target.value)
        for arrows in (TRANSITIONS, SETTLEMENT_TRANSITIONS)
        for source, targets in arrows.items()
        for target in targets
    }
    assert arrows_in_docs() == code


def test_every_state_has_its_paragraph_for_the_operator() -> None:
    """docs/operations.md says what each state means and what to do."""
    text = (DOCS / "operations.md").read_text()
    for state in (*State, *SettlementState):
        assert f"**{state.value}**" in text, state


@pytest.mark.parametrize("source", list(State))
@pytest.mark.parametrize("target", list(State))
def test_a_move_exists_only_along_an_arrow(source: State, target: State) -> None:
    """And its condition names the source and the fence."""
    if target not in TRANSITIONS[source]:
        with pytest.raises(ValueError, match="no arrow"):
            move("PAY#x", source, target, fence=1, now=1)
        return
    update = move("PAY#x", source, target, fence=3, now=1)
    assert update.condition == "#state = :source AND #fence = :fence"
    assert update.values[":source"] == source.value
    assert update.values[":fence"] == 3
    assert update.values[":target"] == target.value


def test_every_state_can_be_reached_and_the_unknown_ones_are_not_final() -> None:
    """An unknown outcome always has a way on."""
    reachable = {target for targets in TRANSITIONS.values() for target in targets}
    assert reachable == set(State)
    assert all(TRANSITIONS[state] for state in (State.SETTLING, State.REVERSED, State.UNRESOLVED))
