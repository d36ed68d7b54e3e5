"""A facilitator under test, as a check sees it; and Tollgate's HTTP API as one."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from eth_account.signers.local import LocalAccount

from local.chain import Chain, calldata
from tests.support.functions import Functions
from tests.support.sellers import SUPPORTED, SellerElsewhere

Message = dict[str, Any]
# Long enough to broadcast, short enough to wait out: in seconds.
PATIENCE = 4.0


class Settling(Protocol):
    """A facilitator on a real chain, with two sellers."""

    chain: Chain

    def requirements(self, **changes: Any) -> Message:
        """What the first seller wants to be paid."""

    def payment(self, requirements: Message, buyer: LocalAccount | None = None, **signed: Any) -> Message:
        """A signed payment that accepts them; ``signed`` alters the authorization before it is signed."""

    def verify(self, payment: Any, requirements: Message) -> Message:
        """POST /verify."""

    def settle(self, payment: Any, requirements: Message, *, other_seller: bool = False) -> Message:
        """POST /settle, waiting for at most ``PATIENCE``."""

    def supported(self) -> Message:
        """GET /supported."""

    def transactions(self) -> int:
        """How many of its transactions are mined or wait to be."""


class TollgateFacilitator:
    """The functions verify, settle and supported, in this process, on DynamoDB, KMS and the chain."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.chain = functions.chain
        self._seller = SellerElsewhere(functions)
        self._other = SellerElsewhere(functions, pay_to=self._seller.pay_to)

    def requirements(self, **changes: Any) -> Message:
        """See ``Settling``."""
        return self._seller.requirements(**changes)

    def payment(self, requirements: Message, buyer: LocalAccount | None = None, **signed: Any) -> Message:
        """See ``Settling``."""
        return self._seller.payment(buyer or self.functions.buyer(), requirements, **signed)

    def verify(self, payment: Any, requirements: Message) -> Message:
        """See ``Settling``."""
        return self._seller.verify(self._envelope(payment, requirements))

    def settle(self, payment: Any, requirements: Message, *, other_seller: bool = False) -> Message:
        """See ``Settling``."""
        seller = self._other if other_seller else self._seller
        return seller.settle(self._envelope(payment, requirements), seconds=PATIENCE)

    def supported(self) -> Message:
        """See ``Settling``; reconcile says first which networks have gas."""
        self.functions.invoke("reconcile", {})
        self.functions.cold("supported")
        message: Message = self.functions.request("GET", SUPPORTED).json()
        return message

    def transactions(self) -> int:
        """See ``Settling``."""
        return pending_count(self.chain, self.functions.relayer())

    def _envelope(self, payment: Any, requirements: Message) -> Message:
        return {"x402Version": 2, "paymentPayload": payment, "paymentRequirements": requirements}


def pending_count(chain: Chain, sender: str) -> int:
    """Transactions of an account, those in the pool included."""
    return int(chain.rpc("eth_getTransactionCount", sender, "pending"), 16)


def cancel(chain: Chain, payer: LocalAccount, payment: Message) -> None:
    """The payer cancels the authorization."""
    nonce = bytes.fromhex(payment["payload"]["authorization"]["nonce"][2:])
    domain = {
        "name": "USDC",
        "version": "2",
        "chainId": chain.info.network.chain_id,
        "verifyingContract": chain.token,
    }
    fields = [{"name": "authorizer", "type": "address"}, {"name": "nonce", "type": "bytes32"}]
    signed = payer.sign_typed_data(
        domain, {"CancelAuthorization": fields}, {"authorizer": payer.address, "nonce": nonce}
    )
    signature = "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)"
    data = calldata(signature, payer.address, nonce, signed.v, signed.r.to_bytes(32), signed.s.to_bytes(32))
    chain.give_gas(payer.address)
    send(chain, payer, data)


def overtake(chain: Chain, transaction: str, first: Callable[[], None]) -> None:
    """Have what ``first`` sends mined before a transaction that waits in the pool; that is mined next."""
    raw = chain.rpc("eth_getRawTransactionByHash", transaction)
    chain.rpc("anvil_dropTransaction", transaction)
    first()
    chain.mine()
    chain.rpc("eth_sendRawTransaction", raw)
    chain.mine()


def send(chain: Chain, account: LocalAccount, data: str) -> str:
    """Broadcast a call of the token; returns the transaction's hash."""
    transaction: Any = {
        "to": chain.token,
        "data": data,
        "value": 0,
        "gas": 200_000,
        "maxFeePerGas": 100 * 10**9,
        "maxPriorityFeePerGas": 10**9,
        "nonce": pending_count(chain, account.address),
        "chainId": chain.info.network.chain_id,
    }
    raw = account.sign_transaction(transaction).raw_transaction
    sent: str = chain.rpc("eth_sendRawTransaction", "0x" + raw.hex().removeprefix("0x"))
    return sent


def chain_time(chain: Chain) -> float:
    """Whichever is later: tests move the chain's clock ahead."""
    return max(time.time(), chain.now())
