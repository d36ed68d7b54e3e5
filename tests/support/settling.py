"""Settling on real parts: DynamoDB and KMS over HTTP, a chain with the token, and hands that interfere."""

import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from eth_account import Account
from eth_account.signers.local import LocalAccount

from local.chain import Chain, calldata
from tests.support.aws import client, create_table
from tollgate.chain.evm import EvmChain
from tollgate.chain.rpc import RpcClient
from tollgate.chain.signer import KmsSigner, LocalSigner
from tollgate.facilitator.ports import Lane, Signer
from tollgate.facilitator.relayers import Relayers
from tollgate.facilitator.settle import SettleService
from tollgate.ledger.dynamo import Table
from tollgate.ledger.room import Room
from tollgate.ledger.settlements import SettlementsLedger
from tollgate.payment.events import Event
from tollgate.payment.settlement import SettleRequest
from tollgate.schemes.exact import eip3009
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32

PRICE = 10_000
FEE_CAP = 100 * 10**9
# Long enough for an answer, short enough for tests that wait it out: settle keeps 2 s back.
PATIENCE = 8.0
# More than any payer of these tests needs.
ROOM = Room(10**30, 1000, 0, 0)


class Crash(BaseException):
    """The process dies here: nothing that only catches ``Exception`` may see it."""


class Dying:
    """Passes everything through; at the first call of ``method`` the process dies, before or after it."""

    def __init__(self, inner: Any, method: str, *, after: bool) -> None:
        self._inner = inner
        self._method = method
        self._after = after
        self.died = False

    def __getattr__(self, name: str) -> Any:
        passed = getattr(self._inner, name)
        if name != self._method or self.died:
            return passed

        def last_call(*args: Any, **kwargs: Any) -> Any:
            self.died = True
            if self._after:
                passed(*args, **kwargs)
            raise Crash(name)

        return last_call


class CountingSigner:
    """Counts the signatures that leave the key."""

    def __init__(self, inner: Signer) -> None:
        self._inner = inner
        self.signatures = 0

    def address(self) -> Address:
        return self._inner.address()

    def sign(self, digest: bytes) -> bytes:
        self.signatures += 1
        return self._inner.sign(digest)


class ListJournal:
    """Keeps the events."""

    def __init__(self) -> None:
        self.lines: list[tuple[Event, dict[str, Any]]] = []

    def record(self, event: Event, **fields: str | int | float | bool | None) -> None:
        self.lines.append((event, fields))

    def events(self) -> list[Event]:
        return [event for event, _ in self.lines]


class SettleWorld:
    """One table, one relayer, one chain, one clock; services over them come and go like processes."""

    def __init__(self, endpoint: str, node: Chain, *, kms: bool = False) -> None:
        self._endpoint = endpoint
        self.node = node
        self.node.mine_at_once()
        self.asset = self.node.asset
        self.seller = Address.parse(Account.create().address)
        self.journal = ListJournal()
        self.requests: Counter[str] = Counter()
        # Tests share the chain, and some of them move its clock ahead.
        self._offset = max(0.0, node.now() - time.time())
        self.dynamo = boto3.client(
            "dynamodb",
            endpoint_url=self._endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(max_pool_connections=40, retries={"total_max_attempts": 1}),
        )
        self.table = Table(self.dynamo, create_table(self.dynamo))
        self.dynamo.meta.events.register("before-send.dynamodb", self._count)
        self.signer = CountingSigner(self._kms_signer() if kms else LocalSigner(secrets.token_bytes(32)))
        self.relayer = self.signer.address()
        self.node.give_gas(str(self.relayer))
        self.chain = self.new_chain()

    def _kms_signer(self) -> KmsSigner:
        kms = client("kms", self._endpoint)
        key = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        return KmsSigner(kms, key)

    def _count(self, request: Any, **_: Any) -> None:
        target = request.headers["X-Amz-Target"]
        self.requests[(target.decode() if isinstance(target, bytes) else target).split(".")[-1]] += 1

    def new_chain(self) -> EvmChain:
        """A view of the chain with a connection of its own."""
        return EvmChain(RpcClient([self.node.url]), self.node.info)

    def clock(self) -> float:
        """Unix seconds; keeps step with the chain where ``advance`` moved both."""
        return time.time() + self._offset

    def advance(self, seconds: int) -> None:
        """Let time pass, for us and on the chain."""
        self._offset += seconds
        self.node.advance(seconds)

    def forget(self, seconds: int) -> None:
        """Let time pass for us only: leases run out, authorizations stay valid."""
        self._offset += seconds

    def service(
        self,
        *,
        ledger: Any = None,
        chain: Any = None,
        signers: list[Any] | None = None,
        fee_cap: int = FEE_CAP,
        most_open: int = 100,
    ) -> SettleService:
        """A fresh process: nothing in memory, everything else as it stands."""
        return SettleService(
            {self.node.info.network: Lane(self.node.info, self.asset, chain or self.chain)},
            Relayers(signers or [self.signer]),
            ledger or self.ledger(),
            self.journal,
            fee_cap=fee_cap,
            most_open=most_open,
            clock=self.clock,
            sleep=time.sleep,
            jitter=secrets.SystemRandom().random,
            new_owner=lambda: secrets.token_hex(16),
        )

    def ledger(self) -> SettlementsLedger:
        """The ledger with an empty memory."""
        return SettlementsLedger(self.table)

    def deadline(self, patience: float = PATIENCE) -> float:
        """When the process would be gone."""
        return self.clock() + patience

    def payer(self) -> LocalAccount:
        """A new account with tokens."""
        return self.node.funded_account()

    def request(
        self, payer: LocalAccount, *, valid_for: int = 3600, seller: str = "self", nonce: bytes | None = None
    ) -> SettleRequest:
        """A payment of ``PRICE`` that ``payer`` signs; valid from now on the chain."""
        head = self.node.rpc("eth_getBlockByNumber", "latest", False)
        a = Authorization(
            from_=Address.parse(payer.address),
            to=self.seller,
            value=PRICE,
            valid_after=0,
            valid_before=int(head["timestamp"], 16) + valid_for,
            nonce=Bytes32(nonce or secrets.token_bytes(32)),
        )
        signature = LocalSigner(bytes(payer.key)).sign(eip3009.digest(self.asset, self.node.info.network, a))
        return SettleRequest(
            network=self.node.info.network,
            asset=self.asset.address,
            authorization=a,
            signature=signature,
            seen_block=int(head["number"], 16),
            seller=seller,
            max_timeout_seconds=60,
            resource_url="https://api.example/weather",
        )

    def room_row(self, payer: LocalAccount) -> dict[str, Any]:
        """What the ledger says that a payer has open, and of its reverts."""
        return self.table.get(f"PYR#{self.node.info.network}#{self.asset.address.lower}#{payer.address.lower()}") or {}

    def earned(self) -> int:
        """What the seller holds on chain, in atomic units."""
        return self.node.balance(str(self.seller))

    def mined_nonces(self) -> int:
        """How many of the relayer's transactions are mined."""
        return self.node.transaction_count(str(self.relayer))

    def next_nonce(self) -> int:
        """The relayer's counter in the ledger."""
        item = self.table.get(f"RLY#{self.node.info.network}#{self.relayer.lower}")
        return int(item["next"]) if item else 0

    def submit_as_stranger(self, request: SettleRequest) -> str:
        """Somebody else puts the authorization on chain."""
        stranger = Account.create()
        self.node.give_gas(stranger.address)
        data = "0x" + eip3009.transfer_calldata(request.authorization, request.signature).hex()
        return self._send_from(stranger, data)

    def cancel(self, payer: LocalAccount, request: SettleRequest) -> str:
        """The payer cancels the authorization."""
        self.node.give_gas(payer.address)
        domain = {
            "name": self.asset.name,
            "version": self.asset.version,
            "chainId": self.node.info.network.chain_id,
            "verifyingContract": str(self.asset.address),
        }
        types = {
            "CancelAuthorization": [
                {"name": "authorizer", "type": "address"},
                {"name": "nonce", "type": "bytes32"},
            ]
        }
        nonce = request.authorization.nonce.raw
        signed = payer.sign_typed_data(domain, types, {"authorizer": payer.address, "nonce": nonce})
        signature = "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)"
        values = (signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))
        return self._send_from(payer, calldata(signature, payer.address, nonce, *values))

    def _send_from(self, account: LocalAccount, data: str) -> str:
        transaction: Any = {
            "to": str(self.asset.address),
            "data": data,
            "value": 0,
            "gas": 200_000,
            "maxFeePerGas": FEE_CAP,
            "maxPriorityFeePerGas": 10**9,
            "nonce": int(self.node.rpc("eth_getTransactionCount", account.address, "pending"), 16),
            "chainId": self.node.info.network.chain_id,
        }
        raw = account.sign_transaction(transaction).raw_transaction
        sent: str = self.node.rpc("eth_sendRawTransaction", "0x" + raw.hex().removeprefix("0x"))
        # Also a node that mines at once answers before it has mined.
        until = time.monotonic() + 5
        while self.node.rpc("anvil_getAutomine") and time.monotonic() < until and not self._shows_logs_of(sent):
            time.sleep(0.01)
        return sent

    def _shows_logs_of(self, transaction: str) -> bool:
        receipt = self.node.receipt(transaction)
        if receipt is None:
            return False
        block = {"fromBlock": receipt["blockNumber"], "toBlock": receipt["blockNumber"]}
        return not receipt["logs"] or bool(self.node.rpc("eth_getLogs", {"address": self.node.token, **block}))


NewWorld = Callable[..., SettleWorld]


def dies(call: Callable[[], object]) -> None:
    """Run ``call``, which must die of a ``Crash``."""
    try:
        call()
    except Crash:
        return
    raise AssertionError("nothing died")
