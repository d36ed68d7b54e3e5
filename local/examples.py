"""The worked examples of examples/, as they run on the local stack: each its own server, routes file and call."""

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import Any

from local.paths import ROOT
from local.stack import LocalStack

FOLDER = ROOT / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """``elsewhere`` is the upstream's place in its routes.yaml; ``call`` is what a buyer sends: method, path, JSON."""

    name: str
    server: str
    elsewhere: str
    call: tuple[str, str, Any]
    secrets: tuple[tuple[str, str], ...] = ()

    def serve(self, **options: Any) -> ThreadingHTTPServer:
        """Its server, which is not started yet."""
        spec = importlib.util.spec_from_file_location(self.server, FOLDER / self.name / f"{self.server}.py")
        if spec is None or spec.loader is None:
            raise FileNotFoundError(self.server)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made: ThreadingHTTPServer = module.serve(**options)
        return made

    def routes(self, server: ThreadingHTTPServer) -> str:
        """Its routes.yaml as it stands, in front of this server."""
        text = (FOLDER / self.name / "routes.yaml").read_text()
        if self.elsewhere not in text:
            raise ValueError(f"{self.name}/routes.yaml does not name {self.elsewhere}")
        return text.replace(self.elsewhere, f"http://127.0.0.1:{server.server_address[1]}")


EXAMPLES = (
    Example(
        "provider-call",
        "provider",
        "https://provider.example.com",
        ("GET", "/quotes/acme", None),
        (("tollgate/upstream/provider", "demo-key"),),
    ),
    Example(
        "workflow",
        "workflow",
        "https://n8n.example.com",
        ("POST", "/summaries", {"text": "The quick brown fox jumps over the lazy dog. Nobody saw it."}),
    ),
    Example(
        "agent",
        "agent",
        "https://agent.example.com",
        ("POST", "/agent/runs", {"task": "Find three quiet cafes in Oslo", "effort": "high"}),
    ),
)


@contextmanager
def served(example: Example, stack: LocalStack, **options: Any) -> Iterator[ThreadingHTTPServer]:
    """Its server at work, and its secrets where the stack reads them; its routes are for the caller to apply."""
    for name, value in example.secrets:
        stack.client("secretsmanager").create_secret(Name=name, SecretString=value)
    server = example.serve(**options)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
