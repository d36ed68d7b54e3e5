"""``NETWORK:ASSET:MAX``, as ``tollgate seller add --allow`` takes it."""

from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.pricing import format_dollars, parse_amount, parse_dollars
from tollgate.payment.networks import Asset, NetworkInfo, network_info
from tollgate.payment.sellers import Allowance

_EXAMPLE = "'base:USDC:$0.10'"


def parse_allowance(text: str, facts: StackFacts) -> Allowance:
    """``base-sepolia:USDC:$0.10``, or ``eip155:84532:0x..:100000`` in atomic units, on a network of this stack.

    Raises ``ValueError`` or ``ConfigurationError`` with a sentence.
    """
    parts = text.rsplit(":", 2)
    if len(parts) != 3:
        raise ValueError(f"must be NETWORK:ASSET:MAX, such as {_EXAMPLE}")
    info = network_info(parts[0])
    if info not in facts.networks:
        names = ", ".join(own.name for own in facts.networks)
        raise ValueError(f"is on {info.name}, where this stack does not settle; it settles on {names}")
    asset = info.payable_asset(parts[1])
    if asset != info.asset(facts.asset):
        raise ValueError(f"is in {asset.symbol}, but this stack settles {facts.asset} only")
    return Allowance(info.network, asset.address, _most(parts[2], asset))


def _most(text: str, asset: Asset) -> int:
    if text.startswith("$"):
        return parse_dollars(text, asset)
    try:
        return parse_amount(text)
    except ValueError as error:
        # In double quotes or none, the shell has put something else in the place of $0.
        raise ValueError(
            f"its MAX, {text}, is neither dollars nor a whole number of atomic units over 0;"
            f" $ needs single quotes: {_EXAMPLE}"
        ) from error


def format_allowance(allowance: Allowance, info: NetworkInfo) -> str:
    """For people: token, network and the most per payment."""
    asset = info.asset(allowance.asset.lower)
    return f"{asset.symbol} on {info.name}, at most {format_dollars(allowance.max_amount, asset)} a payment"
