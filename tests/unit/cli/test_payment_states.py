"""Every state of a payment has its sentence for ``show`` and its paragraph in docs/operations.md."""

import re
from pathlib import Path

from tollgate.payment.states import State
from tollgate_cli.payment_states import STATES

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()


def test_every_state_has_its_paragraph_in_the_page() -> None:
    """One each, under its heading, and none for a state that there is not."""
    section = PAGE[PAGE.index("## States of a payment") : PAGE.index("## States of a settlement")]
    told = re.findall(r"^- \*\*([A-Z_]+)\*\*[^:]*: (\S.{20,})", section, re.MULTILINE)
    assert sorted(name for name, _ in told) == sorted(State)


def test_every_state_has_its_sentence() -> None:
    """What it means and what comes next."""
    assert set(STATES) == set(State)
    for said in STATES.values():
        assert said.means
        assert said.then
        assert not said.means.endswith(".")


def test_the_page_tells_of_every_command() -> None:
    """An operator finds them where the trouble is described."""
    for command in ("show", "stuck", "unpark", "discrepancies", "dismiss", "refunded", "credited"):
        assert f"payments {command}" in PAGE
