"""Threat 58: RPC endpoints that lie or lag, in front of a real chain. No single one of several fails a payment."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

import pytest
import urllib3

from tests.contract.chain.doubles import Exchange, Fault, rpc_node
from tests.support.settling import PRICE, NewWorld, SettleWorld
from tollgate.chain.evm import EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.errors import ChainUnavailable
from tollgate.payment.settlement import Confirmed, Failed, Pending, SettleRequest
from tollgate.schemes.exact import eip3009
from tollgate.wire.reasons import Reason

# What an endpoint says instead of the truth; called with the call's params and the truth.
Lies = dict[str, Callable[[list[Any], Any], Any]]
YES = "0x" + "00" * 31 + "01"
FORGED = "0x" + "f0" * 32
SOON = 100


@contextmanager
def endpoint(world: SettleWorld, lies: Lies | None = None) -> Iterator[str]:
    """An endpoint that forwards to the chain and alters some of its answers."""
    http = urllib3.PoolManager()

    def answer(exchange: Exchange) -> None:
        headers = {"Content-Type": "application/json"}
        said = http.request("POST", world.node.url, body=json.dumps(exchange.body), headers=headers).json()
        pairs = zip(exchange.body, said, strict=True) if isinstance(said, list) else [(exchange.body, said)]
        for call, one in pairs:
            if call["method"] in (lies or {}) and "result" in one:
                said_instead = (lies or {})[call["method"]](call["params"], one.pop("result"))
                is_fault = isinstance(said_instead, Fault)
                one.update({"error": asdict(said_instead)} if is_fault else {"result": said_instead})
        exchange.send_json(said)

    with rpc_node(answer) as node:
        yield node.url


def cancelled(request: SettleRequest) -> Lies:
    """The payer cancelled it, long ago."""
    return used(request) | {"eth_getLogs": lambda *_: [_log(request, eip3009.AUTHORIZATION_CANCELED_TOPIC)]}


def used(request: SettleRequest) -> Lies:
    """Somebody used it for something else, and the receipt shows no Transfer."""
    log = _log(request, eip3009.AUTHORIZATION_USED_TOPIC)
    receipt = {"transactionHash": FORGED, "status": "0x1", "blockNumber": "0x1", "blockHash": FORGED, "logs": [log]}
    return {
        "eth_call": _used(request),
        "eth_getLogs": lambda *_: [log],
        "eth_getTransactionReceipt": lambda *_: receipt | {"from": "0x" + "0e" * 20},
    }


def expired(request: SettleRequest) -> Lies:
    """It is late: every block is from after the deadline, and the token takes it no more."""
    late = hex(request.authorization.valid_before + 10)
    transfer = "0x" + eip3009.transfer_calldata(request.authorization, request.signature).hex()
    return {
        "eth_getBlockByNumber": lambda _, truth: truth and truth | {"timestamp": late},
        "eth_call": lambda params, truth: Fault(3, "expired") if params[0]["data"] == transfer else truth,
    }


def _used(request: SettleRequest) -> Callable[[list[Any], Any], Any]:
    a = request.authorization
    question = "0x" + eip3009.authorization_state_calldata(a.from_, a.nonce).hex()
    return lambda params, truth: YES if params[0]["data"] == question else truth


def _log(request: SettleRequest, topic: bytes) -> dict[str, Any]:
    a = request.authorization
    return {
        "address": request.asset.lower,
        "topics": ["0x" + topic.hex(), "0x" + eip3009.address_word(a.from_).hex(), str(a.nonce)],
        "data": "0x",
        "logIndex": "0x0",
        "transactionHash": FORGED,
        "blockNumber": "0x1",
        "blockHash": FORGED,
    }


def chain_of(world: SettleWorld, stack: ExitStack, *lies: Lies | None) -> EvmChain:
    """The chain through an endpoint for each of ``lies``, the first one preferred."""
    urls = [stack.enter_context(endpoint(world, one)) for one in lies]
    return EvmChain(RpcClient(urls), world.node.info)


@pytest.mark.parametrize("lie", [cancelled, used, expired])
@pytest.mark.parametrize("where", [0, 1])
def test_a58_one_of_two_endpoints_cannot_make_a_payment_fail(
    new_world: NewWorld, lie: Callable[[SettleRequest], Lies], where: int
) -> None:
    """Whichever is asked first: the outcome stays open, nothing is written down, and the payment is made later."""
    world = new_world()
    request = world.request(world.payer(), valid_for=SOON)
    lies: list[Lies | None] = [None, None]
    lies[where] = lie(request)
    with ExitStack() as stack:
        outcome = world.service(chain=chain_of(world, stack, *lies)).settle(request, world.deadline(4))
        assert not isinstance(outcome, Failed)
        if where == 0:
            assert outcome == Pending()
            assert world.ledger().get(request.payment_id) is None
    assert isinstance(world.service().settle(request, world.deadline()), Confirmed)
    assert world.earned() == PRICE


@pytest.mark.parametrize("lie", [cancelled, used, expired])
def test_a_single_endpoint_is_believed(new_world: NewWorld, lie: Callable[[SettleRequest], Lies]) -> None:
    """There is nobody else to ask: what the tests above hold back would have been an end."""
    world = new_world()
    request = world.request(world.payer(), valid_for=SOON)
    with ExitStack() as stack:
        outcome = world.service(chain=chain_of(world, stack, lie(request))).settle(request, world.deadline(4))
    assert isinstance(outcome, Failed)


def test_a58_two_endpoints_that_agree_end_a_payment(new_world: NewWorld) -> None:
    """And of three, two that agree are enough though one is down or lies."""
    for lies in ([None, None], [{}, "down", None], [None, None, "lie"]):
        world = new_world()
        payer = world.payer()
        request = world.request(payer)
        world.cancel(payer, request)
        world.node.mine(world.node.info.confirmations)
        with ExitStack() as stack:
            urls = []
            for one in lies:
                is_lie = one == "lie"
                alive = stack.enter_context(endpoint(world, expired(request) if is_lie else None))
                urls.append("http://127.0.0.1:9" if one == "down" else alive)
            chain = EvmChain(RpcClient(urls), world.node.info)
            outcome = world.service(chain=chain).settle(request, world.deadline())
        assert outcome == Failed(Reason.AUTHORIZATION_CANCELLED)


def test_a58_a_second_endpoint_that_is_down_leaves_the_end_open(new_world: NewWorld) -> None:
    """One word is not enough where there are two; when the other is back, it ends."""
    world = new_world()
    payer = world.payer()
    request = world.request(payer)
    world.cancel(payer, request)
    world.node.mine(world.node.info.confirmations)
    alone = EvmChain(RpcClient([world.node.url, "http://127.0.0.1:9"]), world.node.info)
    assert world.service(chain=alone).settle(request, world.deadline(4)) == Pending()
    both = EvmChain(RpcClient([world.node.url, world.node.url + "/"]), world.node.info)
    assert world.service(chain=both).settle(request, world.deadline()) == Failed(Reason.AUTHORIZATION_CANCELLED)


def test_a58_one_endpoint_alone_cannot_take_a_proof_back(new_world: NewWorld) -> None:
    """It says that another block stands at that height: what is confirmed stays so, and nothing is sent again."""
    world = new_world()
    request = world.request(world.payer())
    confirmed = world.service().settle(request, world.deadline())
    assert isinstance(confirmed, Confirmed)
    lie: Lies = {"eth_getBlockByNumber": lambda _, truth: truth and truth | {"hash": FORGED}}
    with ExitStack() as stack:
        chain = chain_of(world, stack, lie, None)
        assert world.service(chain=chain).settle(request, world.deadline(4)) == confirmed
        stored = world.ledger().get(request.payment_id)
        assert stored is not None
        assert stored.outcome == confirmed
        number = confirmed.proof.block_number
        with pytest.raises(ChainUnavailable):
            chain.block_hash_at(number, 5, confirmed.proof.block_hash)
        agreed = chain_of(world, stack, lie, lie)
        assert str(agreed.block_hash_at(number, 5, confirmed.proof.block_hash)) == FORGED
        assert chain_of(world, stack, lie).block_hash_at(number, 5, confirmed.proof.block_hash) is not None
