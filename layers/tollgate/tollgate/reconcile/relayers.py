"""Publish what is known of the relayers: a network whose relayer has no gas leaves the offers (threat 69)."""

from collections.abc import Mapping
from typing import Any, Protocol

from tollgate.payment.events import Event, Journal
from tollgate.payment.routes import NetworkStatus
from tollgate.wire.primitives import Address, Network


class RelayerSource(Protocol):
    """Whoever knows the relayers' balances: the settle function."""

    def relayers(self, timeout: float) -> Mapping[str, Any] | None:
        """Networks with their relayers; ``None`` when it cannot say."""


class StatusSink(Protocol):
    """Where statuses are kept."""

    def put_network_status(self, status: NetworkStatus) -> None:
        """Keep a network's status, unless a newer one is there."""


def publish_relayers(source: RelayerSource, sink: StatusSink, journal: Journal, now: int, timeout: float) -> None:
    """Ask settle and write one status per network; without an answer the last status stays."""
    answer = source.relayers(timeout)
    if answer is None:
        return
    for network in answer["networks"]:
        if network["hasGas"] is None:
            # Its RPC gave no answer: what was known last stays.
            continue
        relayers = network["relayers"]
        sink.put_network_status(
            NetworkStatus(
                network=Network.parse(network["network"]),
                relayers=tuple(Address.parse(r["address"]) for r in relayers),
                has_gas=network["hasGas"] is True,
                checked_at=now,
            )
        )
        journal.record(
            Event.RELAYER_STATUS,
            network=network["network"],
            has_gas=network["hasGas"] is True,
            relayers=len(relayers),
        )
