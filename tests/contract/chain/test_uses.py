"""What became of an authorization: on a real chain, then on nodes that lag or refuse."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from local.chain import calldata
from tests.contract.chain.conftest import BASE_SEPOLIA, PAY_TO, USDC, OnChain, sign
from tests.contract.chain.doubles import Fault, Node, replay, rpc_node
from tollgate.chain.evm import EvmChain
from tollgate.chain.uses import CHUNK_BLOCKS, MAX_CHUNKS
from tollgate.errors import ChainUnavailable
from tollgate.schemes.exact import eip3009
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32

EvmOf = Callable[[Node], EvmChain]


def test_a_payment_is_found_with_its_proof_whoever_sent_it(onchain: OnChain) -> None:
    """Threat 51: a stranger submitted the authorization; the money reached the seller, so it is paid."""
    _, a, signature = onchain.authorize()
    seen = onchain.head()
    args = (str(a.from_), str(a.to), a.value, a.valid_after, a.valid_before, a.nonce.raw, signature)
    by_stranger = onchain.node.send(
        "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)", *args
    )
    onchain.node.mine(3)
    use = onchain.evm.find_use(onchain.asset, a, seen, 5)
    receipt = onchain.evm.receipt([Bytes32.parse(by_stranger)], 5)
    assert receipt is not None
    assert use.used
    assert use.proof is not None
    assert str(use.proof.transaction) == by_stranger
    assert use.proof.sender == receipt.sender != onchain.relayer.address()
    assert (use.proof.block_number, use.proof.block_hash) == (receipt.block_number, receipt.block_hash)
    assert use.proof.log_index == receipt.logs[1].log_index
    assert not use.finalised_past_deadline
    assert use.head.number == onchain.head()


def test_an_unused_authorization_proves_nothing_while_it_lives(onchain: OnChain) -> None:
    """Rule 5: unknown is not unpaid."""
    _, a, _ = onchain.authorize()
    use = onchain.evm.find_use(onchain.asset, a, onchain.head(), 5)
    assert (use.used, use.proof, use.finalised_past_deadline) == (False, None, False)


def test_an_expiry_counts_only_at_depth(onchain: OnChain) -> None:
    """validBefore has passed in the head, then in a block that is deep enough: only then it is over."""
    _, a, _ = onchain.authorize(lifetime=60)
    seen = onchain.head()
    onchain.node.rpc("evm_setNextBlockTimestamp", a.valid_before + 1)
    onchain.node.mine()
    depth = onchain.info.confirmations
    for _ in range(depth):
        assert not onchain.evm.find_use(onchain.asset, a, seen, 5).finalised_past_deadline
        onchain.node.mine()
    use = onchain.evm.find_use(onchain.asset, a, seen, 5)
    assert use.finalised_past_deadline
    assert not use.used


def test_the_deadline_itself_is_already_past(onchain: OnChain) -> None:
    """The token takes ``timestamp < validBefore`` only, so a block at exactly validBefore ends it."""
    _, a, _ = onchain.authorize()
    seen = onchain.head()
    onchain.node.rpc("evm_setNextBlockTimestamp", a.valid_before - 1)
    onchain.node.mine()
    onchain.node.rpc("evm_setNextBlockTimestamp", a.valid_before)
    onchain.node.mine()
    onchain.node.mine(onchain.info.confirmations - 1)
    assert not onchain.evm.find_use(onchain.asset, a, seen, 5).finalised_past_deadline
    onchain.node.mine()
    assert onchain.evm.find_use(onchain.asset, a, seen, 5).finalised_past_deadline


def test_a_use_before_the_deadline_is_found_after_it(onchain: OnChain) -> None:
    """The proof wins over the clock."""
    _, a, signature = onchain.authorize()
    seen = onchain.head()
    transaction = onchain.pay(a, signature)
    onchain.node.advance(1000)
    onchain.node.mine(20)
    use = onchain.evm.find_use(onchain.asset, a, seen, 5)
    assert use.proof is not None
    assert use.proof.transaction == transaction
    assert not use.finalised_past_deadline


def _cancel(onchain: OnChain, payer: LocalAccount, nonce: Bytes32) -> None:
    types = {
        "CancelAuthorization": [
            {"name": "authorizer", "type": "address"},
            {"name": "nonce", "type": "bytes32"},
        ]
    }
    domain = {"name": "USDC", "version": "2", "chainId": 84532, "verifyingContract": onchain.node.token}
    message = {"authorizer": payer.address, "nonce": nonce.raw}
    s = payer.sign_message(encode_typed_data(domain, types, message)).signature
    onchain.node.send(
        "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)",
        payer.address,
        nonce.raw,
        s[64],
        s[:32],
        s[32:64],
    )


def test_a52_a_cancelled_authorization_is_used_without_a_proof(onchain: OnChain) -> None:
    """The flag is the same as a payment's; the log is not."""
    payer, a, _ = onchain.authorize()
    seen = onchain.head()
    _cancel(onchain, payer, a.nonce)
    onchain.node.mine(onchain.info.confirmations)
    use = onchain.evm.find_use(onchain.asset, a, seen, 5)
    assert (use.used, use.proof) == (True, None)


def test_a57_a_cancellation_proves_nothing_before_it_is_deep(onchain: OnChain) -> None:
    """A reorganisation could take it back, and the payment be made after all."""
    payer, a, _ = onchain.authorize()
    seen = onchain.head()
    _cancel(onchain, payer, a.nonce)
    with pytest.raises(ChainUnavailable, match="deep"):
        onchain.evm.find_use(onchain.asset, a, seen, 5)
    onchain.node.mine(onchain.info.confirmations)
    assert onchain.evm.find_use(onchain.asset, a, seen, 5).used


def test_a_nonce_spent_on_another_payment_is_used_without_our_proof(onchain: OnChain) -> None:
    """The payer signed the same nonce for somebody else (or for less), and that one was mined."""
    payer, a, _ = onchain.authorize()
    seen = onchain.head()
    other = replace(a, to=Address(b"\x09" * 20))

    onchain.pay(other, sign(payer, other))
    onchain.node.mine(onchain.info.confirmations)
    use = onchain.evm.find_use(onchain.asset, a, seen, 5)
    assert (use.used, use.proof) == (True, None)
    mine = onchain.evm.find_use(onchain.asset, other, seen, 5)
    assert mine.proof is not None


def test_each_payment_of_a_batch_has_a_log_of_its_own(onchain: OnChain) -> None:
    """Three equal payments of one payer in one transaction: one hash, three proofs."""
    payer, first, _ = onchain.authorize()

    seen = onchain.head()
    payments = [replace(first, nonce=Bytes32(bytes([i]) * 32)) for i in (1, 2, 3)]
    batch = onchain.node.deploy_batch()
    calls = [eip3009.transfer_calldata(a, sign(payer, a)) for a in payments]
    onchain.node.send("run(address,bytes[])", onchain.node.token, calls, to=batch)
    proofs = [onchain.evm.find_use(onchain.asset, a, seen, 5).proof for a in payments]
    assert all(proof is not None for proof in proofs)
    assert len({proof.transaction for proof in proofs if proof}) == 1
    assert [proof.log_index for proof in proofs if proof] == [1, 3, 5]


def test_a_use_behind_many_blocks_is_found(onchain: OnChain) -> None:
    """After an outage of some minutes."""
    _, a, signature = onchain.authorize()
    seen = onchain.head()
    transaction = onchain.pay(a, signature)
    onchain.node.mine(300)
    use = onchain.evm.find_use(onchain.asset, a, seen, 10)
    assert use.proof is not None
    assert use.proof.transaction == transaction


# --- doubles ---------------------------------------------------------------------------------------

A = Authorization(Address(b"\x0a" * 20), PAY_TO, 10_000, 0, 2**40, Bytes32(b"\x0b" * 32))
TX, BLOCK = "0x" + "11" * 32, "0x" + "22" * 32
UNUSED, USED = "0x" + "00" * 32, "0x" + "00" * 31 + "01"


def _block(number: int, timestamp: int = 100) -> dict[str, str]:
    return {"number": hex(number), "timestamp": hex(timestamp), "hash": BLOCK}


def _log(index: int, *topics: bytes, data: bytes = b"", **other: Any) -> dict[str, Any]:
    return {
        "address": USDC.address.lower,
        "topics": ["0x" + t.hex() for t in topics],
        "data": "0x" + data.hex(),
        "logIndex": hex(index),
        "transactionHash": TX,
        "blockNumber": "0x5",
        "blockHash": BLOCK,
        "removed": False,
        **other,
    }


PAYER = eip3009.address_word(A.from_)
USE = _log(0, eip3009.AUTHORIZATION_USED_TOPIC, PAYER, A.nonce.raw)
MOVE = _log(1, eip3009.TRANSFER_TOPIC, PAYER, eip3009.address_word(A.to), data=A.value.to_bytes(32, "big"))
RECEIPT = {
    "transactionHash": TX,
    "blockHash": BLOCK,
    "blockNumber": "0x5",
    "status": "0x1",
    "from": "0x" + "33" * 20,
    "logs": [USE, MOVE],
}


def _methods(**other: Any) -> dict[str, Any]:
    return {
        "eth_chainId": "0x14a34",
        "eth_call": USED,
        "eth_getBlockByNumber": _block(7),
        "eth_getLogs": [USE],
        "eth_getTransactionReceipt": RECEIPT,
        **other,
    }


def test_a_found_payment_costs_two_posts(evm_of: EvmOf) -> None:
    """One batch to find it, one for the receipt; an unused one costs a single post."""
    with rpc_node(replay(_methods())) as node:
        proof = evm_of(node).find_use(USDC, A, 1, 5).proof
        assert proof is not None
        assert proof.log_index == 1
        assert len(node.bodies) == 2
        node.answer = replay(_methods(eth_call=UNUSED, eth_getLogs=[]))
        assert not evm_of(node).find_use(USDC, A, 1, 5).used
        assert len(node.bodies) == 3


LAGGING: dict[str, dict[str, Any]] = {
    "the flag without its log": {"eth_getLogs": []},
    "the flag, and logs refused": {"eth_getLogs": Fault(-32005, "query returned more than 10000 results")},
    "the log without its receipt": {"eth_getTransactionReceipt": None},
    "a receipt of another block": {"eth_getTransactionReceipt": {**RECEIPT, "blockHash": "0x" + "44" * 32}},
    "a receipt without the log": {"eth_getTransactionReceipt": {**RECEIPT, "logs": []}},
    "a receipt of another transaction": {"eth_getTransactionReceipt": {**RECEIPT, "transactionHash": "0x" + "44" * 32}},
    "a log that was removed again": {"eth_getLogs": [{**USE, "removed": True}]},
    "a log of another contract": {"eth_getLogs": [{**USE, "address": "0x" + "44" * 20}]},
    "a log of another payer": {"eth_getLogs": [{**USE, "topics": [USE["topics"][0], UNUSED, USE["topics"][2]]}]},
    "logs that are none": {"eth_getLogs": None},
    "no block": {"eth_getBlockByNumber": None},
    "no flag": {"eth_call": "0x"},
}


@pytest.mark.parametrize("other", LAGGING.values(), ids=LAGGING.keys())
def test_a58_answers_that_do_not_fit_together_are_unknown(other: dict[str, Any], evm_of: EvmOf) -> None:
    """Neither paid nor "used without our transfer": that would be a wrong verdict."""
    with rpc_node(replay(_methods(**other))) as node, pytest.raises(ChainUnavailable):
        evm_of(node).find_use(USDC, A, 1, 5)


def test_a_log_counts_although_the_flag_lags_behind(evm_of: EvmOf) -> None:
    """A load-balanced endpoint answers from two nodes."""
    with rpc_node(replay(_methods(eth_call=UNUSED))) as node:
        assert evm_of(node).find_use(USDC, A, 1, 5).proof is not None


def test_a55_a_use_seen_without_the_exact_transfer_is_no_payment(evm_of: EvmOf) -> None:
    """A fee on transfer, say: the seller got less than was asked."""
    short = {**MOVE, "data": "0x" + (A.value - 1).to_bytes(32, "big").hex()}
    answers_ = _methods(eth_getTransactionReceipt={**RECEIPT, "logs": [USE, short]}, eth_getBlockByNumber=_block(20))
    with rpc_node(replay(answers_)) as node:
        use = evm_of(node).find_use(USDC, A, 1, 5)
    assert (use.used, use.proof) == (True, None)


@pytest.mark.parametrize(("above", "proof"), [(-1, False), (0, True)])
def test_a57_an_end_without_our_transfer_counts_from_confirmation_depth_on(
    evm_of: EvmOf, above: int, proof: bool
) -> None:
    """To the block: one less is not proof."""
    short = {**MOVE, "data": "0x" + (A.value - 1).to_bytes(32, "big").hex()}
    head = int(USE["blockNumber"], 16) + BASE_SEPOLIA.confirmations + above
    answers_ = _methods(eth_getTransactionReceipt={**RECEIPT, "logs": [USE, short]}, eth_getBlockByNumber=_block(head))
    with rpc_node(replay(answers_)) as node:
        if proof:
            assert evm_of(node).find_use(USDC, A, 1, 5).used
        else:
            with pytest.raises(ChainUnavailable, match="deep"):
                evm_of(node).find_use(USDC, A, 1, 5)


def test_wide_ranges_are_cut_into_chunks_that_leave_nothing_out(evm_of: EvmOf) -> None:
    """At most 9000 blocks each, in one post, contiguous from the first block to the head."""
    head = 3 * CHUNK_BLOCKS + 17
    ranges: list[tuple[int, int]] = []

    def logs(query: dict[str, Any]) -> Any:
        if query["toBlock"] == "latest":
            return Fault(-32602, "block range too large")
        ranges.append((int(query["fromBlock"], 16), int(query["toBlock"], 16)))
        return [USE] if ranges[-1][0] <= 5 <= ranges[-1][1] else []

    with rpc_node(replay(_methods(eth_getLogs=logs, eth_getBlockByNumber=_block(head)))) as node:
        assert evm_of(node).find_use(USDC, A, 4, 5).proof is not None
        assert len(node.bodies) == 3
    assert ranges[0][0] == 4
    assert ranges[-1][1] == head
    assert all(high - low < CHUNK_BLOCKS for low, high in ranges)
    assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(ranges))


def test_a_very_wide_range_is_searched_where_a_use_can_be(evm_of: EvmOf) -> None:
    """The oldest chunks (a use comes before validBefore) and the newest (a cancellation comes any time)."""
    head = 100 * CHUNK_BLOCKS
    ranges: list[tuple[int, int]] = []

    def logs(query: dict[str, Any]) -> Any:
        if query["toBlock"] == "latest":
            return Fault(-32602, "block range too large")
        ranges.append((int(query["fromBlock"], 16), int(query["toBlock"], 16)))
        return []

    with (
        rpc_node(replay(_methods(eth_getLogs=logs, eth_getBlockByNumber=_block(head)))) as node,
        pytest.raises(ChainUnavailable),
    ):
        evm_of(node).find_use(USDC, A, 1, 5)
    assert len(ranges) == MAX_CHUNKS
    assert ranges[0][0] == 1
    assert ranges[-1][1] == head


def test_an_expiry_that_a_deep_node_contradicts_is_not_final(evm_of: EvmOf) -> None:
    """Unused at the head, used at depth: two nodes that disagree prove nothing."""

    def flag(_: Any, block: str) -> str:
        return UNUSED if block == "latest" else USED

    methods = _methods(
        eth_call=flag,
        eth_getLogs=[],
        eth_getBlockByNumber=lambda tag, _: _block(50 if tag == "latest" else int(tag, 16), 2**41),
    )
    with rpc_node(replay(methods)) as node:
        assert not evm_of(node).find_use(USDC, A, 1, 5).finalised_past_deadline
        node.answer = replay(methods | {"eth_call": UNUSED})
        assert evm_of(node).find_use(USDC, A, 1, 5).finalised_past_deadline
        node.answer = replay(methods | {"eth_call": UNUSED, "eth_getBlockByNumber": _block(50, 2**41)})
        with pytest.raises(ChainUnavailable):
            evm_of(node).find_use(USDC, A, 1, 5)


def test_the_query_names_token_payer_nonce_and_both_events(evm_of: EvmOf) -> None:
    """What the node is asked to filter by."""
    with rpc_node(replay(_methods())) as node:
        evm_of(node).find_use(USDC, A, 291, 5)
    query = next(c for c in node.bodies[0] if c["method"] == "eth_getLogs")["params"][0]
    assert query == {
        "address": USDC.address.lower,
        "fromBlock": "0x123",
        "toBlock": "latest",
        "topics": [
            [
                "0x" + eip3009.AUTHORIZATION_USED_TOPIC.hex(),
                "0x" + eip3009.AUTHORIZATION_CANCELED_TOPIC.hex(),
            ],
            "0x" + PAYER.hex(),
            str(A.nonce),
        ],
    }
    assert (
        calldata("authorizationState(address,bytes32)", str(A.from_), A.nonce.raw)
        == next(c for c in node.bodies[0] if c["method"] == "eth_call")["params"][0]["data"]
    )
