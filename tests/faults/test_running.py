"""A sabotage is caught by a test that fails, and by no other end of its run."""

from pathlib import Path

import pytest

from tests.faults.running import HUNG, run

_OPTIONS = ("-q", "-W", "ignore::pytest.PytestAssertRewriteWarning", "-p", "no:cacheprovider", "-p", "no:xdist")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("pass", 0),
        ("assert False", 1),
        ("import threading; threading.Event().wait()", HUNG),
        ("import os; os._exit(1)", HUNG),
    ],
)
def test_only_a_failed_test_is_told_as_one(body: str, code: int, tmp_path: Path) -> None:
    """A test that hangs is ended by pytest-timeout with exit code 1, as a failure has it."""
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {body}\n")
    ran = run(
        [*_OPTIONS, "--timeout=1", "--timeout-method=thread", str(tmp_path / "test_it.py")],
        {},
        tmp_path / "printed",
        60,
    )
    assert ran.code == code, ran.printed


def test_a_run_that_cannot_begin_has_not_failed_a_test(tmp_path: Path) -> None:
    """The process ends with 1 for whatever it raises."""
    assert run([], {}, tmp_path / "nowhere" / "printed", 60).code == HUNG
