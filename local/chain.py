"""A JSON-RPC view of the local chain, and what tests and the demo do with it: mint, mine, pause, look."""

import itertools
import json
import time
from typing import Any

import urllib3
from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from local.solidity import compiled
from tollgate.payment.networks import NetworkInfo, network_info

# The test junk mnemonic's first account, which anvil unlocks.
DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


class RpcFailed(Exception):
    """The node answered with an error."""


def calldata(signature: str, *values: Any) -> str:
    """``calldata("mint(address,uint256)", to, 5)``."""
    kinds = signature[signature.index("(") + 1 : -1]
    return "0x" + (keccak(text=signature)[:4] + encode(kinds.split(",") if kinds else [], values)).hex()


class Chain:
    """The node at ``url``; ``network`` is a name or CAIP-2 id that Tollgate knows."""

    def __init__(self, url: str, network: str) -> None:
        self.url = url
        self.info: NetworkInfo = network_info(network)
        self.asset = self.info.asset("USDC")
        self.token = str(self.asset.address)
        self._http = urllib3.PoolManager(maxsize=8, retries=False, timeout=urllib3.Timeout(30))
        self._ids = itertools.count(1)

    def rpc(self, method: str, *params: Any) -> Any:
        """One JSON-RPC call. Raises ``RpcFailed``.

        A transaction is waited for where it is mined at once: anvil answers with its hash some moments before.
        """
        result = self._call(method, *params)
        if method in ("eth_sendTransaction", "eth_sendRawTransaction") and self._call("anvil_getAutomine"):
            # One with a gap before it, or a fee too low, stays where it is.
            deadline = time.monotonic() + 1
            while self._call("eth_getTransactionReceipt", result) is None and time.monotonic() < deadline:
                time.sleep(0.005)
        return result

    def _call(self, method: str, *params: Any) -> Any:
        call = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        answer = self._http.request(
            "POST", self.url, body=json.dumps(call), headers={"Content-Type": "application/json"}
        ).json()
        if "error" in answer:
            raise RpcFailed(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def read(self, signature: str, *values: Any, to: str | None = None) -> bytes:
        """Call the token (or ``to``) at the latest block."""
        call = {"to": to or self.token, "data": calldata(signature, *values)}
        return bytes.fromhex(self.rpc("eth_call", call, "latest")[2:])

    def send(self, signature: str, *values: Any, to: str | None = None) -> str:
        """Send a transaction of the deployer's to the token (or ``to``), mine it, and return its hash."""
        call = {"from": DEPLOYER, "to": to or self.token, "data": calldata(signature, *values)}
        return self._mined(self.rpc("eth_sendTransaction", call))

    def install_token(self) -> None:
        """Put the token's code where Tollgate's network table expects USDC."""
        receipt = self._deploy("Token")
        self.rpc("anvil_setCode", self.token, self.rpc("eth_getCode", receipt["contractAddress"], "latest"))

    def deploy_batch(self) -> str:
        """Deploy Batch.sol; returns its address."""
        return str(self._deploy("Batch")["contractAddress"])

    def mint(self, to: str, atomic: int) -> None:
        self.send("mint(address,uint256)", to, atomic)

    def balance(self, owner: str) -> int:
        """The owner's tokens, in atomic units."""
        return int.from_bytes(self.read("balanceOf(address)", owner))

    def gas_balance(self, owner: str) -> int:
        """The owner's ether, in wei."""
        return int(self.rpc("eth_getBalance", owner, "latest"), 16)

    def give_gas(self, owner: str, wei: int = 10**18) -> None:
        """Set (not add) an account's ether."""
        self.rpc("anvil_setBalance", owner, hex(wei))

    def nonce_used(self, payer: str, nonce: bytes) -> bool:
        """Whether the payer's authorization was used or cancelled."""
        return bool(int.from_bytes(self.read("authorizationState(address,bytes32)", payer, nonce)))

    def transaction_count(self, sender: str) -> int:
        return int(self.rpc("eth_getTransactionCount", sender, "latest"), 16)

    def transaction(self, transaction_hash: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.rpc("eth_getTransactionByHash", transaction_hash)
        return found

    def receipt(self, transaction_hash: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", transaction_hash)
        return found

    def transfers(self) -> int:
        """How many Transfer events with a payer the token emitted so far (mints are left out)."""
        topic = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
        logs = self.rpc("eth_getLogs", {"address": self.token, "topics": [topic], "fromBlock": "0x0"})
        return sum(int(log["topics"][1], 16) != 0 for log in logs)

    def funded_account(self, atomic: int = 100_000_000) -> LocalAccount:
        """A new key with tokens (100 USDC unless told otherwise) and no ether."""
        account: LocalAccount = Account.create()
        self.mint(account.address, atomic)
        return account

    def mine(self, blocks: int = 1, seconds_between: int = 1) -> None:
        """Add empty blocks."""
        self.rpc("anvil_mine", hex(blocks), hex(seconds_between))

    def advance(self, seconds: int) -> None:
        """Move the chain's clock ahead and mine a block there. The functions' own clock stays."""
        self.rpc("evm_increaseTime", hex(seconds))
        self.mine()

    def now(self) -> int:
        """The chain's own clock, in Unix seconds: that of a block mined now. The head may lag behind it."""
        self.mine(1, 0)
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def set_clock(self) -> None:
        """Set the chain's clock to this machine's. A block a second is the most that does not put it ahead for good."""
        self.rpc("evm_setTime", int(time.time()))
        self.mine(1, 0)

    def mine_at_once(self) -> None:
        """Mine each transaction when it arrives."""
        self.rpc("evm_setIntervalMining", 0)
        self.rpc("evm_setAutomine", True)

    def mine_every(self, seconds: int) -> None:
        """Mine a block each ``seconds``."""
        self.rpc("evm_setAutomine", False)
        self.rpc("evm_setIntervalMining", seconds)

    def stop_mining(self) -> None:
        """Keep transactions in the pool until ``mine`` or another mode is chosen."""
        self.rpc("evm_setIntervalMining", 0)
        self.rpc("evm_setAutomine", False)

    def _deploy(self, name: str) -> dict[str, Any]:
        call = {"from": DEPLOYER, "data": compiled()[name]["bytecode"]}
        receipt = self.receipt(self._mined(self.rpc("eth_sendTransaction", call)))
        if receipt is None:
            raise RpcFailed(f"{name} was not mined")
        return receipt

    def _mined(self, transaction_hash: str) -> str:
        if self.receipt(transaction_hash) is None:
            self.mine()
        receipt = self.receipt(transaction_hash)
        if receipt is None or int(receipt["status"], 16) != 1:
            raise RpcFailed(f"transaction {transaction_hash} was not mined or failed")
        return transaction_hash
