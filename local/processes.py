"""Child processes that are ready when ``start`` returns and gone, with all their children, after ``stop``."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_GUARD = Path(__file__).with_name("guard.py")


class StartFailed(Exception):
    """A process of the local stack ended or stayed silent; the text holds the end of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """A command that ends with all its children on ``stop``, and also when we are killed (see guard.py).

    ``scratch`` is a directory to remove after the end.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, scratch: str = ""
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._scratch = scratch
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Start and wait until ``ready()``. Raises ``StartFailed``."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(_GUARD), self._scratch, *self._command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + seconds
        while not ready():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.stop()
                why = "ended at once" if ended else f"was not ready after {seconds:.0f} s"
                raise StartFailed(f"{self.name} {why}; the end of its log:\n{self._tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the process and everything it started. Harmless twice."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        process.wait()

    def _tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-30:])
