"""The one token that this stack settles on each of its networks."""

from tollgate.facilitator.terms import Assets
from tollgate.settings import Settings


def settled_assets(settings: Settings, asset: str) -> Assets:
    """``asset`` is a symbol or an address. Raises ``ConfigurationError`` where a network does not have it."""
    return {info.network: info.payable_asset(asset) for info in settings.networks}
