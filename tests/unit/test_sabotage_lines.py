"""The lines that sabotages break stand where they are said to: whoever changes one sees it at once."""

from pathlib import Path

import tollgate
from tests.faults.sabotages import SABOTAGES

_PACKAGE = Path(tollgate.__file__).parent
_ROOT = Path(__file__).parents[2]


def test_each_line_that_a_sabotage_breaks_stands_once() -> None:
    """Twice, or not at all, and its guarantee would not be tried; the sabotage is mended with the line."""
    assert len(SABOTAGES) > 100
    assert not [s.name for s in SABOTAGES if (_PACKAGE / s.file).read_text().count(s.old) != 1 or s.new == s.old]


def test_each_test_that_catches_a_sabotage_is_there() -> None:
    """By its name, whatever its parameters; or a whole file."""
    gone = []
    for sabotage in SABOTAGES:
        file, _, name = sabotage.test.partition("::")
        if name and f"def {name.partition('[')[0]}(" not in (_ROOT / file).read_text():
            gone.append(sabotage.name)
    assert not gone
