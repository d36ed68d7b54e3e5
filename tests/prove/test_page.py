"""docs/guarantees.md promises nothing that no test shows and no sabotage breaks."""

import re

import pytest

from local.paths import ROOT
from tests.faults.sabotages import SABOTAGES

PAGE = ROOT / "docs" / "guarantees.md"
_ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| `([^`|]+)` \| ([^|]+) \|$", re.MULTILINE)
_BY_NAME = {sabotage.name: sabotage for sabotage in SABOTAGES}
ROWS = [(promise.strip(), test, sabotage.strip()) for promise, _, test, sabotage in _ROW.findall(PAGE.read_text())]


def test_no_row_of_the_page_is_overlooked() -> None:
    """Each line of a table is a promise, its heads apart."""
    lines = [line for line in PAGE.read_text().partition("<!-- /figures -->")[2].splitlines() if line.startswith("| ")]
    assert len(ROWS) == len([line for line in lines if not line.startswith("| promise |")])
    assert len(ROWS) >= 20


@pytest.mark.parametrize(("promise", "test", "sabotage"), ROWS, ids=[row[2] for row in ROWS])
def test_a_promise_names_the_sabotage_that_its_test_catches(promise: str, test: str, sabotage: str) -> None:
    """The test that the row names is the one that must turn red."""
    assert promise
    assert sabotage in _BY_NAME, "no such sabotage in tests/faults/lists"
    assert _BY_NAME[sabotage].test == test


def test_a_promise_is_made_once() -> None:
    """And each sabotage shown once."""
    assert len({row[0] for row in ROWS}) == len({row[2] for row in ROWS}) == len(ROWS)
