"""Broadcasting: on a real chain, and against recorded refusals (threat 60)."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.chain.conftest import OnChain
from tests.contract.chain.doubles import Fault, Node, replay, rpc_node
from tollgate.chain.evm import BroadcastRefused, BroadcastRefusedKind, EvmChain
from tollgate.chain.signer import LocalSigner
from tollgate.chain.transactions import transaction_hash
from tollgate.errors import ChainUnavailable, UnknownOutcome
from tollgate.schemes.exact import eip3009
from tollgate.wire.primitives import Address

EvmOf = Callable[[Node], EvmChain]
RAW = bytes.fromhex("02c0")
HASH = transaction_hash(RAW)
SYNC, PLAIN = "eth_sendRawTransactionSync", "eth_sendRawTransaction"


def test_the_node_that_waits_answers_with_the_receipt_in_one_call(onchain: OnChain) -> None:
    """anvil has eth_sendRawTransactionSync: broadcast, mined, proven, without a poll."""
    _, a, signature = onchain.authorize()
    raw = onchain.transaction(eip3009.transfer_calldata(a, signature))
    receipt = onchain.evm.broadcast(raw, 5)
    assert receipt is not None
    assert receipt.succeeded
    assert receipt.transaction == transaction_hash(raw)
    assert receipt.sender == onchain.relayer.address()
    assert eip3009.find_transfer(receipt.logs, onchain.asset.address, a) is not None


def test_a60_the_same_bytes_again_are_no_error(onchain: OnChain) -> None:
    """Mined ("nonce too low") and still in the pool ("already imported"): both mean: look for it."""
    _, a, signature = onchain.authorize()
    raw = onchain.transaction(eip3009.transfer_calldata(a, signature))
    onchain.node.stop_mining()
    assert onchain.evm.broadcast(raw, 0.3) is None
    onchain.wait_for_pool(raw)
    assert onchain.evm.broadcast(raw, 5) is None
    onchain.node.mine()
    assert onchain.evm.broadcast(raw, 5) is None
    receipt = onchain.evm.receipt([transaction_hash(raw)], 5)
    assert receipt is not None
    assert receipt.succeeded


def test_a54_a_block_that_does_not_come_ends_at_the_timeout_with_the_bytes_in_the_pool(
    onchain: OnChain,
) -> None:
    """The node would wait half a minute; we do not, and the transaction is mined all the same."""
    _, a, signature = onchain.authorize()
    raw = onchain.transaction(eip3009.transfer_calldata(a, signature))
    onchain.node.stop_mining()
    started = time.monotonic()
    assert onchain.evm.broadcast(raw, 0.5) is None
    assert time.monotonic() - started < 3
    onchain.wait_for_pool(raw)
    onchain.node.mine_at_once()
    onchain.node.mine()
    assert onchain.evm.wait_receipt([transaction_hash(raw)], time.time() + 5, time.time, time.sleep) is not None


def test_a_nonce_ahead_of_its_turn_waits_in_the_pool(onchain: OnChain) -> None:
    """anvil keeps it; when the gap fills, both are mined."""
    _, a, signature = onchain.authorize()
    _, b, other = onchain.authorize()
    count = onchain.evm.transaction_count(onchain.relayer.address(), 5)
    second = onchain.transaction(eip3009.transfer_calldata(b, other), nonce=count + 1)
    assert onchain.evm.broadcast(second, 0.3) is None
    first = onchain.transaction(eip3009.transfer_calldata(a, signature), nonce=count)
    assert onchain.evm.broadcast(first, 5) is not None
    assert onchain.evm.wait_receipt([transaction_hash(second)], time.time() + 5, time.time, time.sleep) is not None


def test_refusals_of_a_real_node_have_their_kind(onchain: OnChain) -> None:
    """No gas, a fee under the base fee, a taken nonce with other bytes, a broken transaction."""
    _, a, signature = onchain.authorize()
    data = eip3009.transfer_calldata(a, signature)

    def kind_of(raw: bytes) -> BroadcastRefusedKind:
        with pytest.raises(BroadcastRefused) as caught:
            onchain.evm.broadcast(raw, 5)
        assert isinstance(caught.value, UnknownOutcome)
        return caught.value.kind

    poor = OnChain(onchain.node, onchain.evm, LocalSigner(b"\x07" * 32), onchain.info, onchain.asset)
    onchain.node.give_gas(str(poor.relayer.address()), 0)
    assert kind_of(poor.transaction(data)) is BroadcastRefusedKind.INSUFFICIENT_GAS_FUNDS
    assert kind_of(onchain.transaction(data, max_fee=1)) is BroadcastRefusedKind.UNDERPRICED
    assert kind_of(b"\x02\xc0") is BroadcastRefusedKind.OTHER
    onchain.node.stop_mining()
    assert onchain.evm.broadcast(onchain.transaction(data), 0.3) is None
    onchain.wait_for_pool(onchain.transaction(data))
    replacement = onchain.transaction(data, to=Address(bytes(19) + b"\x01"))
    assert kind_of(replacement) is BroadcastRefusedKind.UNDERPRICED


# What the method answers, and what it means; None: the network has it, the receipt will tell.
# The anvil lines are recorded from version 1.7.1; the others are the texts in the nodes' sources.
TABLE: dict[str, tuple[Fault, BroadcastRefusedKind | type[ChainUnavailable] | None]] = {
    "anvil: mined before": (Fault(-32003, "nonce too low"), None),
    "anvil: in the pool": (Fault(-32003, "transaction already imported"), None),
    "anvil: no gas": (
        Fault(-32003, "Insufficient funds for gas * price + value"),
        BroadcastRefusedKind.INSUFFICIENT_GAS_FUNDS,
    ),
    "anvil: other bytes hold the nonce": (
        Fault(-32003, "replacement transaction underpriced"),
        BroadcastRefusedKind.UNDERPRICED,
    ),
    "anvil: fee below the base fee": (
        Fault(-32003, "max fee per gas less than block base fee"),
        BroadcastRefusedKind.UNDERPRICED,
    ),
    "anvil: gas below the intrinsic cost": (
        Fault(-32000, "intrinsic gas too low"),
        BroadcastRefusedKind.OTHER,
    ),
    "anvil: gas above the block's": (
        Fault(-32000, "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit"),
        BroadcastRefusedKind.OTHER,
    ),
    "anvil: another chain": (Fault(-32003, "invalid chain id for signer"), BroadcastRefusedKind.OTHER),
    "anvil: not a transaction": (Fault(-32602, "Failed to decode transaction"), BroadcastRefusedKind.OTHER),
    "geth: in the pool": (Fault(-32000, "already known"), None),
    "geth: mined before": (Fault(-32000, "nonce too low: next nonce 7, tx nonce 6"), None),
    "geth: nonce too high": (
        Fault(-32000, "nonce too high: tx nonce 9, gapped nonce 7"),
        BroadcastRefusedKind.NONCE_TOO_HIGH,
    ),
    "geth: no gas": (
        Fault(-32000, "insufficient funds for gas * price + value: balance 0, tx cost 1"),
        BroadcastRefusedKind.INSUFFICIENT_GAS_FUNDS,
    ),
    "geth: tip too small": (
        Fault(-32000, "transaction underpriced: gas tip cap 1, minimum needed 1000000"),
        BroadcastRefusedKind.UNDERPRICED,
    ),
    "geth: pool full": (Fault(-32000, "txpool is full"), BroadcastRefusedKind.OTHER),
    "nethermind: in the pool": (Fault(-32010, "AlreadyKnown"), None),
    "nethermind: mined before": (Fault(-32010, "OldNonce, Current nonce: 7, nonce of rejected tx: 6"), None),
    "nethermind: fee": (Fault(-32010, "FeeTooLow, MaxFeePerGas too low"), BroadcastRefusedKind.UNDERPRICED),
    "erigon: gap": (Fault(-32000, "nonce gap"), BroadcastRefusedKind.NONCE_TOO_HIGH),
    "a provider's quota": (
        Fault(-32005, "daily request count exceeded, request rate limited"),
        ChainUnavailable,
    ),
    "a provider's time limit": (Fault(-32000, "upstream request timed out"), ChainUnavailable),
    "words never seen": (Fault(-32099, "the moon is in the wrong house"), BroadcastRefusedKind.OTHER),
}


@pytest.mark.parametrize("methods", [(PLAIN,), (SYNC, PLAIN)], ids=["polling node", "waiting node"])
@pytest.mark.parametrize(("fault", "meaning"), TABLE.values(), ids=TABLE.keys())
def test_a60_every_refusal_has_a_meaning_and_none_is_a_failed_payment(
    fault: Fault,
    meaning: BroadcastRefusedKind | type[ChainUnavailable] | None,
    methods: tuple[str, ...],
    evm_of: EvmOf,
) -> None:
    """Whichever method answers so; whatever is raised is an unknown outcome without the node's words."""
    with rpc_node(replay(dict.fromkeys(methods, fault))) as node:
        evm = evm_of(node)
        if meaning is None:
            assert evm.broadcast(RAW, 5) is None
            return
        with pytest.raises(UnknownOutcome) as caught:
            evm.broadcast(RAW, 5)
    assert fault.message not in str(caught.value)
    if isinstance(meaning, BroadcastRefusedKind):
        assert isinstance(caught.value, BroadcastRefused)
        assert caught.value.kind is meaning
    else:
        assert isinstance(caught.value, meaning)


NO_SYNC = [
    Fault(-32601, "the method eth_sendRawTransactionSync does not exist/is not available"),
    Fault(-32600, "Unsupported method: eth_sendRawTransactionSync on BASE_MAINNET"),
    Fault(-32004, "not allowed on this plan"),
]


@pytest.mark.parametrize("fault", NO_SYNC, ids=lambda f: str(f.code))
def test_a_node_without_the_waiting_method_is_asked_for_it_once(fault: Fault, evm_of: EvmOf) -> None:
    """Probed on the first broadcast, remembered for the next."""
    with rpc_node(replay({SYNC: fault, PLAIN: str(HASH)})) as node:
        evm = evm_of(node)
        assert [evm.broadcast(RAW, 5) for _ in range(3)] == [None, None, None]
    assert node.methods == [SYNC, PLAIN, PLAIN, PLAIN]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(4, "The transaction was added to the mempool but wasn't processed in 2s.", str(HASH)),
        Fault(
            5,
            "The transaction was added to the mempool but wasn't processed due to a missing nonce",
            str(HASH),
        ),
        Fault(-32603, "Transaction confirmation timeout"),
    ],
    ids=["EIP-7966: timeout", "EIP-7966: not ready", "anvil"],
)
def test_a54_a_node_that_waited_in_vain_has_the_transaction(fault: Fault, evm_of: EvmOf) -> None:
    """Not asked again in the plain way: the bytes are in the pool."""
    with rpc_node(replay({SYNC: fault})) as node:
        assert evm_of(node).broadcast(RAW, 5) is None
    assert node.methods == [SYNC]


def test_an_http_error_for_the_waiting_method_falls_back_to_the_plain_one(evm_of: EvmOf) -> None:
    """Some providers answer unknown methods with a status of their own."""
    with rpc_node(lambda x: x.send(403, b"{}")) as node:
        honest = replay({PLAIN: str(HASH)})
        node.answer = lambda x: x.send(403, b"{}") if x.body["method"] == SYNC else honest(x)
        assert evm_of(node).broadcast(RAW, 5) is None
    assert node.methods == [SYNC, PLAIN]


def test_another_hash_than_ours_is_not_taken_for_acceptance(evm_of: EvmOf) -> None:
    """A node that answers so did something else with the bytes."""
    with rpc_node(replay({PLAIN: "0x" + "11" * 32})) as node, pytest.raises(ChainUnavailable):
        evm_of(node).broadcast(RAW, 5)


def test_a_preconfirmation_without_a_block_is_not_a_receipt(evm_of: EvmOf) -> None:
    """A block still being built may be built differently: it is looked for later."""
    building: dict[str, Any] = {
        "transactionHash": str(HASH),
        "blockHash": None,
        "blockNumber": "0x7",
        "status": "0x1",
        "logs": [],
    }
    with rpc_node(replay({SYNC: building})) as node:
        evm = evm_of(node)
        assert evm.broadcast(RAW, 5) is None
        node.answer = replay({SYNC: building | {"blockHash": "0x" + "00" * 32, "from": "0x" + "11" * 20}})
        assert evm.broadcast(RAW, 5) is None


def test_a_receipt_of_another_transaction_is_refused(evm_of: EvmOf) -> None:
    """A receipt is believed only for the hash that was asked for."""
    other = {
        "transactionHash": "0x" + "11" * 32,
        "blockHash": "0x" + "22" * 32,
        "blockNumber": "0x7",
        "status": "0x1",
        "from": "0x" + "33" * 20,
        "logs": [],
    }
    with rpc_node(replay({SYNC: other})) as node, pytest.raises(ChainUnavailable):
        evm_of(node).broadcast(RAW, 5)
