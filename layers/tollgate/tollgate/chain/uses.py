"""What became of an authorization: paid, used otherwise, cancelled, expired unused, or not known yet."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tollgate.chain import answers
from tollgate.chain.answers import Head
from tollgate.chain.rpc import Call, RpcError
from tollgate.errors import ChainUnavailable
from tollgate.payment.networks import Asset, NetworkInfo
from tollgate.payment.settlement import Failed, TransferProof
from tollgate.schemes.exact import eip3009
from tollgate.schemes.logs import Log
from tollgate.wire.models import Authorization
from tollgate.wire.reasons import Reason

# Common providers answer up to 10,000 blocks in one eth_getLogs.
CHUNK_BLOCKS = 9000
MAX_CHUNKS = 5

Ask = Callable[[Sequence[Call], float], list[Any]]


@dataclass(frozen=True, slots=True)
class Use:
    """What the chain shows of an authorization.

    ``used`` with a ``proof``: paid. ``used`` without: the nonce was *seen* cancelled, or used
    without our Transfer. Unused and ``finalised_past_deadline``: it can never be used any more,
    ``validBefore`` has passed in a block that is ``confirmations`` deep.
    """

    used: bool
    proof: TransferProof | None
    head: Head
    finalised_past_deadline: bool

    @property
    def failure(self) -> Failed | None:
        """Why nobody will be paid with it any more, where that is proven."""
        if self.proof is not None:
            return None
        if self.used:
            return Failed(Reason.AUTHORIZATION_CANCELLED)
        return Failed(Reason.AUTHORIZATION_EXPIRED_UNUSED) if self.finalised_past_deadline else None


def token_call(asset: Asset, data: bytes, block: str, gas: int | None = None) -> Call:
    """An ``eth_call`` of the token at a block height or tag; ``gas`` is all that it may use."""
    limit = {} if gas is None else {"gas": hex(gas)}
    return ("eth_call", [{"to": asset.address.lower, "data": "0x" + data.hex(), **limit}, block])


def is_deep(block_number: int, head_number: int, info: NetworkInfo) -> bool:
    """Whether a block is under as many as the operator wants before a payment counts as settled (threat 57)."""
    return head_number - block_number + 1 >= info.settle_depth


class UseFinder:
    """Looks for the use of one authorization."""

    def __init__(self, ask: Ask, info: NetworkInfo) -> None:
        self._ask = ask
        self._info = info

    def find(self, asset: Asset, a: Authorization, from_block: int, timeout: float) -> Use:
        """The log pair since ``from_block`` (a height at which the nonce was still unused).

        One batch in the usual case, two or three after a use, an expiry or a long outage. Raises
        ``ChainUnavailable`` when the answers do not fit together: a flag without its log (the node's
        index lags), a log without its receipt, a payment that is not ``settle_depth`` deep, an end without our
        Transfer that is not ``confirmations`` deep.
        """
        deadline = time.monotonic() + timeout
        state = eip3009.authorization_state_calldata(a.from_, a.nonce)
        flag, block, found = self._ask(
            [
                token_call(asset, state, "latest"),
                ("eth_getBlockByNumber", ["latest", False]),
                _get_logs(asset, a, hex(from_block), "latest"),
            ],
            timeout,
        )
        head = answers.head(block)
        used = answers.flag(flag, "authorizationState")
        if isinstance(found, RpcError):
            # Too wide for this node, or the node is behind from_block: cut it up, if it matters.
            logs = self._logs_in_chunks(asset, a, from_block, head.number, deadline) if used else ()
        else:
            logs = answers.logs(found)
        uses = [log for log in logs if eip3009.is_use(log, asset.address, a.from_, a.nonce)]
        if uses and (proof := self._proof(asset, a, uses[0], deadline)) is not None:
            if not is_deep(proof.block_number, head.number, self._info):
                raise ChainUnavailable("it is paid, but not so deep yet that it counts as settled")
            return Use(True, proof, head, False)
        ends = uses or [log for log in logs if eip3009.is_cancellation(log, asset.address, a.from_, a.nonce)]
        if ends:
            # A proof that nobody will be paid must outlive a reorganisation: after one, the nonce is unused again.
            if ends[0].block_number > head.number - self._info.confirmations:
                raise ChainUnavailable("the nonce is used without our Transfer, but not deep enough to be proof")
            return Use(True, None, head, False)
        if used:
            raise ChainUnavailable("the nonce is used, but the node does not show the log yet")
        return Use(False, None, head, self._expired(asset, a, state, head, deadline))

    def _logs_in_chunks(self, asset: Asset, a: Authorization, low: int, high: int, deadline: float) -> tuple[Log, ...]:
        """Oldest first: a use comes before ``validBefore``, soon after the payment was seen; the last
        chunk is the newest, since a cancellation may come at any time."""
        starts = list(range(min(low, high), high + 1, CHUNK_BLOCKS))
        if len(starts) > MAX_CHUNKS:
            starts = [*starts[: MAX_CHUNKS - 1], starts[-1]]
        calls = [_get_logs(asset, a, hex(s), hex(min(s + CHUNK_BLOCKS - 1, high))) for s in starts]
        found = self._ask(calls, deadline - time.monotonic())
        return tuple(log for part in found for log in answers.logs(part))

    def _proof(self, asset: Asset, a: Authorization, use: Log, deadline: float) -> TransferProof | None:
        calls: list[Call] = [("eth_getTransactionReceipt", [str(use.transaction)])]
        receipt = answers.receipt(self._ask(calls, deadline - time.monotonic())[0], use.transaction)
        if receipt is None or use not in receipt.logs:
            raise ChainUnavailable("the node shows a log but not its receipt")
        transfer = eip3009.find_transfer(receipt.logs, asset.address, a)
        if transfer is None:
            return None
        return TransferProof(
            transaction=receipt.transaction,
            log_index=transfer.log_index,
            block_number=receipt.block_number,
            block_hash=receipt.block_hash,
            sender=receipt.sender,
        )

    def _expired(self, asset: Asset, a: Authorization, state: bytes, head: Head, deadline: float) -> bool:
        deep = head.number - self._info.confirmations
        if deep < 0 or head.timestamp < a.valid_before:
            return False
        block, flag = self._ask(
            [("eth_getBlockByNumber", [hex(deep), False]), token_call(asset, state, hex(deep))],
            deadline - time.monotonic(),
        )
        below = answers.head(block)
        if below.number != deep:
            raise answers.odd("a block")
        # Blocks above it are later still, and the token takes nothing at or after validBefore.
        return below.timestamp >= a.valid_before and not answers.flag(flag, "authorizationState")


def _get_logs(asset: Asset, a: Authorization, low: str, high: str) -> Call:
    topics = [
        ["0x" + eip3009.AUTHORIZATION_USED_TOPIC.hex(), "0x" + eip3009.AUTHORIZATION_CANCELED_TOPIC.hex()],
        "0x" + eip3009.address_word(a.from_).hex(),
        str(a.nonce),
    ]
    query = {"address": asset.address.lower, "fromBlock": low, "toBlock": high, "topics": topics}
    return ("eth_getLogs", [query])
