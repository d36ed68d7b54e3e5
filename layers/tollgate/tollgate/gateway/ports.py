"""What the gateway needs of the outside, as Protocols; wiring.py knows who fills them."""

from collections.abc import Callable
from typing import Protocol

from tollgate.chain.evm import ChainCheck
from tollgate.chain.uses import Use
from tollgate.gateway.catalogue import Catalogue
from tollgate.gateway.messages import UpstreamRequest
from tollgate.gateway.upstream import UpstreamAnswer
from tollgate.payment.networks import Asset
from tollgate.payment.routes import Target
from tollgate.payment.settlement import SettleOutcome, SettleRequest
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Network

# Unix seconds.
Clock = Callable[[], float]
Sleep = Callable[[float], None]


class ReadChain(Protocol):
    """One network, read only."""

    def check(self, asset: Asset, a: Authorization, signature: bytes, timeout: float) -> ChainCheck:
        """Nonce, balance, simulation and head in one batch. Raises ``ChainUnavailable``."""

    def find_use(self, asset: Asset, a: Authorization, from_block: int, timeout: float) -> Use:
        """Who used the authorization, and how. Raises ``ChainUnavailable``."""


class Chains(Protocol):
    """The configured networks."""

    def get(self, network: Network) -> ReadChain | None:
        """The chain of a network, or ``None`` when this stack does not speak to it."""


class Settler(Protocol):
    """A facilitator's settle: ours, or a remote one. Never raises for a lost answer: that is ``Pending``."""

    def settle(self, request: SettleRequest, timeout: float) -> SettleOutcome:
        """Ask for settlement; idempotent. ``timeout`` in seconds."""


class Upstream(Protocol):
    """What is being sold."""

    def fetch(self, target: Target, request: UpstreamRequest, timeout: float) -> UpstreamAnswer:
        """Run the upstream exactly once, within ``timeout`` seconds. Raises ``UpstreamFailed``."""


class CatalogueSource(Protocol):
    """The routes as they stand, at most a minute old."""

    def current(self) -> Catalogue:
        """The catalogue."""

    def fresh(self) -> Catalogue:
        """The catalogue, read again unless that happened seconds ago."""
