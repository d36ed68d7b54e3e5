"""docs/pricing.md names every way in which a request can have no price."""

import inspect
import re
from pathlib import Path

from tollgate.gateway import price_selection

PAGE = Path(__file__).parents[3] / "docs" / "pricing.md"


def test_the_page_names_the_codes_of_the_code() -> None:
    """All of them, and no other."""
    raised = re.findall(r'"((?:price|body|request_body)_[a-z_]+)"', inspect.getsource(price_selection))
    named = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(named) == sorted(set(raised))
    assert f"{price_selection.MAX_PRICED_BODY_BYTES // 1024} KiB" in PAGE.read_text()
