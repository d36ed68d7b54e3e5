"""An EVM chain as the use cases need it. One batch where one will do; nothing is ever guessed.

Every question carries ``eth_chainId``: an endpoint of another network would prove the wrong things.
Timeouts are seconds for the whole method. All methods raise ``ChainUnavailable``.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tollgate.chain import answers
from tollgate.chain.agreement import agreed_absence, agreed_use
from tollgate.chain.answers import Head, Receipt
from tollgate.chain.broadcast import Broadcaster, BroadcastRefused, BroadcastRefusedKind
from tollgate.chain.rpc import Call, RpcClient, RpcError, is_busy
from tollgate.chain.uses import Ask, Use, UseFinder, is_deep, token_call
from tollgate.errors import ChainUnavailable
from tollgate.payment.networks import Asset, NetworkInfo
from tollgate.payment.settlement import TransferProof, TransferSeen
from tollgate.schemes.exact import eip3009
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32

__all__ = [
    "BroadcastRefused",
    "BroadcastRefusedKind",
    "ChainCheck",
    "EvmChain",
    "Head",
    "Preparation",
    "Receipt",
    "RelayerState",
    "TransferProof",
    "Use",
]

# For nodes without eth_maxPriorityFeePerGas: 0.001 gwei, the usual tip on Base.
DEFAULT_TIP = 1_000_000
_POLL_SECONDS = 0.5
_CALL_SECONDS = 5.0
# geth: 3, "execution reverted"; nethermind, besu and older nodes: -32015 or -32000 with the word. A call that used
# up its gas would not succeed either: -32000 "out of gas" or "intrinsic gas too low", in these or similar words.
_REVERT_CODES = frozenset({3, -32015})
_REVERTED = ("revert", "out of gas", "outofgas", "intrinsic gas", "intrinsicgas", "gas required exceeds")


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What one look at the chain says of an authorization; ``balance`` in atomic units of the asset."""

    nonce_used: bool
    balance: int
    would_succeed: bool
    head: Head


@dataclass(frozen=True, slots=True)
class Preparation:
    """A check, and what a transaction needs: the relayer's mined nonce, fees in wei per gas.

    ``mined_balance`` is the payer's in mined blocks, in atomic units: what is on its way is not taken off yet.
    ``gas_balance`` is the relayer's, in wei.
    """

    check: ChainCheck
    chain_nonce: int
    base_fee: int
    tip: int
    mined_balance: int
    gas_balance: int


@dataclass(frozen=True, slots=True)
class RelayerState:
    """What sending on needs to know now: the relayer's mined nonce, the head with its base fee, the tip (wei per
    gas), and the relayer's wei."""

    chain_nonce: int
    head: Head
    tip: int
    gas_balance: int


class EvmChain:
    """One network through its RPC endpoints."""

    def __init__(self, rpc: RpcClient, info: NetworkInfo) -> None:
        self._rpc = rpc
        self._info = info
        self._broadcaster = Broadcaster(rpc)
        self._pending = True

    def check(self, asset: Asset, a: Authorization, signature: bytes, timeout: float) -> ChainCheck:
        """Whether ``a`` would settle now: nonce, balance and a simulation at ``pending``, and the head."""
        return self._check(asset, a, signature, [], timeout)[0]

    def prepare(
        self, asset: Asset, a: Authorization, signature: bytes, relayer: Address, timeout: float
    ) -> Preparation:
        """The check, with the relayer's transaction count (``latest``: mined only) and today's fees."""
        more: list[Call] = [
            ("eth_getTransactionCount", [relayer.lower, "latest"]),
            ("eth_maxPriorityFeePerGas", []),
            token_call(asset, eip3009.balance_calldata(a.from_), "latest"),
            ("eth_getBalance", [relayer.lower, "latest"]),
        ]
        check, (count, tip, balance, gas) = self._check(asset, a, signature, more, timeout)
        return Preparation(
            check=check,
            chain_nonce=answers.account_nonce(count),
            base_fee=check.head.base_fee,
            tip=_tip(tip),
            mined_balance=int.from_bytes(answers.word(balance, "balanceOf"), "big"),
            gas_balance=answers.quantity(gas, "a balance"),
        )

    def relayer_state(self, relayer: Address, timeout: float) -> RelayerState:
        """The relayer's transaction count (``latest``: mined only), gas, the head and today's fees, in one batch."""
        count, block, tip, gas = self._ask(
            [
                ("eth_getTransactionCount", [relayer.lower, "latest"]),
                ("eth_getBlockByNumber", ["latest", False]),
                ("eth_maxPriorityFeePerGas", []),
                ("eth_getBalance", [relayer.lower, "latest"]),
            ],
            timeout,
        )
        gas_balance = answers.quantity(gas, "a balance")
        return RelayerState(answers.account_nonce(count), answers.head(block), _tip(tip), gas_balance)

    def _check(
        self, asset: Asset, a: Authorization, signature: bytes, more: list[Call], timeout: float
    ) -> tuple[ChainCheck, list[Any]]:
        deadline = time.monotonic() + timeout
        transfer = eip3009.transfer_calldata(a, signature)
        while True:
            block = "pending" if self._pending else "latest"
            calls: list[Call] = [
                token_call(asset, eip3009.authorization_state_calldata(a.from_, a.nonce), block),
                token_call(asset, eip3009.balance_calldata(a.from_), block),
                # With the transaction's own limit: a token that needs more is found out before anything is reserved.
                token_call(asset, transfer, block, eip3009.TRANSFER_GAS + self._info.data_gas),
                ("eth_getBlockByNumber", ["latest", False]),
            ]
            used, balance, simulation, latest, *rest = self._ask([*calls, *more], deadline - time.monotonic())
            if self._pending and isinstance(used, RpcError) and not is_busy(used):
                # A view of a token does not revert: this node refuses the tag, now and later.
                self._pending = False
                continue
            check = ChainCheck(
                nonce_used=answers.flag(used, "authorizationState"),
                balance=int.from_bytes(answers.word(balance, "balanceOf"), "big"),
                would_succeed=not _reverted(simulation),
                head=answers.head(latest),
            )
            return check, rest

    def transaction_count(self, address: Address, timeout: float) -> int:
        """How many transactions of ``address`` are mined: its next nonce."""
        count = self._ask([("eth_getTransactionCount", [address.lower, "latest"])], timeout)[0]
        return answers.account_nonce(count)

    def balances(self, addresses: Sequence[Address], timeout: float) -> list[int]:
        """Native balances in wei, in the order asked."""
        found = self._ask([("eth_getBalance", [a.lower, "latest"]) for a in addresses], timeout)
        return [answers.quantity(item, "a balance") for item in found]

    def token_balance(self, asset: Asset, owner: Address, timeout: float) -> int:
        """What ``owner`` holds of the token, mined, in its atomic units."""
        found = self._ask([token_call(asset, eip3009.balance_calldata(owner), "latest")], timeout)[0]
        return int.from_bytes(answers.word(found, "balanceOf"), "big")

    def broadcast(self, raw: bytes, timeout: float) -> Receipt | None:
        """Hand over a raw transaction: the receipt if the node waited for it, ``None`` if it is to be
        looked for, as it is where one block is not deep enough. Raises ``BroadcastRefused`` too; none of it says
        that the payment failed."""
        receipt = self._broadcaster.send(raw, timeout)
        return receipt if self._info.settle_depth == 1 else None

    def receipt(self, transactions: Sequence[Bytes32], timeout: float) -> Receipt | None:
        """The receipt of whichever of ``transactions`` is mined: they have one nonce, so it is one at most.

        ``None``: not mined as far as this node knows, or not ``settle_depth`` blocks deep, which proves nothing
        (threats 57, 58).
        """
        calls: list[Call] = [("eth_getTransactionReceipt", [str(one)]) for one in transactions]
        if self._info.settle_depth > 1:
            calls.append(("eth_blockNumber", []))
        found = self._rpc.batch(calls, timeout)
        for answer, transaction in zip(found, transactions, strict=False):
            receipt = answers.receipt(answer, transaction)
            if receipt is None:
                continue
            # The head is the last answer; where one block is enough it was not asked for, nor is it needed.
            head = receipt.block_number if len(found) == len(transactions) else answers.quantity(found[-1], "the head")
            if is_deep(receipt.block_number, head, self._info):
                return receipt
        return None

    def wait_receipt(
        self,
        transactions: Sequence[Bytes32],
        deadline: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> Receipt | None:
        """Poll until one of ``transactions`` is mined, and deep enough, or ``deadline`` (on ``clock``).

        An endpoint that fails meanwhile is asked again: at the end ``None``, unknown either way. Never raises
        ``ChainUnavailable``.
        """
        pause = min(self._info.block_seconds / 4, _POLL_SECONDS)
        while (left := deadline - clock()) > 0:
            try:
                found = self.receipt(transactions, min(left, _CALL_SECONDS))
            except ChainUnavailable:
                found = None
            if found is not None:
                return found
            sleep(max(0.0, min(pause, deadline - clock())))
        return None

    def find_use(self, asset: Asset, a: Authorization, from_block: int, timeout: float) -> Use:
        """What became of the authorization since ``from_block``; see ``UseFinder.find``.

        A proof counts on one endpoint's word: a body is never held back for a second one that lags, and what is
        lost to a forged proof is that body. An end without our Transfer needs two endpoints, asked by themselves.
        """
        deadline = time.monotonic() + timeout

        def opinion(rpc: RpcClient) -> Callable[[float], Use]:
            return lambda left: self._finder(rpc).find(asset, a, from_block, left)

        use = opinion(self._rpc)(timeout)
        if use.failure is None or len(self._rpc.alone) == 1:
            return use
        return agreed_use([opinion(rpc) for rpc in self._rpc.alone], deadline - time.monotonic())

    def block_hash_at(self, number: int, timeout: float, expected: Bytes32 | None = None) -> Bytes32 | None:
        """The hash of the block at that height, ``None`` above this node's head.

        With ``expected``, another hash is only answered when two endpoints have another one there, if there are two.
        """
        deadline = time.monotonic() + timeout

        def gone(rpc: RpcClient) -> Callable[[float], bool | None]:
            def opinion(left: float) -> bool | None:
                found = self._block_hash(rpc, number, left)
                return None if found is None else found != expected

            return opinion

        found = self._block_hash(self._rpc, number, timeout)
        if expected is None or found in (None, expected) or len(self._rpc.alone) == 1:
            return found
        opinions = [gone(rpc) for rpc in self._rpc.alone]
        return found if agreed_absence(opinions, deadline - time.monotonic()) else expected

    def _block_hash(self, rpc: RpcClient, number: int, timeout: float) -> Bytes32 | None:
        found = self._asking(rpc)([("eth_getBlockByNumber", [hex(number), False])], timeout)[0]
        if found is None:
            return None
        block = answers.head(found)
        if block.number != number:
            raise answers.odd("a block")
        return block.hash

    def head(self, timeout: float) -> Head:
        """The newest block that this node has."""
        return answers.head(self._ask([("eth_getBlockByNumber", ["latest", False])], timeout)[0])

    def transfers_to(
        self, asset: Asset, to: Address, low: int, high: int, timeout: float
    ) -> tuple[tuple[TransferSeen, ...], Head]:
        """Every transfer of the token to an address in blocks ``low`` to ``high``, and the block at ``high``.

        All of them or none: a node that has not got block ``high`` yet, or refuses the range, is ``ChainUnavailable``.
        """
        topics = ["0x" + eip3009.TRANSFER_TOPIC.hex(), None, "0x" + eip3009.address_word(to).hex()]
        query = {"address": asset.address.lower, "fromBlock": hex(low), "toBlock": hex(high), "topics": topics}
        block, found = self._ask([("eth_getBlockByNumber", [hex(high), False]), ("eth_getLogs", [query])], timeout)
        last = answers.head(block)
        seen = [eip3009.read_transfer(log, asset.address) for log in answers.logs(found)]
        transfers = tuple(transfer for transfer in seen if transfer is not None)
        strangers = any(t.to != to or not low <= t.block_number <= high for t in transfers)
        if last.number != high or strangers or len(transfers) != len(seen):
            raise answers.odd("logs")
        return transfers, last

    def domain_matches(self, asset: Asset, timeout: float) -> bool:
        """Whether the token's own ``DOMAIN_SEPARATOR()`` is the pinned one; false where it has none."""
        found = self._ask([token_call(asset, eip3009.DOMAIN_SEPARATOR_CALLDATA, "latest")], timeout)[0]
        if found == "0x" or _reverted(found):
            return False
        return answers.word(found, "DOMAIN_SEPARATOR") == eip3009.domain_separator(asset, self._info.network)

    def _finder(self, rpc: RpcClient) -> UseFinder:
        return UseFinder(self._asking(rpc), self._info)

    def _ask(self, calls: Sequence[Call], timeout: float) -> list[Any]:
        return self._asking(self._rpc)(calls, timeout)

    def _asking(self, rpc: RpcClient) -> Ask:
        def ask(calls: Sequence[Call], timeout: float) -> list[Any]:
            chain_id, *results = rpc.batch([("eth_chainId", []), *calls], timeout)
            if answers.quantity(chain_id, "eth_chainId") != self._info.network.chain_id:
                raise ChainUnavailable(f"the RPC endpoint serves another network than {self._info.network}")
            return results

        return ask


def _tip(answer: Any) -> int:
    return DEFAULT_TIP if isinstance(answer, RpcError) else answers.quantity(answer, "the tip")


def _reverted(result: Any) -> bool:
    """Whether a call reverted or ran out of gas. Any other error says nothing of it: raises ``ChainUnavailable``."""
    if not isinstance(result, RpcError):
        answers.blob(result, "a simulation")
        return False
    text = result.message.lower()
    if result.code in _REVERT_CODES or any(words in text for words in _REVERTED):
        return True
    raise answers.odd("a simulation", result)
