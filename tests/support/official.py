"""The official SDK's server sides as processes of their own, which end with the test that started them."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3
from eth_account import Account

from local.chain import Chain
from local.paths import ROOT, TOOLS
from local.processes import Service, free_port
from local.rpc_gate import RpcGate


def wait_until(over: Callable[[], bool], seconds: float = 20) -> None:
    """Poll. Raises ``TimeoutError``."""
    deadline = time.monotonic() + seconds
    while not over():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(0.05)


class Official:
    """A module of tests/support that serves HTTP on ``url``; it gets its settings in one variable."""

    def __init__(self, module: str, settings: dict[str, Any], logs: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._module, self._logs = module, logs
        self._environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(logs),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OFFICIAL": json.dumps({**settings, "port": port}),
        }
        self._service: Service | None = None

    def start(self) -> None:
        """Returns when it answers. Raises ``StartFailed``."""
        command = [str(TOOLS / "python"), "-m", f"tests.support.{self._module}"]
        log = self._logs / f"{self._module}-{self.url.rpartition(':')[2]}.log"
        self._service = Service(self._module, command, self._environment, log)
        self._service.start(self._answers, seconds=60)

    def stop(self) -> None:
        """Harmless twice."""
        if self._service is not None:
            self._service.stop()

    def read(self, path: str) -> Any:
        """GET a free page of it, as JSON. Raises ``HTTPError``."""
        return urllib3.request("GET", self.url + path, retries=False, timeout=10).json()

    def _answers(self) -> bool:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return urllib3.request("GET", self.url + "/openapi.json", retries=False, timeout=2).status in (200, 404)
        return False


class Facilitator(Official):
    """A facilitator of the official SDK on ``chain``, behind a gate of its own, with a key and gas of its own."""

    def __init__(self, chain: Chain, logs: Path, authorization: str, wait: float = 15) -> None:
        account = Account.create()
        chain.give_gas(account.address)
        self.address = str(account.address)
        self.gate = RpcGate(chain.url)
        settings = {
            "rpc": self.gate.url,
            "network": str(chain.info.network),
            "key": "0x" + account.key.hex().removeprefix("0x"),
            "authorization": authorization,
            "wait": wait,
        }
        super().__init__("official_facilitator", settings, logs)
        self.gate.start()

    def wait_answered(self, count: int) -> list[dict[str, Any]]:
        """Its settle answers once there are that many. Raises ``TimeoutError``."""
        wait_until(lambda: len(self.read("/journal")["answered"]) >= count)
        return list(self.read("/journal")["answered"])

    def kill(self) -> None:
        """SIGKILL, as a machine that goes away. ``start`` brings it back without its memory."""
        os.kill(self.read("/journal")["pid"], signal.SIGKILL)
        self.stop()

    def close(self) -> None:
        """The end of the process and of its gate."""
        self.stop()
        self.gate.clear()
        self.gate.stop()


class Seller(Official):
    """A shop on the official SDK's middleware that verifies and settles at ``facilitator``."""

    def __init__(
        self, chain: Chain, logs: Path, *, facilitator: str, key: str, pay_to: str, framework: str = "fastapi"
    ) -> None:
        settings = {
            "framework": framework,
            "facilitator": facilitator,
            "key": key,
            "network": str(chain.info.network),
            "pay_to": pay_to,
        }
        super().__init__("official_seller", settings, logs)

    def runs(self, city: str) -> int:
        """How often the handler ran for a city."""
        return int(self.read("/runs").get(city, 0))

    def wait_runs(self, city: str, count: int) -> None:
        """Return when the handler ran that often. Raises ``TimeoutError``."""
        wait_until(lambda: self.runs(city) >= count)
