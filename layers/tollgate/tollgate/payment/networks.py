"""The networks and assets that Tollgate knows, with their EIP-712 domains pinned.

The rows and their sources are in ``network_table``. A domain is never taken from a client, and never
from a route: Base's USDC signs as "USD Coin", Base Sepolia's as "USDC".
"""

from dataclasses import dataclass

from tollgate.errors import ConfigurationError
from tollgate.payment.network_table import DATA_GAS, EIP3009, LOCAL, MAIN, ROWS
from tollgate.wire.primitives import Address, Network

# Rule 5: a buyer's payment must be mined before the buyer's client gives up.
MAX_BLOCK_SECONDS = 6
# Of settle's 20 s, what waiting for depth may take.
_DEPTH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Asset:
    """A token: ``name`` and ``version`` are its EIP-712 domain; ``decimals`` its scale.

    ``transfer_method`` is ``eip3009`` or ``permit2``, as in x402's ``assetTransferMethod``; ``dollar``
    says that a dollar sign may stand for it, as it does for all of the SDK's default assets.
    """

    symbol: str
    address: Address
    name: str
    version: str
    decimals: int
    transfer_method: str = EIP3009
    dollar: bool = True


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    """A network's facts.

    ``block_seconds`` is the usual time between blocks; ``confirmations`` the depth, in blocks, at
    which "the deadline has passed" counts as proof; ``final_blocks`` the depth after which a
    settled payment is not looked at again; ``v1_name`` what x402 v1 calls it, if it does;
    ``settle_depth`` how many blocks a payment must be under before it counts as settled, its own among them, as the
    operator has it (1: mined);
    ``gas_coin`` the symbol of what gas is paid in (10^18 units each); ``data_gas`` what a transaction
    needs on top for its data, at the most.
    """

    network: Network
    name: str
    testnet: bool
    local: bool
    block_seconds: float
    confirmations: int
    final_blocks: int
    assets: tuple[Asset, ...]
    v1_name: str | None = None
    gas_coin: str = "ETH"
    data_gas: int = 0
    settle_depth: int = 1

    @property
    def deepest(self) -> int:
        """The most that ``settle_depth`` may be: deeper, and a buyer's client would give up before it is settled."""
        return max(1, int(_DEPTH_SECONDS / self.block_seconds))

    def asset(self, wanted: str) -> Asset:
        """Find an asset by symbol or address. Raises ``ConfigurationError``."""
        for asset in self.assets:
            if wanted == asset.symbol or wanted.lower() == asset.address.lower:
                return asset
        known = ", ".join(f"{a.symbol} ({a.address})" for a in self.assets)
        raise ConfigurationError(f"asset {wanted} is not known on {self.name}; known: {known}")

    def payable_asset(self, wanted: str) -> Asset:
        """Find an asset that Tollgate can be paid in. Raises ``ConfigurationError``."""
        asset = self.asset(wanted)
        if asset.transfer_method != EIP3009:
            raise ConfigurationError(
                f"{asset.symbol} on {self.name} has no EIP-3009 (transferWithAuthorization), so it cannot be collected"
            )
        return asset

    def refusal(self) -> str | None:
        """Why nothing can be sold on this network, as a sentence; ``None`` when something can."""
        if self.block_seconds > MAX_BLOCK_SECONDS:
            return (
                f"{self.name} ({self.network}) has a block every {self.block_seconds:g} s:"
                f" over {MAX_BLOCK_SECONDS} s is too slow for the authorization flow"
            )
        if all(asset.transfer_method != EIP3009 for asset in self.assets):
            return (
                f"{self.name} ({self.network}) has no asset with EIP-3009 (transferWithAuthorization),"
                " so nothing can be collected there"
            )
        return None


NETWORKS: dict[Network, NetworkInfo] = {
    Network(chain_id): NetworkInfo(
        Network(chain_id), name, kind != MAIN, kind == LOCAL, block_seconds, confirmations, final_blocks,
        tuple(Asset(symbol, Address.parse(at), domain, version, decimals, method)
              for symbol, at, domain, version, decimals, method in assets),
        v1_name, coin, DATA_GAS.get(chain_id, 0),
    )
    for chain_id, name, v1_name, kind, coin, block_seconds, confirmations, final_blocks, assets, _ in ROWS
}  # fmt: skip
_BY_NAME = {name: info for info in NETWORKS.values() for name in (info.name, str(info.network))}


def network_info(wanted: str | Network) -> NetworkInfo:
    """Find a network by CAIP-2 id or name. Raises ``ConfigurationError``."""
    info = _BY_NAME.get(wanted) if isinstance(wanted, str) else NETWORKS.get(wanted)
    if info is None:
        raise ConfigurationError(
            f"network {wanted} is not known; known: {', '.join(i.name for i in NETWORKS.values())}"
        )
    return info
