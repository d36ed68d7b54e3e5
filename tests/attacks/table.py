"""docs/threats.md: a row for each of the threats 1-116, whose last column is made of the tests' names.

    make threats    # renew that column

A test that attacks threat N is called ``test_aN_...``, wherever it lives.
"""

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threats.md"
LAST = 116

_TEST = re.compile(r"^ *(?:async )?def (test_((?:a\d+_)+)\w*)\(", re.MULTILINE)
_ROW = re.compile(r"\| (\d+) \| ([^|]+) \| ([^|]+) \|([^|]*)\|")


def numbered() -> dict[int, list[str]]:
    """Every test that carries a threat's number, as pytest names it, sorted."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, numbers in _TEST.findall(path.read_text()):
            for number in {int(n) for n in re.findall(r"a(\d+)_", numbers)}:
                found[number].append(f"{path.relative_to(ROOT).as_posix()}::{name}")
    return found


def rows(page: str) -> dict[int, tuple[str, str, list[str]]]:
    """Each row by its number: attack, defence, tests. Raises ``ValueError`` for two rows of one number."""
    made: dict[int, tuple[str, str, list[str]]] = {}
    for line in page.splitlines():
        match = _ROW.fullmatch(line)
        if match is None:
            continue
        number = int(match[1])
        if number in made:
            raise ValueError(f"threat {number} has two rows")
        made[number] = (match[2], match[3], re.findall(r"`([^`]+)`", match[4]))
    return made


def renewed(page: str) -> str:
    """The page with its last column as the tests are now."""
    tests = numbered()

    def row(match: re.Match[str]) -> str:
        named = "<br>".join(f"`{test}`" for test in tests.get(int(match[1]), []))
        return f"| {match[1]} | {match[2]} | {match[3]} | {named} |".replace("|  |", "| |")

    return "\n".join(_ROW.sub(row, line) if _ROW.fullmatch(line) else line for line in page.splitlines()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
