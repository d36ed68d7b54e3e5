"""What settle tells the doctor of an endpoint and of a key: on a real node, and on poorer ones."""

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from local.chain import Chain
from tollgate.chain.rpc import Call, RpcClient, RpcError
from tollgate.chain.signer import LocalSigner
from tollgate.facilitator.checkup import examine_endpoint, examine_signer, search_blocks
from tollgate.payment.networks import network_info
from tollgate.wire.keccak import keccak256
from tollgate.wire.primitives import Address

SEPOLIA = network_info("base-sepolia")
USDC = SEPOLIA.asset("USDC")
RELAYER = Address(b"\x0a" * 20)


class Poor(RpcClient):
    """A long chain whose node takes at most ``blocks`` in a search, and lacks what ``lacks`` names."""

    def __init__(self, url: str, blocks: int = 10**9, lacks: tuple[str, ...] = ()) -> None:
        super().__init__([url])
        self._blocks = blocks
        self._lacks = lacks

    def batch(self, calls: Sequence[Call], timeout: float, *, fail_over: bool = True) -> list[Any]:
        """Answer as the node behind it does, with a head of 100,000."""
        found = super().batch(
            [("eth_blockNumber", []) if call[0] == "eth_getLogs" else call for call in calls], timeout
        )
        return [self._poorer(call, result) for call, result in zip(calls, found, strict=True)]

    def _poorer(self, call: Call, result: Any) -> Any:
        method, params = call
        if method in self._lacks or (params and params[-1] in self._lacks):
            return RpcError(-32601, "https://node.example.com/KEY has no such thing")
        if method == "eth_getBlockByNumber":
            return {**result, "number": hex(100_000)}
        if method == "eth_getLogs":
            wide = int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > self._blocks
            return RpcError(-32000, "range too wide") if wide else []
        return result


def examine(rpc: RpcClient, network: str = "base-sepolia") -> dict[str, Any]:
    """The report, which never holds a node's own words."""
    info = network_info(network)
    found = examine_endpoint(rpc, info, info.asset("USDC"), [RELAYER], 5)
    assert "example.com" not in str(found)
    assert "127.0.0.1" not in str(found)
    return found


def test_a_good_endpoint_can_do_everything(chain: Chain) -> None:
    """Every question of the report, answered by a real node."""
    chain.give_gas(str(RELAYER), 12345)
    found = examine(RpcClient([chain.url]))
    assert found | {"headNumber": 0, "headTimestamp": 0, "baseFeeWei": "", "transferGas": 0} == {
        "problem": None,
        "headNumber": 0,
        "headTimestamp": 0,
        "baseFeeWei": "",
        "domainMatches": True,
        "pending": True,
        "sendSync": True,
        "transferGas": 0,
        "logsBlocks": 9000,
        "balancesWei": ["12345"],
    }
    assert 21_000 < found["transferGas"] < 60_000
    assert int(found["baseFeeWei"]) > 0


def test_an_endpoint_of_another_network_or_none_at_all_is_of_no_use(chain: Chain) -> None:
    """It answers everything, about something else."""
    assert examine(RpcClient([chain.url]), "base") == {
        "problem": "the RPC endpoint serves another network than eip155:8453"
    }
    assert examine(RpcClient(["http://127.0.0.1:1/KEY"])) == {"problem": "the RPC endpoint cannot be reached"}


@pytest.mark.parametrize(("takes", "found"), [(9000, 9000), (8999, 5000), (2500, 2000), (150, 100), (99, 0)])
def test_the_widest_search_that_the_node_takes_is_found(chain: Chain, takes: int, found: int) -> None:
    """A public endpoint may take a hundred blocks only, which is less than a minute on a fast chain."""
    assert examine(Poor(chain.url, takes))["logsBlocks"] == found


@pytest.mark.parametrize(
    ("lacks", "field", "value"),
    [
        ("eth_sendRawTransactionSync", "sendSync", False),
        ("pending", "pending", False),
        ("eth_estimateGas", "transferGas", None),
        ("eth_getLogs", "logsBlocks", 0),
    ],
)
def test_what_a_node_lacks_shows(chain: Chain, lacks: str, field: str, value: object) -> None:
    """One thing less, everything else as before."""
    whole, poor = examine(Poor(chain.url)), examine(Poor(chain.url, lacks=(lacks,)))
    assert poor == whole | {field: value}


def test_a_token_without_the_pinned_domain_shows(chain: Chain) -> None:
    """Threat 19: the pinned domain against the token's own."""
    code = chain.rpc("eth_getCode", chain.token, "latest")
    chain.rpc("anvil_setCode", chain.token, "0x")
    try:
        assert examine(RpcClient([chain.url]))["domainMatches"] is False
    finally:
        chain.rpc("anvil_setCode", chain.token, code)


def test_the_search_covers_the_longest_authorization_on_every_network() -> None:
    """maxTimeoutSeconds is at most 600; one request can be 9000 blocks."""
    assert search_blocks(SEPOLIA) == 600
    assert search_blocks(network_info("arbitrum")) == 4800


def test_a_key_signs_a_text_that_is_nobodys_transaction() -> None:
    """Neither a payment, nor a message of a wallet: its digest is of a text with a version that EIP-191 lacks."""
    signed: list[bytes] = []

    class Recorder(LocalSigner):
        def sign(self, digest: bytes) -> bytes:
            signed.append(digest)
            return super().sign(digest)

    signer = Recorder(hashlib.sha256(b"checkup").digest())
    assert examine_signer(signer) == {"address": str(signer.address()), "signs": True}
    assert signed == [keccak256(b"\x19Tollgate checks that this key signs")]
