"""Handing signed bytes to the network, and what a node's refusal of them means (threat 60).

The same bytes are the same transaction, so sending them again, or to another endpoint, is harmless.
No refusal is a failure of the payment: the bytes may have reached the pool by another way.
"""

import time
from enum import StrEnum

from tollgate.chain import answers
from tollgate.chain.answers import Receipt
from tollgate.chain.rpc import AnswerTimedOut, RpcClient, RpcError, is_busy
from tollgate.chain.transactions import transaction_hash
from tollgate.errors import ChainUnavailable, UnknownOutcome

_SYNC = "eth_sendRawTransactionSync"
_PLAIN = "eth_sendRawTransaction"


class BroadcastRefusedKind(StrEnum):
    """Why a node did not take a transaction."""

    INSUFFICIENT_GAS_FUNDS = "insufficient_gas_funds"
    UNDERPRICED = "underpriced"
    NONCE_TOO_HIGH = "nonce_too_high"
    OTHER = "other"


class BroadcastRefused(UnknownOutcome):
    """The node did not take the transaction into its pool; the text names the kind and code only."""

    def __init__(self, kind: BroadcastRefusedKind, code: int) -> None:
        super().__init__(f"the node refused the transaction: {kind.value} (code {code})")
        self.kind = kind
        self.code = code


# Words of geth, op-geth, reth, erigon, nethermind, besu and anvil, lower case, first match decides.
# The pool has it, or the relayer's nonce is spent (by these bytes or others: the receipt will tell).
_TAKEN = (
    "already known",
    "alreadyknown",
    "known transaction",
    "already imported",
    "already in mempool",
    "already in the pool",
    "already exists",
    "nonce too low",
    "nonce is too low",
    "oldnonce",
    "nonce has already been used",
    "invalid transaction nonce",
)
_REFUSED = (
    (
        BroadcastRefusedKind.INSUFFICIENT_GAS_FUNDS,
        ("insufficient funds", "insufficientfunds", "insufficient balance", "upfront cost exceeds"),
    ),
    (
        BroadcastRefusedKind.UNDERPRICED,
        ("underpriced", "base fee", "basefee", "fee too low", "feetoolow", "tip cap", "gas price below"),
    ),
    (
        BroadcastRefusedKind.NONCE_TOO_HIGH,
        ("nonce too high", "nonce gap", "noncegap", "nonce too far", "gapped", "too distant"),
    ),
)
# EIP-7966: 4 = in the pool, not mined within the node's own wait. anvil says so in words instead.
_STILL_WAITING_CODE = 4
_STILL_WAITING = ("confirmation timeout", "wasn't processed in", "was added to the mempool but")
_NO_METHOD_CODES = frozenset({-32601, -32004})
_NO_METHOD = "method"


def refusal(error: RpcError) -> UnknownOutcome | None:
    """What an error of ``eth_sendRawTransaction`` means; ``None``: the network has it, or had."""
    text = error.message.lower()
    if any(words in text for words in _TAKEN):
        return None
    for kind, words_of_kind in _REFUSED:
        if any(words in text for words in words_of_kind):
            return BroadcastRefused(kind, error.code)
    if is_busy(error):
        return ChainUnavailable(f"the node is too busy to take the transaction (code {error.code})")
    return BroadcastRefused(BroadcastRefusedKind.OTHER, error.code)


class Broadcaster:
    """Sends raw transactions; remembers whether the endpoint has ``eth_sendRawTransactionSync``."""

    def __init__(self, rpc: RpcClient) -> None:
        self._rpc = rpc
        self._sync = True

    def send(self, raw: bytes, timeout: float) -> Receipt | None:
        """Hand over ``raw``; the receipt if the node waited for it, ``None`` if it is to be looked for.

        ``None`` after a silent endpoint too: it has the bytes, and perhaps is still waiting for the
        block. ``timeout`` in seconds. Raises ``BroadcastRefused``, ``ChainUnavailable``.
        """
        deadline = time.monotonic() + timeout
        raw_hex = "0x" + raw.hex()
        if self._sync:
            # The optional wait of EIP-7966 is left out: anvil refuses it. A node that waits longer
            # than we do has the transaction all the same.
            try:
                answer = self._rpc.batch([(_SYNC, [raw_hex])], timeout)[0]
            except AnswerTimedOut:
                return None
            except ChainUnavailable:
                # Some providers answer an unknown method with an HTTP error of their own.
                answer = RpcError(0, "")
            if isinstance(answer, dict):
                return answers.receipt(answer, transaction_hash(raw))
            if isinstance(answer, RpcError) and self._is_taken(answer):
                return None
        answer = self._rpc.batch([(_PLAIN, [raw_hex])], deadline - time.monotonic())[0]
        if isinstance(answer, RpcError):
            problem = refusal(answer)
            if problem is not None:
                raise problem
        elif answers.word(answer, _PLAIN) != transaction_hash(raw).raw:
            raise answers.odd(_PLAIN)
        return None

    def _is_taken(self, error: RpcError) -> bool:
        """Whether a refusal of the waiting method leaves nothing to do; else the plain method decides."""
        text = error.message.lower()
        if error.code == _STILL_WAITING_CODE or any(words in text for words in _STILL_WAITING):
            return True
        if error.code in _NO_METHOD_CODES or _NO_METHOD in text:
            self._sync = False
            return False
        return refusal(error) is None
