"""Amounts as people read them."""

from tollgate.errors import ConfigurationError
from tollgate.gateway.pricing import format_dollars
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import network_info
from tollgate.wire.primitives import Address, Network


def money(atomic: int, id: PaymentId) -> str:
    """``$0.01 USDC on base``; atomic units of the token's address where Tollgate does not know the token."""
    return amount(atomic, id.network, id.asset)


def amount(atomic: int, network: Network, token: Address) -> str:
    """The same, of a token on a network."""
    try:
        info = network_info(network)
        asset = info.asset(str(token))
    except ConfigurationError:
        return f"{atomic} of {token} on {network}"
    sign = "-" if atomic < 0 else ""
    return f"{sign}{format_dollars(abs(atomic), asset)} {asset.symbol} on {info.name}"
