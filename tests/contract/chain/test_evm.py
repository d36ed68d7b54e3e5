"""EvmChain's checks, preparations and receipts: on anvil with a real EIP-3009 token, and on doubles."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.chain.conftest import BASE_SEPOLIA, PAY_TO, USDC, OnChain, sign
from tests.contract.chain.doubles import Fault, Node, replay, rpc_node
from tollgate.chain.evm import DEFAULT_TIP, EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.chain.transactions import transaction_hash
from tollgate.errors import ChainUnavailable
from tollgate.payment.networks import network_info
from tollgate.schemes.exact import eip3009
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32

EvmOf = Callable[[Node], EvmChain]


def test_a_good_payment_checks_out(onchain: OnChain) -> None:
    """Unused nonce, the balance in atomic units, a simulation that succeeds, the head."""
    _, a, signature = onchain.authorize()
    check = onchain.evm.check(onchain.asset, a, signature, 5)
    assert (check.nonce_used, check.balance, check.would_succeed) == (False, 100_000_000, True)
    assert check.head.number == onchain.head()
    assert check.head.timestamp == onchain.now()
    assert check.head.hash == onchain.evm.block_hash_at(check.head.number, 5)


def test_what_would_fail_on_chain_fails_in_the_check(onchain: OnChain) -> None:
    """Too little money, expired, not yet valid, a stranger's signature, a paused token."""
    payer, a, signature = onchain.authorize()

    def succeeds(b: Authorization, s: bytes) -> bool:
        return onchain.evm.check(onchain.asset, b, s, 5).would_succeed

    assert succeeds(a, signature)
    for bad in (
        replace(a, value=100_000_001),
        replace(a, valid_before=onchain.now()),
        replace(a, valid_after=onchain.now() + 1000),
    ):
        assert not succeeds(bad, sign(payer, bad))
    stranger, _, _ = onchain.authorize()
    assert not succeeds(a, sign(stranger, a))
    onchain.node.send("pause(bool)", True)
    assert not succeeds(a, signature)


def test_a_used_nonce_and_a_spent_balance_show(onchain: OnChain) -> None:
    """After the payment itself."""
    _, a, signature = onchain.authorize(value=40_000_000)
    onchain.pay(a, signature)
    check = onchain.evm.check(onchain.asset, a, signature, 5)
    assert (check.nonce_used, check.balance, check.would_succeed) == (True, 60_000_000, False)


def test_rule_3_a_use_that_is_only_in_the_pool_already_shows(onchain: OnChain) -> None:
    """A payment copied from the mempool is refused before it is mined: the check reads ``pending``."""
    _, a, signature = onchain.authorize()
    onchain.node.stop_mining()
    raw = onchain.transaction(eip3009.transfer_calldata(a, signature))
    assert onchain.evm.broadcast(raw, 0.3) is None
    onchain.wait_for_pool(raw)
    check = onchain.evm.check(onchain.asset, a, signature, 5)
    assert check.nonce_used
    assert not check.would_succeed


def test_a_preparation_is_one_post_and_counts_mined_transactions_only(onchain: OnChain) -> None:
    """Nonce, base fee and tip come with the check."""
    relayer = onchain.relayer.address()
    _, a, signature = onchain.authorize()
    preparation = onchain.evm.prepare(onchain.asset, a, signature, relayer, 5)
    block = onchain.node.rpc("eth_getBlockByNumber", "latest", False)
    assert preparation.check.would_succeed
    assert preparation.chain_nonce == 0
    assert preparation.base_fee == int(block["baseFeePerGas"], 16)
    assert preparation.tip == int(onchain.node.rpc("eth_maxPriorityFeePerGas"), 16)
    onchain.node.stop_mining()
    raw = onchain.transaction(eip3009.transfer_calldata(a, signature))
    assert onchain.evm.broadcast(raw, 0.3) is None
    onchain.wait_for_pool(raw)
    assert onchain.evm.prepare(onchain.asset, a, signature, relayer, 5).chain_nonce == 0
    onchain.node.mine()
    assert onchain.evm.prepare(onchain.asset, a, signature, relayer, 5).chain_nonce == 1


def test_gas_balances_come_in_the_order_asked(onchain: OnChain) -> None:
    """In wei, whatever their size."""
    rich, poor = Address(b"\x01" * 20), Address(b"\x02" * 20)
    onchain.node.give_gas(str(rich), 2**100)
    assert onchain.evm.balances([poor, rich, poor], 5) == [0, 2**100, 0]
    assert onchain.evm.balances([], 5) == []


def test_the_pinned_domain_is_the_tokens_own(onchain: OnChain) -> None:
    """Another version, name or a contract without the getter: no match."""
    assert onchain.evm.domain_matches(onchain.asset, 5)
    assert not onchain.evm.domain_matches(replace(onchain.asset, version="1"), 5)
    assert not onchain.evm.domain_matches(replace(onchain.asset, name="USD Coin"), 5)
    assert not onchain.evm.domain_matches(replace(onchain.asset, address=PAY_TO), 5)


def test_a55_an_address_without_code_is_no_token(onchain: OnChain) -> None:
    """Calls to it "succeed" with nothing: that is not an answer."""
    _, a, signature = onchain.authorize()
    with pytest.raises(ChainUnavailable):
        onchain.evm.check(replace(onchain.asset, address=PAY_TO), a, signature, 5)


def test_block_hashes_are_those_of_the_chain_and_none_above_the_head(onchain: OnChain) -> None:
    """What reconcile compares to notice a reorganisation."""
    onchain.node.mine(2)
    number = onchain.head() - 1
    block = onchain.node.rpc("eth_getBlockByNumber", hex(number), False)
    assert str(onchain.evm.block_hash_at(number, 5)) == block["hash"]
    assert onchain.evm.block_hash_at(onchain.head() + 1000, 5) is None


def test_a_reverted_transaction_has_a_receipt_that_says_so(onchain: OnChain) -> None:
    """And no logs; that proves nothing about the payment (threat 56)."""
    _, a, signature = onchain.authorize()
    onchain.pay(a, signature)
    receipt = onchain.evm.broadcast(onchain.transaction(eip3009.transfer_calldata(a, signature)), 5)
    assert receipt is not None
    assert not receipt.succeeded
    assert receipt.logs == ()
    assert onchain.evm.receipt([receipt.transaction], 5) == receipt
    assert onchain.evm.receipt([Bytes32(bytes(32))], 5) is None


def test_an_endpoint_of_another_network_is_never_believed(anvil: Any) -> None:
    """A main network's endpoint behind a test network's name, or the other way round."""
    base = EvmChain(RpcClient([anvil.chain.url]), network_info("base"))
    asset = network_info("base").asset("USDC")
    with pytest.raises(ChainUnavailable, match="another network"):
        base.find_use(asset, _A, 0, 5)
    with pytest.raises(ChainUnavailable, match="another network"):
        base.check(asset, _A, bytes(65), 5)
    with pytest.raises(ChainUnavailable, match="another network"):
        base.transaction_count(PAY_TO, 5)


# --- doubles ---------------------------------------------------------------------------------------

_A = Authorization(Address(b"\x0a" * 20), PAY_TO, 10_000, 0, 2**40, Bytes32(b"\x0b" * 32))
_BLOCK = {"number": "0x7", "timestamp": "0x64", "hash": "0x" + "07" * 32, "baseFeePerGas": "0x3b9aca00"}
_ZERO, _ONE = "0x" + "00" * 32, "0x" + "00" * 31 + "01"


def _token(state: Any = _ZERO, balance: Any = _ONE, transfer: Any = "0x") -> Callable[..., Any]:
    answers = {
        eip3009.authorization_state_calldata(_A.from_, _A.nonce): state,
        eip3009.balance_calldata(_A.from_): balance,
        eip3009.transfer_calldata(_A, bytes(65)): transfer,
    }

    def call(request: dict[str, str], block: str) -> Any:
        answer = answers[bytes.fromhex(request["data"][2:])]
        return answer(block) if callable(answer) else answer

    return call


def _methods(**other: Any) -> dict[str, Any]:
    return {"eth_chainId": "0x14a34", "eth_call": _token(), "eth_getBlockByNumber": _BLOCK, **other}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(3, "execution reverted: FiatTokenV2: invalid signature", "0x08c379a0"),
        Fault(-32000, "execution reverted"),
        Fault(-32015, "VM execution error."),
    ],
    ids=["geth", "older", "nethermind"],
)
def test_a_revert_in_any_dialect_means_that_it_would_not_succeed(fault: Fault, evm_of: EvmOf) -> None:
    """The other results of the batch stand."""
    with rpc_node(replay(_methods(eth_call=_token(transfer=fault)))) as node:
        check = evm_of(node).check(USDC, _A, bytes(65), 5)
    assert (check.nonce_used, check.balance, check.would_succeed) == (False, 1, False)
    assert len(node.bodies) == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"eth_call": _token(transfer=Fault(-32005, "rate limit"))},
        {"eth_call": _token(transfer=Fault(-32603, "internal error"))},
        {"eth_call": _token(transfer=None)},
        {"eth_call": _token(state="0x")},
        {"eth_call": _token(state="0x" + "00" * 31 + "02")},
        {"eth_call": _token(state=Fault(-32005, "rate limit"))},
        {"eth_call": _token(balance="0x1")},
        {"eth_call": _token(balance=Fault(3, "execution reverted"))},
        {"eth_call": _token(balance=7)},
        {"eth_getBlockByNumber": None},
        {"eth_getBlockByNumber": {**_BLOCK, "number": 7}},
        {"eth_getBlockByNumber": {**_BLOCK, "hash": None}},
        {"eth_getBlockByNumber": {**_BLOCK, "timestamp": "0x" + "f" * 65}},
        {"eth_chainId": None},
    ],
    ids=lambda broken: json.dumps(list(broken)),
)
def test_a58_a_missing_or_odd_result_is_unknown_not_a_verdict(broken: dict[str, Any], evm_of: EvmOf) -> None:
    """Above all: an overloaded node's error is not a revert."""
    with rpc_node(replay(_methods(**broken))) as node, pytest.raises(ChainUnavailable):
        evm_of(node).check(USDC, _A, bytes(65), 5)


def test_a_node_without_pending_is_asked_at_latest_and_remembered(evm_of: EvmOf) -> None:
    """Once per instance."""

    def no_pending(value: str) -> Callable[[str], Any]:
        return lambda block: Fault(-32602, "invalid block tag") if block == "pending" else value

    token = _token(no_pending(_ZERO), no_pending(_ONE), no_pending("0x"))
    with rpc_node(replay(_methods(eth_call=token))) as node:
        evm = evm_of(node)
        for _ in range(2):
            assert evm.check(USDC, _A, bytes(65), 5).would_succeed
    tags = [call["params"][1] for body in node.bodies for call in body if call["method"] == "eth_call"]
    assert tags == ["pending"] * 3 + ["latest"] * 6


def test_an_overloaded_moment_does_not_switch_pending_off(evm_of: EvmOf) -> None:
    """Rule 3 reads pending where the node has it."""
    with rpc_node(replay(_methods(eth_call=_token(state=Fault(-32005, "rate limited"))))) as node:
        evm = evm_of(node)
        with pytest.raises(ChainUnavailable):
            evm.check(USDC, _A, bytes(65), 5)
        node.answer = replay(_methods())
        evm.check(USDC, _A, bytes(65), 5)
    tags = {call["params"][1] for body in node.bodies for call in body if call["method"] == "eth_call"}
    assert tags == {"pending"}


def test_a_node_without_a_tip_oracle_gets_the_default_tip(evm_of: EvmOf) -> None:
    """0.001 gwei, Base's usual one; a missing transaction count is unknown, though."""
    with rpc_node(replay(_methods(eth_getTransactionCount="0x5", eth_getBalance="0x1"))) as node:
        preparation = evm_of(node).prepare(USDC, _A, bytes(65), PAY_TO, 5)
        assert (preparation.chain_nonce, preparation.base_fee, preparation.tip) == (5, 10**9, DEFAULT_TIP)
        assert len(node.bodies) == 1
        node.answer = replay(_methods(eth_maxPriorityFeePerGas="0x1"))
        with pytest.raises(ChainUnavailable):
            evm_of(node).prepare(USDC, _A, bytes(65), PAY_TO, 5)


_RECEIPT = {
    "transactionHash": "0x" + "11" * 32,
    "blockHash": "0x" + "22" * 32,
    "blockNumber": "0x7",
    "status": "0x1",
    "from": "0x" + "33" * 20,
    "logs": [],
}


def test_a58_a_receipt_that_appears_late_is_waited_for_through_failures(evm_of: EvmOf) -> None:
    """Null, an error, an HTTP 502, then the receipt: one answer."""
    script: list[Any] = [None, Fault(-32005, "rate limit"), "502", None, _RECEIPT]

    def sleep(seconds: float) -> None:
        assert seconds == 0.5
        now[0] += seconds

    now = [0.0]
    with rpc_node(replay({})) as node:

        def answer(exchange: Any) -> None:
            step = script.pop(0)
            if step == "502":
                exchange.send(502, b"<html>")
            else:
                replay({"eth_getTransactionReceipt": step})(exchange)

        node.answer = answer
        receipt = evm_of(node).wait_receipt([Bytes32(b"\x11" * 32)], 10.0, lambda: now[0], sleep)
    assert receipt is not None
    assert receipt.block_number == 7
    assert now == [2.0]


def test_waiting_for_a_receipt_ends_at_the_deadline_with_nothing_proven(evm_of: EvmOf) -> None:
    """None, however often it was asked; the last pause does not overshoot."""
    now = [0.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    with rpc_node(replay({"eth_getTransactionReceipt": None})) as node:
        assert evm_of(node).wait_receipt([Bytes32(bytes(32))], 1.7, lambda: now[0], sleep) is None
        assert sum(pauses) == pytest.approx(1.7)
        assert len(node.bodies) == 4
        assert evm_of(node).wait_receipt([Bytes32(bytes(32))], 1.7, lambda: now[0], sleep) is None
        assert len(node.bodies) == 4


@pytest.mark.parametrize(
    "other",
    [
        {"transactionHash": "0x" + "99" * 32},
        {"status": None},
        {"status": "0x2"},
        {"from": None},
        {"logs": None},
        {"logs": [{}]},
        {"logs": "0x"},
    ],
    ids=json.dumps,
)
def test_a_receipt_that_is_not_whole_is_unknown(other: dict[str, Any], evm_of: EvmOf) -> None:
    """Never half believed."""
    with (
        rpc_node(replay({"eth_getTransactionReceipt": _RECEIPT | other})) as node,
        pytest.raises(ChainUnavailable),
    ):
        evm_of(node).receipt([Bytes32(b"\x11" * 32)], 5)


def test_the_fields_of_a_receipt_are_read_as_the_chain_has_them(onchain: OnChain) -> None:
    """Compared with the raw JSON of the node."""
    _, a, signature = onchain.authorize()
    raw = onchain.transaction(eip3009.transfer_calldata(a, signature))
    onchain.evm.broadcast(raw, 5)
    receipt = onchain.evm.receipt([transaction_hash(raw)], 5)
    plain = onchain.node.receipt(str(transaction_hash(raw)))
    assert receipt is not None
    assert plain is not None
    assert receipt.block_number == int(plain["blockNumber"], 16)
    assert str(receipt.block_hash) == plain["blockHash"]
    assert receipt.sender == Address.parse(plain["from"])
    assert [log.log_index for log in receipt.logs] == [int(log["logIndex"], 16) for log in plain["logs"]]
    assert [log.topics[0] for log in receipt.logs] == [
        eip3009.AUTHORIZATION_USED_TOPIC,
        eip3009.TRANSFER_TOPIC,
    ]
    assert BASE_SEPOLIA.asset("USDC").address == receipt.logs[0].address
