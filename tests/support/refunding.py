"""Refunds on real parts: a payment that was settled, a treasury whose key is in KMS, and services that come and go."""

from dataclasses import replace
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.support.aws import client
from tests.support.settling import PRICE, SettleWorld
from tollgate.chain.signer import KmsSigner
from tollgate.facilitator.ports import Lane, Signer
from tollgate.facilitator.refund import RefundService
from tollgate.ledger.refunds import RefundsLedger
from tollgate.payment.identity import PaymentId
from tollgate.payment.refund import RefundAnswer, refund_nonce
from tollgate.payment.settlement import Confirmed, SettleRequest


def kms_signer(endpoint: str) -> KmsSigner:
    """A new key in the local KMS."""
    kms = client("kms", endpoint)
    key = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    return KmsSigner(kms, key)


class Till:
    """A treasury beside a ``SettleWorld``; ``paid`` makes payments that can be refunded."""

    def __init__(self, world: SettleWorld, endpoint: str) -> None:
        self.world = world
        self.treasury = kms_signer(endpoint)
        self.address = str(self.treasury.address())
        # Mining a testnet's half hour of blocks takes its time here, too.
        self.info = replace(world.node.info, final_blocks=20)
        self.refunds = RefundsLedger(world.table)

    def fund(self, atomic: int = 10 * PRICE) -> None:
        """Give the treasury tokens."""
        self.world.node.mint(self.address, atomic)

    def service(
        self,
        *,
        treasury: Signer | None = None,
        begins: bool = True,
        refunds: Any = None,
        chain: Any = None,
        **settling: Any,
    ) -> RefundService:
        """A fresh process. ``settling`` goes to the settle service below."""
        world = self.world
        network = world.node.info.network
        used = chain or world.chain
        return RefundService(
            {network: Lane(self.info, world.asset, used)},
            {network: used},
            world.service(chain=chain, **settling),
            settling.get("ledger") or world.ledger(),
            refunds or self.refunds,
            treasury or self.treasury,
            world.journal,
            begins=begins,
            pay_to=[world.seller],
            clock=world.clock,
        )

    def paid(self, payer: LocalAccount, *, seller: str = "self", deep: bool = True) -> SettleRequest:
        """A settled payment of ``PRICE``, ``confirmations`` deep unless told otherwise."""
        request = self.world.request(payer, seller=seller)
        assert isinstance(self.world.service().settle(request, self.world.deadline()), Confirmed)
        if deep:
            self.deepen()
        return request

    def deepen(self) -> None:
        """Bury what is mined by ``confirmations``."""
        self.world.node.mine(self.world.node.info.confirmations, 0)

    def finalise(self) -> None:
        """Bury what is mined for good."""
        self.world.node.mine(self.info.final_blocks, 0)

    def refund(self, payment: SettleRequest | PaymentId, **process: Any) -> RefundAnswer:
        """Ask a fresh process once."""
        id = payment if isinstance(payment, PaymentId) else payment.payment_id
        return self.service(**process).refund(id, self.world.deadline())

    def complete(self, payment: SettleRequest) -> Confirmed:
        """Ask, bury, ask again."""
        self.refund(payment)
        self.finalise()
        answer = self.refund(payment)
        assert isinstance(answer, Confirmed), answer
        return answer

    def spent(self, payment: SettleRequest) -> bool:
        """Whether the refund's nonce is used on chain."""
        return self.world.node.nonce_used(self.address, refund_nonce(payment.payment_id).raw)
