"""Every receipt is looked up on the chain once more when its payment is final: the very log pair must be there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tollgate.chain.answers import Receipt
from tollgate.errors import ChainUnavailable
from tollgate.gateway.ports import Clock
from tollgate.ledger.discrepancies import Discrepancies
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import network_info
from tollgate.payment.record import Payment
from tollgate.reconcile.receivers import Receivers
from tollgate.schemes.exact import eip3009
from tollgate.wire.primitives import Bytes32

RPC_TIMEOUT_SECONDS = 5.0
# "Not found" proves nothing: only after this many looks, over half an hour, a person is told.
LOOKS = 6
_HOUR_SECONDS = 3_600


class ReceiptChain(Protocol):
    """One network, read only."""

    def receipt(self, transactions: Sequence[Bytes32], timeout: float) -> Receipt | None:
        """That of the first that is mined; ``None`` proves nothing. Raises ``ChainUnavailable``."""


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """Looks, and writes down what is missing."""

    rows: Discrepancies
    receivers: Receivers
    clock: Clock
    journal: Journal

    def check(self, payment: Payment, chain: ReceiptChain) -> None:
        """Look a final payment's receipt up; a discrepancy is written down and reported, once.

        Raises ``ChainUnavailable`` while the node does not show the transaction, which may pass.
        """
        self.receivers.take_up_payment(payment)
        if payment.transaction is None:
            return
        found = chain.receipt([payment.transaction], RPC_TIMEOUT_SECONDS)
        if found is None:
            if payment.attempts >= LOOKS:
                self._missing(payment, "transaction_not_found")
            raise ChainUnavailable("the node does not show the transaction of a settled payment")
        asset = network_info(payment.id.network).asset(payment.id.asset.lower).address
        transfer = eip3009.find_transfer(found.logs, asset, payment.claim.authorization)
        if transfer is None or transfer.log_index != payment.log_index or found.block_hash != payment.block_hash:
            self._missing(payment, "log_pair_not_found")

    def _missing(self, payment: Payment, why: str) -> None:
        now = int(self.clock())
        if self.rows.receipt_without_log(payment, why, now, now + _HOUR_SECONDS):
            self.journal.record(
                Event.RECONCILE_UNEXPLAINED,
                kind="receipt",
                why=why,
                payment=payment.id.digest,
                transaction=str(payment.transaction),
                log_index=payment.log_index,
                amount=payment.claim.authorization.value,
            )
