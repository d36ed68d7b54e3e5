"""Another facilitator that takes payments and never says what became of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from local.chain import Chain
from local.http_base import Handler, Server


class _Silent(Handler):
    server: "_Server"

    def do_POST(self) -> None:
        """Settle: nobody knows."""
        self.read_body(100_000)
        self.answer_json(503, {})

    def do_GET(self) -> None:
        """Supported: it would settle this network."""
        kind = {"x402Version": 2, "scheme": "exact", "network": self.server.network}
        self.answer_json(200, {"kinds": [kind], "extensions": [], "signers": {}})


class _Server(Server):
    def __init__(self, network: str) -> None:
        super().__init__(_Silent)
        self.network = network


@contextmanager
def silent_facilitator(chain: Chain) -> Iterator[Server]:
    """One that speaks of the chain's network, for as long as the ``with`` lasts."""
    server = _Server(str(chain.info.network))
    server.start()
    try:
        yield server
    finally:
        server.stop()
