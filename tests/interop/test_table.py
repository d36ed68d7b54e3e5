"""docs/interop.md says what was seen to work: every row names what is installed and run, and nothing is left out."""

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from local.paths import NODE_MODULES, ROOT

HERE = Path(__file__).parent
DOCUMENT = (ROOT / "docs" / "interop.md").read_text()
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in DOCUMENT.splitlines()
    if re.match(r"\| (PyPI|npm) ", line)
]


@pytest.mark.parametrize("row", ROWS, ids=[row[-1] for row in ROWS])
def test_a_row_names_what_is_installed_and_run(row: tuple[str, ...]) -> None:
    """The version is that of the package here; the test exists and uses what it is said to use."""
    package, said, _, _, seen = row
    registry, name = package.split()
    if registry == "npm":
        installed = json.loads((NODE_MODULES / name / "package.json").read_text())["version"]
    else:
        installed = version(name)
    assert said == installed
    file, used = seen.split("::")
    assert re.search(rf"\b{re.escape(used)}\b", (HERE / file).read_text())


def test_every_test_of_others_software_has_a_row() -> None:
    """No file of tests is missing from the table, so the table is not shorter than what is known."""
    files = {file.name for file in HERE.glob("test_*.py")} - {Path(__file__).name}
    assert files == {row[-1].split("::")[0] for row in ROWS}
