"""One Lambda runtime: the client that AWS ships (awslambdaric) under the emulator that comes with sam.

It sees the function, the built layer, and what the managed runtime has: nothing else of this checkout.
An emulator takes one call at a time, as a Lambda environment does; two at once would end it.
"""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import samcli
import urllib3

from local.paths import lambda_architecture
from local.processes import Service, free_port
from tests.bench.proc import cpu_seconds, started_with

_BINARIES = Path(samcli.__file__).parent / "local" / "rapid"
_PATH = "/2015-03-31/functions/function/invocations"


class Emulator:
    """The runtime of a function; its first ``invoke`` is a cold start. ``seconds``: the function's limit."""

    def __init__(
        self, function: str, paths: list[Path], environment: Mapping[str, str], logs: Path, seconds: int = 29
    ) -> None:
        own, self._api = free_port(), f"127.0.0.1:{free_port()}"
        self._address = ("127.0.0.1", own)
        self.url = f"http://127.0.0.1:{own}"
        self._http = urllib3.HTTPConnectionPool("127.0.0.1", own, maxsize=1, retries=False, timeout=60)
        architecture = {"x86_64": "x86_64", "arm64": "arm64"}[lambda_architecture()]
        command = [
            str(_BINARIES / f"aws-lambda-rie-{architecture}"),
            *("--log-level", "error"),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{own}"),
            *("--runtime-api-address", self._api),
            # Without site: only what Lambda would have is on the path.
            *(sys.executable, "-S", "-W", "ignore", "-m", "awslambdaric", "app.handler"),
        ]
        variables = {
            **environment,
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "LAMBDA_TASK_ROOT": str(paths[0]),
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(seconds),
        }
        self._service = Service("the Lambda emulator", command, variables, logs / f"emulator-{own}.log")

    def start(self) -> None:
        """Raises ``StartFailed``."""
        self._service.start(self._listens, seconds=20)

    def invoke(self, event: bytes) -> bytes:
        """The function's answer, as JSON."""
        return bytes(self._http.request("POST", _PATH, body=event).data)

    def stop(self) -> None:
        """End the emulator, and the interpreter that it put into a session of its own."""
        interpreters = self.interpreters()
        self._service.stop()
        _kill(interpreters)

    def kill(self, pids: list[int] | None = None) -> bool:
        """SIGKILL the interpreter, as a machine that goes away does; False when there was none. ``pids``: who it is.

        The call under way is answered ``Runtime.ExitError``; the next one is a cold start, as in Lambda.
        """
        return _kill(pids or self.interpreters())

    def cpu_seconds(self) -> float:
        """Processor time of the interpreter so far; the emulator itself is not Lambda's."""
        return cpu_seconds(self.interpreters())

    def memory_mb(self) -> float:
        """The interpreter's peak, as Lambda would bill it."""
        peaks = [
            int(line.split()[1])
            for pid in self.interpreters()
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        ]
        return max(peaks, default=0) * 1024 / 1_000_000

    def interpreters(self) -> list[int]:
        """Known by the address of their runtime API, which is ours alone."""
        return started_with(f"AWS_LAMBDA_RUNTIME_API={self._api}\0")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(self._address, timeout=1):
            return True
        time.sleep(0.02)
        return False


def _kill(pids: list[int]) -> bool:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(pids)
