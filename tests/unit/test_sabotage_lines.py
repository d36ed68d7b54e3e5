"""The lines that sabotages break stand where they are said to: whoever changes one sees it at once."""

from pathlib import Path

import tollgate
from tests.faults.sabotages import SABOTAGES

_PACKAGE = Path(tollgate.__file__).parent


def test_each_line_that_a_sabotage_breaks_stands_once() -> None:
    """Twice, or not at all, and its guarantee would not be tried; the sabotage is mended with the line."""
    assert len(SABOTAGES) > 100
    assert not [s.name for s in SABOTAGES if (_PACKAGE / s.file).read_text().count(s.old) != 1 or s.new == s.old]
