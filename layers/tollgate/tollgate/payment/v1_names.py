"""What x402 v1 calls the networks."""

from collections.abc import Mapping

from tollgate.errors import Refusal
from tollgate.payment.networks import NETWORKS
from tollgate.wire.primitives import Network
from tollgate.wire.reasons import Reason

V1_NAMES: Mapping[Network, str] = {
    network: info.v1_name for network, info in NETWORKS.items() if info.v1_name is not None
}
_NETWORKS: Mapping[str, Network] = {name: network for network, name in V1_NAMES.items()}


def network_named(name: str) -> Network:
    """The network of a v1 name. Raises ``Refusal`` with ``invalid_network``, also for a CAIP-2 id."""
    network = _NETWORKS.get(name)
    if network is None:
        raise Refusal(Reason.INVALID_NETWORK, "This is not the v1 name of a network that is known here.")
    return network
