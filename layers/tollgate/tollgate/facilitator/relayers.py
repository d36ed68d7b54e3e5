"""The relayers: the accounts that pay gas for other people's transfers."""

from collections.abc import Sequence
from typing import Any

from tollgate.errors import ChainUnavailable, ConfigurationError
from tollgate.facilitator.ports import Lanes, Signer
from tollgate.payment.events import Event, Journal
from tollgate.payment.identity import PaymentId
from tollgate.schemes.exact.eip3009 import TRANSFER_GAS
from tollgate.wire.primitives import Address


class Relayers:
    """One or several keys, the same on every network. An address is asked of its signer when needed."""

    def __init__(self, signers: Sequence[Signer]) -> None:
        if not signers:
            raise ConfigurationError("at least one relayer key is needed")
        self._signers = tuple(signers)

    def pick(self, payment: PaymentId) -> Signer:
        """The relayer that a payment begins with: always the same while the keys stay the same."""
        return self.order(payment)[0]

    def order(self, payment: PaymentId) -> tuple[Signer, ...]:
        """All of them, in the order in which a payment that is new would rather have them."""
        first = int(payment.digest, 16) % len(self._signers)
        return self._signers[first:] + self._signers[:first]

    def find(self, address: Address) -> Signer | None:
        """The signer of an address, or ``None`` if it is not (or no longer) one of ours."""
        for signer in self._signers:
            if signer.address() == address:
                return signer
        return None

    def addresses(self) -> tuple[Address, ...]:
        """All of them, in the order of configuration."""
        return tuple(signer.address() for signer in self._signers)


def relayer_status(lanes: Lanes, relayers: Relayers, fee_cap: int, journal: Journal, timeout: float) -> dict[str, Any]:
    """Gas balances by network, as JSON; wei as decimal strings.

    ``hasGas``: some relayer can pay one transfer at the fee cap: new settlements go to those that can. What one has
    begun stays with it, so the alarms go by the poorest. ``hasGas`` and the balances are null for a network whose
    RPC gives no answer: nothing is known of it. ``timeout`` is seconds for each network.
    """
    networks: list[dict[str, Any]] = []
    addresses = relayers.addresses()
    for network in lanes:
        try:
            balances = lanes[network].chain.balances(addresses, timeout)
        except ChainUnavailable as down:
            journal.record(Event.CHAIN_UNAVAILABLE, network=str(network), why=str(down))
            unknown = [{"address": str(address), "balanceWei": None} for address in addresses]
            networks.append({"network": str(network), "relayers": unknown, "hasGas": None})
            continue
        cost = (TRANSFER_GAS + lanes[network].info.data_gas) * fee_cap
        settlements_left = min(balances) // cost
        has_gas = max(balances) >= cost
        journal.record(
            Event.RELAYER_STATUS,
            network=str(network),
            has_gas=has_gas,
            lowest_wei=str(min(balances)),
            settlements_left=settlements_left,
        )
        networks.append(
            {
                "network": str(network),
                "relayers": [
                    {"address": str(address), "balanceWei": str(balance)}
                    for address, balance in zip(addresses, balances, strict=True)
                ],
                "hasGas": has_gas,
            }
        )
    return {"networks": networks}
