"""docs/threats.md says of every threat which tests attack it; this holds the page to them."""

import re

import pytest

from tests.attacks.table import LAST, PAGE, ROOT, numbered, renewed, rows

ROWS = rows(PAGE.read_text())
# What a row without a test must say of itself.
_REASON = re.compile(r"\b(does not apply|comes? with issue \d+)\b")


def test_every_threat_has_a_row_and_no_other() -> None:
    """1 to 116, in order."""
    assert list(ROWS) == list(range(1, LAST + 1))


def test_no_test_carries_a_number_without_a_row() -> None:
    """A typing error in a name would otherwise cover nothing."""
    assert set(numbered()) <= set(ROWS)


@pytest.mark.parametrize("number", range(1, LAST + 1))
def test_a_row_names_the_tests_that_carry_its_number(number: int) -> None:
    """All of them, and none that is not there. To renew: ``make threats``."""
    _, does, named = ROWS[number]
    assert named == numbered().get(number, []), "run make threats"
    assert named or _REASON.search(does), "neither a test nor a reason"


def test_the_page_is_as_it_would_be_made() -> None:
    """Renewing it changes nothing."""
    page = PAGE.read_text()
    assert renewed(page) == page


def test_what_the_page_names_besides_exists() -> None:
    """Files and tests in its text."""
    for path, test in re.findall(r"`((?:tests|docs)/[\w/.-]+)(?:::(\w+))?`", PAGE.read_text()):
        file = ROOT / path
        assert file.exists(), path
        assert not test or re.search(rf"\bdef {test}\(", file.read_text()), test
