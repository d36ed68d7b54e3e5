"""One line for every step that takes a while."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print ``· what ... n s``; on failure ``· what ... failed``."""
    sys.stderr.write(f"· {what} ... ")
    sys.stderr.flush()
    started = time.monotonic()
    outcome = "failed"
    try:
        yield
        outcome = f"{time.monotonic() - started:.1f} s"
    finally:
        sys.stderr.write(f"{outcome}\n")
        sys.stderr.flush()
