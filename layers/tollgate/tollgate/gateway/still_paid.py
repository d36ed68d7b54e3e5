"""Whether what a receipt says still stands on the chain: the log pair, looked at again, now."""

from collections.abc import Sequence
from typing import Any, Protocol

from tollgate.chain.answers import Receipt
from tollgate.errors import ChainUnavailable
from tollgate.payment.networks import network_info
from tollgate.payment.record import Payment
from tollgate.schemes.exact import eip3009
from tollgate.wire.primitives import Bytes32

# For each of the two questions.
QUESTION_SECONDS = 4.0


class ReceiptChain(Protocol):
    """One network, read only; both raise ``ChainUnavailable``."""

    def receipt(self, transactions: Sequence[Bytes32], timeout: float) -> Receipt | None:
        """That of the first that is mined; ``None`` proves nothing."""

    def block_hash_at(self, number: int, timeout: float, expected: Bytes32 | None = None) -> Bytes32 | None:
        """The hash of the block at that height, by the word of two endpoints where it is not ``expected``."""


def still_paid(chain: ReceiptChain | None, payment: Payment) -> dict[str, Any]:
    """``{"stands": true, ...}`` where the log pair was seen, ``{"stands": false}`` only where its block is gone.

    Raises ``ChainUnavailable`` when the node can tell neither: a node that lags shows nothing of a good payment.
    """
    if chain is None:
        raise ChainUnavailable("this stack does not speak to the payment's network any more")
    if payment.transaction is None or payment.block_number is None:
        raise ValueError("only a settled payment can be looked for")
    found = chain.receipt([payment.transaction], QUESTION_SECONDS)
    asset = network_info(payment.id.network).asset(payment.id.asset.lower).address
    if found is not None and eip3009.find_transfer(found.logs, asset, payment.claim.authorization) is not None:
        return {"stands": True, "blockNumber": found.block_number, "blockHash": str(found.block_hash)}
    there = chain.block_hash_at(payment.block_number, QUESTION_SECONDS, payment.block_hash)
    if there is None or there == payment.block_hash or found is not None:
        raise ChainUnavailable("the node shows neither the payment nor that its block is gone")
    return {"stands": False, "why": "its block is not on the chain any more"}
