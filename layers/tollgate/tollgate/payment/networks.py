"""The networks and assets that Tollgate knows, with their EIP-712 domains pinned.

Sources: the default asset table of PyPI ``x402`` 2.25.0 (``mechanisms/evm/default_assets.py``);
block times and finality from the networks' own documentation. A domain is never taken from a
client, and never from a route: Base's USDC signs as "USD Coin", Base Sepolia's as "USDC".
"""

from dataclasses import dataclass

from tollgate.errors import ConfigurationError
from tollgate.wire.primitives import Address, Network


@dataclass(frozen=True, slots=True)
class Asset:
    """A token with EIP-3009: ``name`` and ``version`` are its EIP-712 domain; ``decimals`` its scale."""

    symbol: str
    address: Address
    name: str
    version: str
    decimals: int


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    """A network's facts.

    ``block_seconds`` is the usual time between blocks; ``confirmations`` the depth, in blocks, at
    which "the deadline has passed" counts as proof; ``final_blocks`` the depth after which a
    settled payment is not looked at again.
    """

    network: Network
    name: str
    testnet: bool
    local: bool
    block_seconds: float
    confirmations: int
    final_blocks: int
    assets: tuple[Asset, ...]

    def asset(self, wanted: str) -> Asset:
        """Find an asset by symbol or address. Raises ``ConfigurationError``."""
        for asset in self.assets:
            if wanted == asset.symbol or wanted.lower() == asset.address.lower:
                return asset
        known = ", ".join(f"{a.symbol} ({a.address})" for a in self.assets)
        raise ConfigurationError(f"asset {wanted} is not known on {self.name}; known: {known}")


def _usdc(address: str, name: str) -> tuple[Asset, ...]:
    return (Asset("USDC", Address.parse(address), name, "2", 6),)


_ALL = (
    NetworkInfo(
        Network(8453), "base", False, False, 2.0, 5, 900,
        _usdc("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USD Coin"),
    ),
    NetworkInfo(
        Network(84532), "base-sepolia", True, False, 2.0, 5, 900,
        _usdc("0x036CbD53842c5426634e7929541eC2318f3dCF7e", "USDC"),
    ),
    NetworkInfo(
        Network(31337), "local", True, True, 1.0, 1, 20,
        _usdc("0x5FbDB2315678afecb367f032d93F642f64180aa3", "USDC"),
    ),
)  # fmt: skip

NETWORKS: dict[Network, NetworkInfo] = {info.network: info for info in _ALL}


def network_info(wanted: str | Network) -> NetworkInfo:
    """Find a network by CAIP-2 id or name. Raises ``ConfigurationError``."""
    for info in _ALL:
        if wanted in (info.network, str(info.network), info.name):
            return info
    known = ", ".join(f"{i.name} ({i.network})" for i in _ALL)
    raise ConfigurationError(f"network {wanted} is not known; known: {known}")
