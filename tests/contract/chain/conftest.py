"""A real chain of its own (anvil): these tests move its clock and stop its miner."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from local.anvil import Anvil
from local.chain import Chain
from tests.contract.chain.doubles import Node
from tollgate.chain.evm import EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.chain.signer import LocalSigner
from tollgate.chain.transactions import DynamicFeeTransaction, transaction_hash
from tollgate.payment.networks import Asset, NetworkInfo, network_info
from tollgate.schemes.exact import eip3009
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32

BASE_SEPOLIA = network_info("base-sepolia")
USDC = BASE_SEPOLIA.asset("USDC")
PAY_TO = Address.parse("0x00000000000000000000000000000000DeaDBeef")
RANDOM = random.Random(84532)


def sign(payer: LocalAccount, a: Authorization) -> bytes:
    """Sign as buyers do: with eth-account's own typed-data encoder, not with ours."""
    types = {
        "TransferWithAuthorization": [
            {"name": "from", "type": "address"},
            {"name": "to", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "validAfter", "type": "uint256"},
            {"name": "validBefore", "type": "uint256"},
            {"name": "nonce", "type": "bytes32"},
        ]
    }
    domain = {
        "name": USDC.name,
        "version": USDC.version,
        "chainId": BASE_SEPOLIA.network.chain_id,
        "verifyingContract": str(USDC.address),
    }
    message = {
        "from": str(a.from_),
        "to": str(a.to),
        "value": a.value,
        "validAfter": a.valid_after,
        "validBefore": a.valid_before,
        "nonce": a.nonce.raw,
    }
    return bytes(payer.sign_message(encode_typed_data(domain, types, message)).signature)


@dataclass
class OnChain:
    """A fresh moment on the chain: a funded relayer, and ways to pay with it."""

    node: Chain
    evm: EvmChain
    relayer: LocalSigner
    info: NetworkInfo
    asset: Asset

    def now(self) -> int:
        """The head's timestamp: the chain's clock, which tests move."""
        return int(self.node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def head(self) -> int:
        """The head's height."""
        return int(self.node.rpc("eth_blockNumber"), 16)

    def authorize(self, value: int = 10_000, lifetime: int = 60) -> tuple[LocalAccount, Authorization, bytes]:
        """A payer with 100 USDC and its signed payment."""
        payer = self.node.funded_account()
        a = Authorization(
            from_=Address.parse(payer.address),
            to=PAY_TO,
            value=value,
            valid_after=0,
            valid_before=self.now() + lifetime,
            nonce=Bytes32(RANDOM.randbytes(32)),
        )
        return payer, a, sign(payer, a)

    def transaction(
        self, data: bytes, *, nonce: int | None = None, to: Address | None = None, max_fee: int | None = None
    ) -> bytes:
        """A raw transaction of the relayer's, by default with its next nonce and to the token."""
        count = self.evm.transaction_count(self.relayer.address(), 5)
        fee = max_fee if max_fee is not None else 10 * 10**9
        tx = DynamicFeeTransaction(
            chain_id=self.info.network.chain_id,
            nonce=count if nonce is None else nonce,
            max_priority_fee_per_gas=min(fee, 10**6),
            max_fee_per_gas=fee,
            gas_limit=150_000,
            to=to or self.asset.address,
            value=0,
            data=data,
        )
        return tx.encode(self.relayer.sign(tx.signing_digest()))

    def pay(self, a: Authorization, signature: bytes) -> Bytes32:
        """Settle at once; the transaction's hash."""
        raw = self.transaction(eip3009.transfer_calldata(a, signature))
        receipt = self.evm.broadcast(raw, 5)
        assert receipt is not None
        assert receipt.succeeded
        return transaction_hash(raw)

    def wait_for_pool(self, raw: bytes) -> None:
        """Until the node knows a transaction that nobody waits for."""
        deadline = time.monotonic() + 5
        while self.node.transaction(str(transaction_hash(raw))) is None:
            assert time.monotonic() < deadline, "the transaction never reached the pool"
            time.sleep(0.02)


@pytest.fixture(scope="session")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    """anvil as Base Sepolia, with the token at USDC's address there."""
    service = Anvil("base-sepolia", tmp_path_factory.mktemp("anvil"))
    service.start()
    yield service
    service.stop()


@pytest.fixture
def onchain(anvil: Anvil) -> Iterator[OnChain]:
    """The chain with a new relayer that has gas; afterwards it mines and pays again."""
    node = anvil.chain
    relayer = LocalSigner(RANDOM.randbytes(32))
    node.give_gas(str(relayer.address()))
    yield OnChain(node, EvmChain(RpcClient([node.url]), node.info), relayer, node.info, node.asset)
    # Not evm_revert: after it, anvil 1.7.1 misses blocks below the snapshot.
    node.mine_at_once()
    node.send("pause(bool)", False)


@pytest.fixture
def evm_of() -> Callable[[Node], EvmChain]:
    """An EvmChain of Base Sepolia on a double."""
    return lambda node: EvmChain(RpcClient([node.url]), BASE_SEPOLIA)
