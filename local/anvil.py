"""Start anvil as one of Tollgate's networks, with the token at USDC's address."""

import os
from pathlib import Path

import urllib3

from local.chain import Chain, RpcFailed
from local.paths import anvil_binary
from local.processes import Service, free_port


class Anvil:
    """A chain on a free port. ``block_seconds`` 0 mines each transaction when it arrives."""

    def __init__(self, network: str, logs: Path, block_seconds: int = 0) -> None:
        port = free_port()
        self.chain = Chain(f"http://127.0.0.1:{port}", network)
        chain_id = str(self.chain.info.network).removeprefix("eip155:")
        command = [str(anvil_binary()), "--host", "127.0.0.1", "--port", str(port), "--chain-id", chain_id]
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(logs)}
        self._block_seconds = block_seconds
        self._service = Service("anvil", command, environment, logs / f"anvil-{chain_id}.log")

    def start(self) -> None:
        """Raises ``StartFailed``."""
        self._service.start(self._answers, seconds=30)
        self.chain.install_token()
        if self._block_seconds:
            self.chain.mine_every(self._block_seconds)

    def stop(self) -> None:
        self._service.stop()

    def _answers(self) -> bool:
        try:
            self.chain.rpc("eth_chainId")
        except (urllib3.exceptions.HTTPError, RpcFailed):
            return False
        return True
