"""A chain node at JSON-RPC level, in memory, over the real token contract: what ``RpcClient.batch`` is to EvmChain.

A block every two seconds of the world's clock, as on Base: the head follows from the time, and only blocks that
hold transactions are kept. Transactions wait in the pool until a block can take them: nonces in order, fee at or
above the base fee, gas paid for. ``reorganise`` takes blocks back. ``tests/crash/test_fakes_node.py`` runs the
same cases against this and against anvil.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.fakes.clock import Clock
from tests.support.fakes.effects import Effects
from tests.support.fakes.raw_transactions import Sent, read_transaction
from tests.support.fakes.token import Ran, TokenEvm, calldata
from tollgate.chain.rpc import AnswerTimedOut, RpcError
from tollgate.errors import ChainUnavailable
from tollgate.payment.networks import NetworkInfo

BLOCK_SECONDS = 2
FIRST_HEAD = 1000
BLOCK_GAS = 30_000_000
TIP = 1_000_000
BASE_FEE = 10_000_000
_FAUCET = "0x" + "fa" * 20
_HASH_BYTES = 32

Call = tuple[str, list[Any]]


@dataclass(slots=True)
class Mined:
    """One transaction in its block."""

    sent: Sent
    ran: Ran
    number: int
    index: int
    first_log: int


@dataclass(slots=True)
class Block:
    """A block with transactions, and the state before it."""

    number: int
    before: tuple[Any, dict[str, int], dict[str, int]]
    mined: list[Mined] = field(default_factory=list)


class FakeNode:
    """``base_fee`` (wei per gas) and the flags may be changed at any time.

    ``down``: no endpoint answers. ``receipts_hidden_until``: a time (Unix seconds) before which this node shows
    neither receipts nor logs of any block, as a lagging one behind a load balancer does. ``waits``: whether it has
    ``eth_sendRawTransactionSync``.
    """

    def __init__(self, clock: Clock, effects: Effects, info: NetworkInfo, token: str) -> None:
        self.clock = clock
        self.info = info
        self.token = token.lower()
        self._base_fee = BASE_FEE
        self.down = False
        self.waits = False
        self._takes = True
        self.receipts_hidden_until = 0.0
        self.pool: list[Sent] = []
        self.blocks: dict[int, Block] = {}
        self.transactions: dict[str, Mined] = {}
        # Every transaction that ever reached the pool, mined or not.
        self.seen: dict[str, Sent] = {}
        self.requests = 0
        self._effects = effects
        self._evm = TokenEvm(token, info.network.chain_id)
        self._ether: dict[str, int] = {}
        self._nonces: dict[str, int] = {}
        self._forks: list[tuple[int, int]] = [(0, 0)]
        self._genesis = int(clock.now) - FIRST_HEAD * BLOCK_SECONDS
        self._mined_up_to = FIRST_HEAD

    @property
    def takes(self) -> bool:
        """Whether blocks take transactions."""
        return self._takes

    @takes.setter
    def takes(self, yes: bool) -> None:
        self.catch_up()
        self._takes = yes

    @property
    def base_fee(self) -> int:
        """What a block asks, wei per gas."""
        return self._base_fee

    @base_fee.setter
    def base_fee(self, wei: int) -> None:
        self.catch_up()
        self._base_fee = wei

    # What tests do to the chain; none of it is an effect of ours.

    def mint(self, to: str, atomic: int) -> None:
        """Give tokens, atomic units, in no block."""
        self._evm.execute(_FAUCET, self.token, calldata("mint(address,uint256)", to, atomic))

    def give_gas(self, owner: str, wei: int) -> None:
        """Set an account's ether."""
        self.catch_up()
        self._ether[owner.lower()] = wei

    def balance(self, owner: str) -> int:
        """An account's tokens, atomic units."""
        self.catch_up()
        return int.from_bytes(self._evm.call(self.token, calldata("balanceOf(address)", owner)).output, "big")

    def gas_balance(self, owner: str) -> int:
        """An account's wei."""
        self.catch_up()
        return self._ether.get(owner.lower(), 0)

    def accept(self, raw: bytes) -> str:
        """Take a transaction of anybody's into the pool; its hash. Raises ``ValueError`` if it is refused."""
        self.catch_up()
        answer = self._accept(raw)
        if isinstance(answer, RpcError):
            raise ValueError(answer.message)
        return answer

    def mine(self, blocks: int = 1) -> None:
        """Let so many blocks pass."""
        self.clock.advance_to(self._time_of(self.head + blocks))
        self.catch_up()

    def reorganise(self, depth: int, *, drop: bool = False) -> None:
        """Take the last ``depth`` blocks back. Others stand there now; the transactions wait again, or are gone."""
        self.catch_up()
        fork = self.head - depth + 1
        gone = sorted(number for number in self.blocks if number >= fork)
        if gone:
            checkpoint, ether, nonces = self.blocks[gone[0]].before
            self._evm.revert(checkpoint)
            self._ether, self._nonces = dict(ether), dict(nonces)
        returned = [mined.sent for number in gone for mined in self.blocks.pop(number).mined]
        for sent in returned:
            del self.transactions[sent.hash]
        if not drop:
            self.pool = returned + self.pool
        self._forks.append((fork, len(self._forks)))

    @property
    def head(self) -> int:
        """The height of the latest block, by the clock."""
        return (int(self.clock.now) - self._genesis) // BLOCK_SECONDS

    def mined(self) -> list[Mined]:
        """Every transaction on the chain as it stands, oldest first."""
        self.catch_up()
        return [mined for number in sorted(self.blocks) for mined in self.blocks[number].mined]

    def nonce(self, sender: str) -> int:
        """How many transactions of an account are mined."""
        self.catch_up()
        return self._nonces.get(sender.lower(), 0)

    def catch_up(self) -> None:
        """Mine what the blocks up to now would have taken."""
        while self._mined_up_to < self.head:
            if not self.pool or not self._mine(self._mined_up_to + 1):
                # Nothing can be taken, and nothing changes by itself.
                self._mined_up_to = self.head
                return
            self._mined_up_to += 1

    # JSON-RPC.

    @property
    def alone(self) -> tuple["FakeNode", ...]:
        """The endpoints, each by itself: this one only."""
        return (self,)

    def batch(self, calls: Sequence[Call], timeout: float, *, fail_over: bool = True) -> list[Any]:
        """The results in order; an error is a value. Raises ``ChainUnavailable`` while ``down``."""
        self.requests += 1
        if self.down or timeout <= 0:
            raise ChainUnavailable("the RPC endpoint cannot be reached")
        method, params = calls[0]
        if method.startswith("eth_sendRawTransaction"):
            return [self._send(method, params[0])]
        self._effects.step("rpc", ",".join(name for name, _ in calls))
        self.catch_up()
        return [self._answer(name, arguments) for name, arguments in calls]

    def _send(self, method: str, raw_hex: str) -> Any:
        if method.endswith("Sync") and not self.waits:
            return RpcError(-32601, f"the method {method} does not exist/is not available")
        raw = bytes.fromhex(raw_hex[2:])
        self.catch_up()

        def lost(fault: str) -> Exception:
            silent = AnswerTimedOut("the RPC endpoint did not answer in time")
            return silent if fault == "lost" else ChainUnavailable("the RPC endpoint cannot be reached")

        answer = self._effects.perform("send", read_transaction(raw).hash, lambda: self._arrive(raw), lost)
        if isinstance(answer, RpcError) or not method.endswith("Sync"):
            return answer
        self.clock.sleep(self._time_of(self.head + 1) - self.clock.now)
        self.catch_up()
        if answer not in self.transactions:
            return RpcError(4, "The transaction was added to the mempool but wasn't processed in 2s.")
        return self._receipt(answer)

    def _arrive(self, raw: bytes) -> Any:
        # Its sender may have been slow: no block that stands already takes it.
        self.catch_up()
        return self._accept(raw)

    def _accept(self, raw: bytes) -> Any:
        sent = read_transaction(raw)
        transaction = sent.transaction
        if sent.hash in self.transactions or any(other.hash == sent.hash for other in self.pool):
            return RpcError(-32000, "already known")
        if sent.nonce < self._nonces.get(sent.sender, 0):
            return RpcError(-32000, "nonce too low")
        if self._ether.get(sent.sender, 0) < transaction.gas_limit * transaction.max_fee_per_gas + transaction.value:
            return RpcError(-32000, "insufficient funds for gas * price + value")
        for position, other in enumerate(self.pool):
            if (other.sender, other.nonce) == (sent.sender, sent.nonce):
                if not _outbids(sent, other):
                    return RpcError(-32000, "replacement transaction underpriced")
                self.pool[position] = self.seen[sent.hash] = sent
                return sent.hash
        self.pool.append(sent)
        self.seen[sent.hash] = sent
        return sent.hash

    def _answer(self, method: str, params: list[Any]) -> Any:
        handler: Callable[..., Any] | None = getattr(self, "_" + method, None)
        if handler is None:
            return RpcError(-32601, f"the method {method} does not exist/is not available")
        return handler(*params)

    def _eth_chainId(self) -> str:
        return hex(self.info.network.chain_id)

    def _eth_blockNumber(self) -> str:
        return hex(self.head)

    def _eth_maxPriorityFeePerGas(self) -> str:
        return hex(TIP)

    def _eth_getBalance(self, owner: str, _tag: str) -> str:
        return hex(self._ether.get(owner.lower(), 0))

    def _eth_getTransactionCount(self, owner: str, tag: str) -> str:
        count = self._nonces.get(owner.lower(), 0)
        if tag == "pending":
            waiting = {sent.nonce for sent in self.pool if sent.sender == owner.lower()}
            while count in waiting:
                count += 1
        return hex(count)

    def _eth_getBlockByNumber(self, tag: str, _full: bool) -> Any:
        number = self.head if tag == "latest" else int(tag, 16)
        if number > self.head:
            return None
        block = self.blocks.get(number)
        return {
            "number": hex(number),
            "timestamp": hex(self._time_of(number)),
            "hash": self.hash_of(number),
            "parentHash": self.hash_of(number - 1),
            "baseFeePerGas": hex(self.base_fee),
            "transactions": [mined.sent.hash for mined in block.mined] if block else [],
        }

    def _eth_getTransactionByHash(self, transaction: str) -> Any:
        mined = self.transactions.get(transaction)
        sent = mined.sent if mined else next((s for s in self.pool if s.hash == transaction), None)
        if sent is None:
            return None
        return {
            "hash": sent.hash,
            "from": sent.sender,
            "nonce": hex(sent.nonce),
            "blockNumber": hex(mined.number) if mined else None,
            "blockHash": self.hash_of(mined.number) if mined else None,
        }

    def _eth_getTransactionReceipt(self, transaction: str) -> Any:
        if self.clock.now < self.receipts_hidden_until:
            return None
        return self._receipt(transaction)

    def _eth_getLogs(self, query: dict[str, Any]) -> Any:
        if self.clock.now < self.receipts_hidden_until:
            return []
        low, high = self._height(query["fromBlock"]), self._height(query["toBlock"])
        wanted = query.get("topics", [])
        return [
            log
            for number in sorted(self.blocks)
            if low <= number <= high
            for mined in self.blocks[number].mined
            for log in self._logs(mined)
            if log["address"] == query["address"].lower() and _matches(log["topics"], wanted)
        ]

    def _eth_call(self, call: dict[str, str], tag: str) -> Any:
        to, data = call["to"].lower(), bytes.fromhex(call["data"][2:])
        if tag == "pending":
            ran = self._call_pending(to, data)
        else:
            number = self._height(tag)
            ran = self._call_at(number, to, data)
        if not ran.ok:
            return RpcError(3, "execution reverted")
        return "0x" + ran.output.hex()

    # The state.

    def _call_pending(self, to: str, data: bytes) -> Ran:
        number = self.head + 1
        checkpoint = self._evm.checkpoint() if self.pool else None
        self._evm.at(number, self._time_of(number))
        for sent in self._takeable():
            self._evm.execute(sent.sender, sent.transaction.to.lower, sent.transaction.data)
        ran = self._evm.call(to, data)
        if checkpoint is not None:
            self._evm.revert(checkpoint)
        return ran

    def _call_at(self, number: int, to: str, data: bytes) -> Ran:
        """A later block's transactions are undone, and done again afterwards: the same, since the EVM is."""
        later = sorted(n for n in self.blocks if n > number)
        if later:
            self._evm.revert(self.blocks[later[0]].before[0])
        self._evm.at(number, self._time_of(number))
        ran = self._evm.call(to, data)
        for height in later:
            block = self.blocks[height]
            block.before = (self._evm.checkpoint(), *block.before[1:])
            self._evm.at(height, self._time_of(height))
            for mined in block.mined:
                t = mined.sent.transaction
                self._evm.execute(mined.sent.sender, t.to.lower, t.data, t.gas_limit)
        return ran

    def _mine(self, number: int) -> bool:
        """Put what can be taken into the block; whether there was anything."""
        taken = self._takeable()
        if not taken:
            return False
        block = Block(number, (self._evm.checkpoint(), dict(self._ether), dict(self._nonces)))
        self._evm.at(number, self._time_of(number))
        logs = 0
        for index, sent in enumerate(taken):
            t = sent.transaction
            ran = self._evm.execute(sent.sender, t.to.lower, t.data, t.gas_limit)
            price = min(t.max_fee_per_gas, self.base_fee + t.max_priority_fee_per_gas)
            self._ether[sent.sender] = self._ether.get(sent.sender, 0) - ran.gas * price
            self._nonces[sent.sender] = sent.nonce + 1
            mined = Mined(sent, ran, number, index, logs)
            logs += len(ran.logs)
            block.mined.append(mined)
            self.transactions[sent.hash] = mined
            self.pool.remove(sent)
        self.blocks[number] = block
        return True

    def _takeable(self) -> list[Sent]:
        """What the next block takes of the pool: each sender's in order of nonce, senders in order of arrival."""
        nonces: dict[str, int] = {}
        taken: list[Sent] = []
        ether = dict(self._ether)
        moved = bool(self.pool) and self._takes
        while moved:
            moved = False
            for sent in self.pool:
                t = sent.transaction
                cost = t.gas_limit * t.max_fee_per_gas
                if (
                    sent.nonce == nonces.get(sent.sender, self._nonces.get(sent.sender, 0))
                    and t.max_fee_per_gas >= self.base_fee
                    and ether.get(sent.sender, 0) >= cost
                    and sent not in taken
                ):
                    nonces[sent.sender] = sent.nonce + 1
                    ether[sent.sender] -= cost
                    taken.append(sent)
                    moved = True
        return taken

    def _receipt(self, transaction: str) -> Any:
        mined = self.transactions.get(transaction)
        if mined is None:
            return None
        return {
            "transactionHash": transaction,
            "transactionIndex": hex(mined.index),
            "status": "0x1" if mined.ran.ok else "0x0",
            "blockNumber": hex(mined.number),
            "blockHash": self.hash_of(mined.number),
            "from": mined.sent.sender,
            "to": mined.sent.transaction.to.lower,
            "gasUsed": hex(mined.ran.gas),
            "logs": self._logs(mined),
        }

    def _logs(self, mined: Mined) -> list[dict[str, Any]]:
        return [
            {
                "address": address,
                "topics": list(topics),
                "data": data,
                "logIndex": hex(mined.first_log + position),
                "transactionHash": mined.sent.hash,
                "transactionIndex": hex(mined.index),
                "blockNumber": hex(mined.number),
                "blockHash": self.hash_of(mined.number),
                "removed": False,
            }
            for position, (address, topics, data) in enumerate(mined.ran.logs)
        ]

    def hash_of(self, number: int) -> str:
        """A block's hash: another one after a reorganisation."""
        fork = max(branch for start, branch in self._forks if start <= number)
        return "0x" + hashlib.sha256(f"{fork}:{number}".encode()).hexdigest()[: 2 * _HASH_BYTES]

    def _time_of(self, number: int) -> int:
        return self._genesis + number * BLOCK_SECONDS

    def _height(self, tag: str) -> int:
        return self.head if tag in ("latest", "safe", "finalized") else int(tag, 16)


def _matches(topics: list[str], wanted: list[Any]) -> bool:
    if len(wanted) > len(topics):
        return False
    return all(
        one is None or topic in ([w.lower() for w in one] if isinstance(one, list) else [one.lower()])
        for topic, one in zip(topics, wanted, strict=False)
    )


def _outbids(new: Sent, old: Sent) -> bool:
    """geth's rule: both fees at least a tenth higher."""
    a, b = new.transaction, old.transaction
    return (
        10 * a.max_fee_per_gas >= 11 * b.max_fee_per_gas
        and 10 * a.max_priority_fee_per_gas >= 11 * b.max_priority_fee_per_gas
    )
