"""Whose incoming transfers are compared with the books: everybody whom a route of the operator's pays, or paid.

A receiver is taken up when the catalogue first names it, or when a receipt does, and never dropped again: a payment
may arrive long after its route is gone. Sellers elsewhere keep their own books, and so do owners who register routes
themselves: what else their wallets earn is no discrepancy of ours, and nothing that anybody may ring us with.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tollgate.chain.answers import Head
from tollgate.chain.uses import CHUNK_BLOCKS
from tollgate.gateway.ports import Clock
from tollgate.ledger.discrepancies import Discrepancies, Receiver
from tollgate.payment.networks import network_info
from tollgate.payment.record import Payment
from tollgate.payment.routes import Snapshot
from tollgate.wire.primitives import Network

RPC_TIMEOUT_SECONDS = 5.0
# The catalogue is read once a minute, and a payment may be quicker.
_BEFORE_SECONDS = 300


class HeadChain(Protocol):
    """One network."""

    def head(self, timeout: float) -> Head:
        """Its newest block. Raises ``ChainUnavailable``."""


class HeadChains(Protocol):
    """The configured networks."""

    def get(self, network: Network) -> HeadChain | None:
        """The chain of a network, or ``None`` when this stack does not speak to it."""


@dataclass(frozen=True, slots=True)
class Receivers:
    """``catalogue`` reads the routes; ``known`` is what this process has taken up, or found taken up."""

    rows: Discrepancies
    catalogue: Callable[[], Snapshot]
    chains: HeadChains
    clock: Clock
    known: set[Receiver] = field(default_factory=set)

    def take_up(self, until: float) -> None:
        """Everybody whom the catalogue names, or as many as there is time for until ``until`` (Unix seconds).

        Raises ``ChainUnavailable``, and ``ConfigurationError`` when the catalogue cannot be read.
        """
        heads: dict[Network, Head] = {}
        for receiver in self._named():
            chain = self.chains.get(receiver.network)
            if receiver in self.known or chain is None:
                continue
            if self.clock() > until:
                return
            if receiver.network not in heads:
                heads[receiver.network] = chain.head(RPC_TIMEOUT_SECONDS)
            self._from_now(receiver, heads[receiver.network])

    def _named(self) -> Iterator[Receiver]:
        for route in self.catalogue().routes:
            if route.revision:
                continue
            for terms in route.payable_terms:
                yield Receiver(terms.network, terms.asset, terms.pay_to)

    def take_up_payment(self, payment: Payment) -> None:
        """Whoever was paid by a payment that is on chain, for a route of the operator's."""
        if payment.claim.route_owner is not None:
            return
        receiver = Receiver(payment.id.network, payment.id.asset, payment.claim.authorization.to)
        if receiver not in self.known and payment.block_number is not None:
            self._watch(receiver, payment.block_number)

    def _from_now(self, receiver: Receiver, head: Head) -> None:
        info = network_info(receiver.network)
        before = info.confirmations + math.ceil(_BEFORE_SECONDS / info.block_seconds)
        self._watch(receiver, max(0, head.number - before))

    def _watch(self, receiver: Receiver, block: int) -> None:
        self.rows.watch(receiver, block, int(self.clock()), CHUNK_BLOCKS)
        self.known.add(receiver)
