"""The gate does to JSON-RPC what tests ask of it, and otherwise nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from local.chain import Chain
from local.rpc_gate import Act, RpcGate


@pytest.fixture
def gate(chain: Chain) -> Iterator[RpcGate]:
    """A gate before the shared chain."""
    made = RpcGate(chain.url)
    made.start()
    yield made
    made.clear()
    made.stop()


def call(method: str, *params: Any, id: int = 1) -> dict[str, Any]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def test_calls_pass_and_are_counted(gate: RpcGate) -> None:
    """Alone and in a batch."""
    assert httpx.post(gate.url, json=call("eth_chainId")).json()["result"] == "0x14a34"
    batch = [call("eth_chainId"), call("eth_blockNumber", id=2)]
    assert [item["id"] for item in httpx.post(gate.url, json=batch).json()] == [1, 2]
    assert gate.calls == {"eth_chainId": 2, "eth_blockNumber": 1}


@pytest.mark.parametrize(("act", "reaches_the_node"), [(Act.HOLD, False), (Act.HOLD_ANSWER, True)])
def test_a_held_call_waits_for_its_release(gate: RpcGate, chain: Chain, act: Act, reaches_the_node: bool) -> None:
    """HOLD keeps it from the node, HOLD_ANSWER only keeps the caller waiting."""
    before = int(chain.rpc("eth_blockNumber"), 16)
    rule = gate.rule(act, "anvil_mine")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, gate.url, json=call("anvil_mine", "0x1"), timeout=20)
        rule.wait_met()
        assert int(chain.rpc("eth_blockNumber"), 16) == before + reaches_the_node
        assert not answer.done()
        rule.release()
        assert answer.result().status_code == 200
    assert int(chain.rpc("eth_blockNumber"), 16) == before + 1


@pytest.mark.parametrize(("act", "mined"), [(Act.DROP, 0), (Act.DROP_ANSWER, 1)])
def test_a_dropped_call_breaks_the_connection(gate: RpcGate, chain: Chain, act: Act, mined: int) -> None:
    """The caller cannot tell whether the node saw it."""
    before = int(chain.rpc("eth_blockNumber"), 16)
    gate.rule(act, "anvil_mine", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(gate.url, json=call("anvil_mine", "0x1"))
    assert int(chain.rpc("eth_blockNumber"), 16) == before + mined
    assert httpx.post(gate.url, json=call("eth_chainId")).status_code == 200


def test_an_error_replaces_one_call_of_a_batch(gate: RpcGate) -> None:
    """And ends with its rule."""
    rule = gate.rule(Act.ERROR, "eth_gasPrice", code=-32601, message="not here")
    batch = [call("eth_chainId"), call("eth_gasPrice", id=2)]
    answers = {item["id"]: item for item in httpx.post(gate.url, json=batch).json()}
    assert answers[1]["result"] == "0x14a34"
    assert answers[2]["error"] == {"code": -32601, "message": "not here"}
    rule.release()
    assert "result" in httpx.post(gate.url, json=call("eth_gasPrice")).json()
