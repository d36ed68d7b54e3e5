"""The fake chain node behaves as a node does: the same cases against it and against anvil, both with the same token."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.anvil import Anvil
from local.chain import Chain
from tests.support.fakes.clock import Clock
from tests.support.fakes.effects import Effects
from tests.support.fakes.node import FakeNode
from tests.support.fakes.services import local_signer
from tests.support.fakes.token import calldata
from tollgate.chain.evm import BroadcastRefused, BroadcastRefusedKind, EvmChain
from tollgate.chain.rpc import RpcClient, RpcError
from tollgate.chain.transactions import DynamicFeeTransaction, transaction_hash
from tollgate.errors import ChainUnavailable
from tollgate.payment.networks import network_info
from tollgate.schemes.exact import eip3009
from tollgate.wire.keccak import keccak256
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32

INFO = network_info("base-sepolia")
USDC = INFO.asset("USDC")
PAY_TO = Address.parse("0x" + "5e" * 20)
PRICE = 10_000
GWEI = 10**9
KEYS = itertools.count(1_000)


class Account:
    """A key that nobody used before."""

    def __init__(self) -> None:
        self.key = next(KEYS).to_bytes(32, "big")
        self.signer = local_signer(self.key)
        self.address = self.signer.address()

    def authorize(self, valid_before: int) -> tuple[Authorization, bytes]:
        """A signed authorization of ``PRICE``."""
        a = Authorization(self.address, PAY_TO, PRICE, 0, valid_before, Bytes32(keccak256(self.key)))
        return a, self.signer.sign(eip3009.digest(USDC, INFO.network, a))

    def transaction(
        self, nonce: int, data: bytes, *, max_fee: int = 10 * GWEI, tip: int = GWEI, to: Address = USDC.address
    ) -> bytes:
        """A signed transaction."""
        unsigned = DynamicFeeTransaction(INFO.network.chain_id, nonce, tip, max_fee, 160_000, to, 0, data)
        return unsigned.encode(self.signer.sign(unsigned.signing_digest()))


class FakeSide:
    """The fake, as a test handles it."""

    def __init__(self) -> None:
        self.clock = Clock(1_800_000_000)
        self.node = FakeNode(self.clock, Effects({}, lambda: 0.0), INFO, str(USDC.address))
        self.rpc: Any = self.node
        self.mint, self.give_gas, self.mine = self.node.mint, self.node.give_gas, self.node.mine

    def reorganise(self, depth: int) -> None:
        self.node.reorganise(depth, drop=True)

    def close(self) -> None:
        """Nothing to stop."""


class AnvilSide:
    """anvil, mining only when told."""

    def __init__(self, directory: Path) -> None:
        self._anvil = Anvil("base-sepolia", directory)
        self._anvil.start()
        self.chain: Chain = self._anvil.chain
        self.chain.stop_mining()
        self.rpc: Any = RpcClient([self.chain.url])
        self.mint, self.give_gas = self.chain.mint, self.chain.give_gas

    def mine(self, blocks: int = 1) -> None:
        self.chain.mine(blocks, 2)

    def reorganise(self, depth: int) -> None:
        self.chain.rpc("anvil_reorg", depth, [])

    def close(self) -> None:
        self._anvil.stop()


@pytest.fixture(params=["fake", "anvil"], scope="module")
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Both, one after the other."""
    made = FakeSide() if request.param == "fake" else AnvilSide(tmp_path_factory.mktemp("anvil"))
    yield made
    made.close()


class Case:
    """A payer with tokens, a relayer with gas, and an authorization, seen at ``seen``."""

    def __init__(self, node: Any, *, valid_for: int = 3600) -> None:
        self.node = node
        self.evm = EvmChain(node.rpc, INFO)
        self.payer, self.relayer = Account(), Account()
        node.mint(str(self.payer.address), PRICE)
        node.give_gas(str(self.relayer.address), 10**18)
        node.mine()
        self.seen = self.head()
        self.a, self.signature = self.payer.authorize(int(self.block("latest")["timestamp"], 16) + valid_for)
        self.data = eip3009.transfer_calldata(self.a, self.signature)

    def ask(self, method: str, *params: Any) -> Any:
        return self.node.rpc.batch([(method, list(params))], 5)[0]

    def block(self, tag: str) -> Any:
        return self.ask("eth_getBlockByNumber", tag, False)

    def head(self) -> int:
        return int(self.block("latest")["number"], 16)

    def check(self) -> Any:
        return self.evm.check(USDC, self.a, self.signature, 5)

    def use(self) -> Any:
        return self.evm.find_use(USDC, self.a, self.seen, 5)

    def pay(self, nonce: int = 0, **fees: int) -> bytes:
        return self.relayer.transaction(nonce, self.data, **fees)

    def send(self, raw: bytes) -> Bytes32:
        """Plainly: anvil's waiting method would wait for a block that never comes by itself."""
        answer = self.ask("eth_sendRawTransaction", "0x" + raw.hex())
        assert answer == str(transaction_hash(raw)), answer
        return transaction_hash(raw)

    def refusal(self, raw: bytes) -> BroadcastRefusedKind:
        with pytest.raises(BroadcastRefused) as refused:
            self.evm.broadcast(raw, 5)
        return refused.value.kind


def test_a_payment_from_check_to_proof(node: Any) -> None:
    """Unused; seen used at ``pending`` once it waits in the pool, at ``latest`` once it is mined; then the proof."""
    case = Case(node)
    before = case.evm.prepare(USDC, case.a, case.signature, case.relayer.address, 5)
    assert (before.check.nonce_used, before.check.balance, before.check.would_succeed) == (False, PRICE, True)
    assert before.chain_nonce == 0
    sent = case.send(case.pay())
    assert case.check().nonce_used
    assert not case.use().used
    assert case.evm.receipt([sent], 5) is None
    assert case.evm.transaction_count(case.relayer.address, 5) == 0
    assert int(case.ask("eth_getTransactionCount", case.relayer.address.lower, "pending"), 16) == 1
    node.mine()
    receipt = case.evm.receipt([sent], 5)
    proof = case.use().proof
    assert receipt is not None
    assert receipt.succeeded
    assert receipt.sender == case.relayer.address
    assert [log.log_index for log in receipt.logs] == [0, 1]
    assert (proof.transaction, proof.log_index, proof.block_hash) == (sent, 1, receipt.block_hash)
    assert case.evm.transaction_count(case.relayer.address, 5) == 1
    assert case.evm.block_hash_at(receipt.block_number, 5) == receipt.block_hash
    assert case.evm.block_hash_at(case.head() + 10, 5) is None
    assert case.check().balance == 0


def test_the_same_bytes_are_taken_once_and_known_ever_after(node: Any) -> None:
    """Known while they wait, their nonce spent when they are mined: neither is a refusal (threat 60)."""
    case = Case(node)
    raw = case.pay()
    case.send(raw)
    error = case.ask("eth_sendRawTransaction", "0x" + raw.hex())
    assert isinstance(error, RpcError)
    assert "already" in error.message
    node.mine()
    error = case.ask("eth_sendRawTransaction", "0x" + raw.hex())
    assert isinstance(error, RpcError)
    assert case.evm.broadcast(raw, 5) is None


def test_history_is_kept(node: Any) -> None:
    """A call at an older block sees the older state, with a use above it."""
    case = Case(node)
    case.send(case.pay())
    node.mine(3)
    state = {
        "to": USDC.address.lower,
        "data": "0x" + eip3009.authorization_state_calldata(case.a.from_, case.a.nonce).hex(),
    }
    assert int(case.ask("eth_call", state, hex(case.seen)), 16) == 0
    assert int(case.ask("eth_call", state, "latest"), 16) == 1
    assert case.use().proof is not None


def test_a_drained_payer_reverts_and_the_nonce_is_spent(node: Any) -> None:
    """Status 0 and no logs; the authorization is unused still (threat 56)."""
    case = Case(node)
    raw = case.pay()
    case.relayer, thief = Account(), case.relayer
    node.give_gas(str(case.relayer.address), 10**18)
    case.send(case.relayer.transaction(0, calldata("drain(address)", str(case.payer.address))))
    node.mine()
    assert not case.check().would_succeed
    sent = case.send(raw)
    node.mine()
    receipt = case.evm.receipt([sent], 5)
    assert receipt is not None
    assert not receipt.succeeded
    assert receipt.logs == ()
    assert not case.use().used
    assert case.evm.transaction_count(thief.address, 5) == 1


def test_a_cancellation_is_proof_at_depth(node: Any) -> None:
    """Used without our Transfer: first not deep enough, then a failure (threat 52)."""
    case = Case(node)
    node.give_gas(str(case.payer.address), 10**18)
    types = keccak256(b"CancelAuthorization(address authorizer,bytes32 nonce)")
    struct = keccak256(types + eip3009.address_word(case.payer.address) + case.a.nonce.raw)
    digest = keccak256(b"\x19\x01" + eip3009.domain_separator(USDC, INFO.network) + struct)
    signed = case.payer.signer.sign(digest)
    cancel = "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)"
    values = (str(case.payer.address), case.a.nonce.raw, signed[64], signed[:32], signed[32:64])
    case.send(case.payer.transaction(0, calldata(cancel, *values)))
    node.mine()
    assert case.check().nonce_used
    with pytest.raises(ChainUnavailable, match="not deep enough"):
        case.use()
    node.mine(INFO.confirmations)
    assert case.use().failure is not None


def test_an_expiry_is_proof_at_depth(node: Any) -> None:
    """The token refuses it at once; it is over only when a deep block is past the deadline."""
    case = Case(node, valid_for=6)
    node.mine(4)
    assert not case.check().would_succeed
    assert case.use().failure is None
    node.mine(INFO.confirmations)
    assert case.use().finalised_past_deadline


def test_nonces_mine_in_order_and_a_gap_waits(node: Any) -> None:
    """The later one waits for the earlier one, then both are mined; logs are counted through the block."""
    case = Case(node)
    other = Case(node)
    later = case.send(case.relayer.transaction(1, other.data))
    node.mine()
    assert case.evm.receipt([later], 5) is None
    case.send(case.pay(0))
    node.mine()
    receipt = case.evm.receipt([later], 5)
    assert receipt is not None
    assert receipt.succeeded
    assert [log.log_index for log in receipt.logs] == [2, 3]
    assert case.use().proof.block_number == other.use().proof.block_number


def test_a_replacement_has_to_pay_more(node: Any) -> None:
    """Higher fees at the same nonce: one of the two mines; lower are refused (threat 59). geth asks a tenth more."""
    case = Case(node)
    first = case.send(case.pay())
    assert case.refusal(case.pay(max_fee=9 * GWEI, tip=GWEI // 2)) is BroadcastRefusedKind.UNDERPRICED
    second = case.send(case.pay(max_fee=12 * GWEI, tip=2 * GWEI))
    node.mine()
    assert case.evm.receipt([first], 5) is None
    assert case.evm.receipt([second], 5) is not None
    assert case.use().proof.transaction == second


def test_without_gas_nothing_is_taken(node: Any) -> None:
    """The refusal names the cause; nothing waits anywhere."""
    case = Case(node)
    node.give_gas(str(case.relayer.address), 1)
    assert case.refusal(case.pay()) is BroadcastRefusedKind.INSUFFICIENT_GAS_FUNDS
    node.give_gas(str(case.relayer.address), 10**18)
    node.mine()
    assert not case.use().used


def test_a_reorganisation_takes_blocks_back(node: Any) -> None:
    """The receipt is gone, the block's hash is another, the authorization is unused and the money is back."""
    case = Case(node)
    sent = case.send(case.pay())
    node.mine(2)
    receipt = case.evm.receipt([sent], 5)
    assert receipt is not None
    assert case.use().proof is not None
    node.reorganise(2)
    assert case.evm.receipt([sent], 5) is None
    node.mine(2)
    assert case.evm.block_hash_at(receipt.block_number, 5) not in (None, receipt.block_hash)
    assert not case.use().used
    assert case.check().balance == PRICE
    case.send(case.pay())
    node.mine()
    assert case.use().proof is not None


def test_logs_are_found_by_topic(node: Any) -> None:
    """A list in a place means any of them, ``null`` anything; another payer's are left out."""
    case, other = Case(node), Case(node)
    case.send(case.pay())
    other.send(other.pay())
    node.mine()
    used = "0x" + eip3009.AUTHORIZATION_USED_TOPIC.hex()
    cancelled = "0x" + eip3009.AUTHORIZATION_CANCELED_TOPIC.hex()
    payer = "0x" + eip3009.address_word(case.payer.address).hex()

    def count(*topics: Any) -> int:
        query = {
            "address": USDC.address.lower,
            "fromBlock": hex(case.seen),
            "toBlock": "latest",
            "topics": list(topics),
        }
        return len(case.ask("eth_getLogs", query))

    assert count([used, cancelled], payer) == 1
    assert count(used) == 2
    assert count(None, payer) == 2
    assert count([cancelled], payer) == 0


def test_errors_have_the_codes_that_are_looked_for(node: Any) -> None:
    """A revert is 3, an unknown method -32601."""
    case = Case(node)
    bad = {"to": USDC.address.lower, "data": "0x" + case.data[:-1].hex() + "00"}
    reverted, unknown = case.ask("eth_call", bad, "latest"), case.ask("eth_noSuchThing")
    assert isinstance(reverted, RpcError)
    assert reverted.code == 3
    assert isinstance(unknown, RpcError)
    assert unknown.code == -32601
    assert case.block(hex(case.head() + 100)) is None
    assert case.ask("eth_getTransactionReceipt", "0x" + "ab" * 32) is None
    assert case.ask("eth_getTransactionByHash", "0x" + "ab" * 32) is None
