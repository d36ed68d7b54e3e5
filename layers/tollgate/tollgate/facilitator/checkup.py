"""What an RPC endpoint and a relayer's key are good for, as plain JSON for ``tollgate doctor``.

No URL, no key and none of a node's own words stand in it (threat 86). Nothing is sent or written: the
one thing that is signed is a text that no chain and no wallet takes for theirs.
"""

import math
import time
from collections.abc import Sequence
from typing import Any

from tollgate.chain import answers
from tollgate.chain.rpc import Call, RpcClient, RpcError
from tollgate.chain.uses import CHUNK_BLOCKS, token_call
from tollgate.errors import ChainUnavailable
from tollgate.facilitator.ports import Signer
from tollgate.payment.networks import Asset, NetworkInfo
from tollgate.schemes.exact import eip3009
from tollgate.wire.keccak import keccak256
from tollgate.wire.primitives import Address

# How far back a payment that nobody knows is looked for: the longest authorization, and more.
SEARCH_SECONDS = 1200
_WIDTHS = (CHUNK_BLOCKS, 5000, 2000, 1000, 500, 100)
_METHOD_NOT_FOUND = -32601
_TRANSFER_SELECTOR = keccak256(b"transfer(address,uint256)")[:4]
# 0x19 and a version that EIP-191 does not have.
_HARMLESS = keccak256(b"\x19Tollgate checks that this key signs")


def search_blocks(info: NetworkInfo) -> int:
    """The blocks that one ``eth_getLogs`` must be able to cover on this network."""
    return min(CHUNK_BLOCKS, math.ceil(SEARCH_SECONDS / info.block_seconds))


def examine_signer(signer: Signer) -> dict[str, Any]:
    """``{"address", "signs"}``. Raises what the signer raises."""
    address = signer.address()
    signer.sign(_HARMLESS)
    return {"address": str(address), "signs": True}


def examine_endpoint(
    rpc: RpcClient, info: NetworkInfo, asset: Asset, relayers: Sequence[Address], timeout: float
) -> dict[str, Any]:
    """What one endpoint answers within ``timeout`` seconds; ``{"problem"}`` when it is of no use at all.

    ``logsBlocks`` is the widest search it took, ``transferGas`` what a transfer of nothing would cost
    (with what a rollup charges for its data), or null; wei as decimal strings.
    """
    deadline = time.monotonic() + timeout
    try:
        return _examine(rpc, info, asset, relayers, deadline)
    except ChainUnavailable as down:
        return {"problem": str(down)}


def _examine(
    rpc: RpcClient, info: NetworkInfo, asset: Asset, relayers: Sequence[Address], deadline: float
) -> dict[str, Any]:
    calls: list[Call] = [
        ("eth_chainId", []),
        ("eth_getBlockByNumber", ["latest", False]),
        token_call(asset, eip3009.DOMAIN_SEPARATOR_CALLDATA, "latest"),
        token_call(asset, eip3009.balance_calldata(relayers[0]), "pending"),
        *(("eth_getBalance", [relayer.lower, "latest"]) for relayer in relayers),
    ]
    chain_id, block, domain, pending, *balances = rpc.batch(calls, deadline - time.monotonic())
    if answers.quantity(chain_id, "eth_chainId") != info.network.chain_id:
        return {"problem": f"the RPC endpoint serves another network than {info.network}"}
    head = answers.head(block)
    transfer = _TRANSFER_SELECTOR + eip3009.address_word(relayers[0]) + bytes(32)
    widths = [width for width in _WIDTHS if width <= max(head.number, _WIDTHS[-1])]
    more: list[Call] = [
        ("eth_estimateGas", [{"from": relayers[0].lower, "to": asset.address.lower, "data": "0x" + transfer.hex()}]),
        # Nothing to send: whoever knows the method says so in another way than who does not.
        ("eth_sendRawTransactionSync", ["0x"]),
        *(_logs(asset, relayers[0], max(0, head.number - width), head.number) for width in widths),
    ]
    gas, sync, *logs = rpc.batch(more, deadline - time.monotonic())
    taken = [width for width, found in zip(widths, logs, strict=True) if isinstance(found, list)]
    # A chain that is shorter than the search cannot refuse it.
    whole = taken and taken[0] == widths[0] and widths[0] < CHUNK_BLOCKS and head.number < CHUNK_BLOCKS
    return {
        "problem": None,
        "headNumber": head.number,
        "headTimestamp": head.timestamp,
        "baseFeeWei": str(head.base_fee),
        "domainMatches": domain == "0x" + eip3009.domain_separator(asset, info.network).hex(),
        "pending": not isinstance(pending, RpcError),
        "sendSync": not (isinstance(sync, RpcError) and sync.code == _METHOD_NOT_FOUND),
        "transferGas": None if isinstance(gas, RpcError) else answers.quantity(gas, "a gas estimate"),
        "logsBlocks": CHUNK_BLOCKS if whole else max(taken, default=0),
        "balancesWei": [str(answers.quantity(balance, "a balance")) for balance in balances],
    }


def _logs(asset: Asset, payer: Address, low: int, high: int) -> Call:
    topics = ["0x" + eip3009.AUTHORIZATION_USED_TOPIC.hex(), "0x" + eip3009.address_word(payer).hex(), "0x" + "00" * 32]
    query = {"address": asset.address.lower, "fromBlock": hex(low), "toBlock": hex(high), "topics": topics}
    return ("eth_getLogs", [query])
