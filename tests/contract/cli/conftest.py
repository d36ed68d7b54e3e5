"""What the tests of the commands share."""

from pathlib import Path

import pytest

from tests.contract.cli.shell import Operator


@pytest.fixture
def operator(aws_endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    """An operator with a fresh stack."""
    return Operator(aws_endpoint, tmp_path, capsys)
