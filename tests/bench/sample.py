"""One signed payment for one offer, made without a chain, as all who check payments here get it."""

import time
from dataclasses import dataclass
from typing import Any

from eth_account import Account

from tests.support.buyer import encode, sign
from tollgate.gateway.offers import extensions
from tollgate.payment.networks import network_info
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address

NETWORK = network_info("base-sepolia")
ASSET = NETWORK.asset("USDC")
PAY_TO = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
PRICE = 10_000
# Longer than any run takes, so that no side ever refuses it for its age.
LIFETIME_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Sample:
    """An offer, and the payment that answers it: as a message, and as the header's value."""

    requirements: Requirements
    message: dict[str, Any]
    header: str
    now: int


def a_sample() -> Sample:
    """Signed by software of others, with what a client echoes of the proxy's offer."""
    accepted = {
        "scheme": "exact",
        "network": str(NETWORK.network),
        "amount": str(PRICE),
        "asset": str(ASSET.address),
        "payTo": PAY_TO,
        "maxTimeoutSeconds": LIFETIME_SECONDS,
        "extra": {"name": ASSET.name, "version": ASSET.version},
    }
    required = {
        "accepts": [accepted],
        "resource": {"url": "https://api.example/weather/oslo"},
        "extensions": extensions(),
    }
    message = sign(Account.create(), required)
    requirements = Requirements(
        "exact",
        NETWORK.network,
        PRICE,
        ASSET.address,
        Address.parse(PAY_TO),
        LIFETIME_SECONDS,
        accepted["extra"],
    )
    return Sample(requirements, message, encode(message), int(time.time()))
