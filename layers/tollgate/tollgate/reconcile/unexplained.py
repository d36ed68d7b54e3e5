"""What becomes of a transfer that nothing explains: forgotten, waited for, reported, or kept as other money.

A transfer is looked at again when its grace is over. One made by an authorization of x402's kind (``AuthorizationUsed``
directly before it) is somebody's payment: when no payment of ours explains it, money came in that the books do not
know, and a person is called. Any other is money that the seller's wallet got otherwise, and is only kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tollgate.chain.answers import Receipt
from tollgate.errors import ChainUnavailable, TollgateError
from tollgate.gateway.ports import Clock
from tollgate.ledger import discrepancies
from tollgate.ledger.discrepancies import Discrepancies
from tollgate.ledger.dynamo import Item
from tollgate.ledger.work import Entry, WorkList
from tollgate.payment.events import Event, Journal
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import network_info
from tollgate.payment.settlement import TransferSeen
from tollgate.schemes.exact import eip3009
from tollgate.wire.primitives import Address, Bytes32, Network

PAGE = 50
RPC_TIMEOUT_SECONDS = 5.0
_WAIT_SECONDS = 300
_HOUR_SECONDS = 3_600


class ReceiptChain(Protocol):
    """One network, read only."""

    def receipt(self, transactions: Sequence[Bytes32], timeout: float) -> Receipt | None:
        """That of the first that is mined; ``None`` proves nothing. Raises ``ChainUnavailable``."""


class ReceiptChains(Protocol):
    """The configured networks."""

    def get(self, network: Network) -> ReceiptChain | None:
        """The chain of a network, or ``None`` when this stack does not speak to it."""


@dataclass(frozen=True, slots=True)
class Unexplained:
    """One look at each row whose time has come."""

    rows: Discrepancies
    chains: ReceiptChains
    clock: Clock
    journal: Journal

    def look(self, until: float) -> None:
        """At all of them, or until ``until`` (Unix seconds)."""
        for partition in (discrepancies.SEEN, discrepancies.OPEN):
            for row in self._due(partition):
                if self.clock() > until:
                    return
                # Pushed back first: one that fails, or kills the pass, does not come first again.
                self.rows.later(row, int(self.clock()) + _WAIT_SECONDS)
                try:
                    self._look(row, until)
                except TollgateError as error:
                    self.journal.record(Event.RECONCILE_ITEM_FAILED, what=str(row["pk"]), why=type(error).__name__)

    def open(self) -> int:
        """How many discrepancies wait for a person; 100 stands for more."""
        rows, _ = self.rows.due(discrepancies.OPEN, int(self.clock()) + 2 * _HOUR_SECONDS, 100)
        return len(rows)

    def _due(self, partition: str) -> Iterator[Item]:
        begun = int(self.clock())
        after: Entry | None = None
        while True:
            rows, after = self.rows.due(partition, begun, PAGE, after)
            yield from rows
            if after is None:
                return

    def _look(self, row: Item, until: float) -> None:
        now = int(self.clock())
        if row["kind"] == "receipt":
            self._receipt_again(row, now, until)
        elif row["standing"] == "OPEN":
            if self.rows.explained(row):
                self._explained(row, now)
            else:
                self.rows.later(row, now + _HOUR_SECONDS)
        elif self.rows.explained(row):
            self.rows.forget(row)
        else:
            self._judge(row, now, until)

    def _judge(self, row: Item, now: int, until: float) -> None:
        """Its grace is over."""
        transfer, nonce = self._on_chain(row, until)
        if transfer is None:
            # Its block is gone; what took its place was, or will be, seen by itself.
            self.rows.forget(row)
        elif nonce is None:
            if self.rows.plain(row, now):
                self._record(Event.RECONCILE_UNEXPLAINED, row, "plain")
        else:
            digest = _payment(row, nonce).digest
            item = self.rows.payment_of(digest)
            if item is not None and item.get("work") in WorkList.shards:
                # Whatever becomes of it, reconcile is still at it.
                self.rows.later(row, now + _WAIT_SECONDS)
            elif self.rows.report(row, digest if item is not None else None, str(nonce), now + _HOUR_SECONDS):
                self._record(Event.RECONCILE_UNEXPLAINED, row, "authorization")

    def _receipt_again(self, row: Item, now: int, until: float) -> None:
        transfer, nonce = self._on_chain(row, until)
        if transfer is not None and str(nonce) == row["nonce"]:
            self._explained(row, now)
        else:
            self.rows.later(row, now + _HOUR_SECONDS)

    def _explained(self, row: Item, now: int) -> None:
        if self.rows.close(row, now):
            self._record(Event.RECONCILE_EXPLAINED, row, str(row["kind"]))

    def _on_chain(self, row: Item, until: float) -> tuple[TransferSeen | None, Bytes32 | None]:
        """The transfer that the row tells of as the chain shows it now, and the nonce of what made it."""
        network = Network.parse(row["network"])
        chain = self.chains.get(network)
        if chain is None:
            raise ChainUnavailable("this stack does not speak to the transfer's network")
        patience = max(1.0, min(RPC_TIMEOUT_SECONDS, until - self.clock()))
        receipt = chain.receipt([Bytes32.parse(row["transaction"])], patience)
        if receipt is None:
            raise ChainUnavailable("the node does not show the transaction: that proves nothing")
        asset = network_info(network).asset(row["asset"]).address
        wanted = (row["log_index"], row["payer"], row["pay_to"], row["amount"])
        for log in receipt.logs:
            seen = eip3009.read_transfer(log, asset)
            if seen is not None and (seen.log_index, seen.from_.lower, seen.to.lower, seen.value) == wanted:
                return seen, eip3009.authorization_before(receipt.logs, seen, asset)
        return None, None

    def _record(self, event: Event, row: Item, kind: str) -> None:
        self.journal.record(
            event,
            kind=kind,
            network=row["network"],
            transaction=row["transaction"],
            log_index=row["log_index"],
            amount=row["amount"],
            payer=row["payer"],
        )


def _payment(row: Item, nonce: Bytes32) -> PaymentId:
    return PaymentId(Network.parse(row["network"]), Address.parse(row["asset"]), Address.parse(row["payer"]), nonce)
