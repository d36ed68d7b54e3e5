"""Verify: would this payment settle now? Reads the chain once, writes nothing (threats 70, 71)."""

from typing import Protocol

from tollgate.chain.evm import ChainCheck
from tollgate.errors import ChainUnavailable, Refusal
from tollgate.facilitator.ports import Clock
from tollgate.facilitator.terms import Assets, check_accepted, check_business, check_time, payment_id
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import Asset
from tollgate.payment.sellers import Seller
from tollgate.payment.v1_names import network_named
from tollgate.wire.facilitator_messages import Business, Envelope, VerifyResponse, read_business
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Network
from tollgate.wire.reasons import Reason

_RPC_SECONDS = 5.0


class CheckChain(Protocol):
    """One network, to be looked at."""

    def check(self, asset: Asset, a: Authorization, signature: bytes, timeout: float) -> ChainCheck:
        """Nonce, balance, simulation and head, in one batch. Raises ``ChainUnavailable``."""


class CheckChains(Protocol):
    """The networks of this stack."""

    def get(self, network: Network) -> CheckChain | None:
        """The network's chain, or ``None``. Raises ``ChainUnavailable``."""


class VerifyService:
    """The use case."""

    def __init__(self, assets: Assets, chains: CheckChains, journal: Journal, clock: Clock) -> None:
        self._assets = assets
        self._chains = chains
        self._journal = journal
        self._clock = clock

    def verify(self, seller: Seller, envelope: Envelope) -> VerifyResponse:
        """The verdict; whatever is wrong with the payment, or unknown of it, is an invalid one with its reason."""
        payer: Address | None = None
        payment: str | None = None
        try:
            business = read_business(envelope, network_named)
            payer = business.payload.authorization.from_
            payment = payment_id(business).digest
            self._check(seller, business)
        except Refusal as refused:
            self._journal.record(
                Event.PAYMENT_REFUSED, payment=payment, seller=seller.name, reason=refused.reason.value
            )
            return VerifyResponse(payer, refused.reason, refused.sentence)
        except ChainUnavailable as down:
            self._journal.record(Event.CHAIN_UNAVAILABLE, network=envelope.network, why=str(down))
            return VerifyResponse(
                payer, Reason.UNEXPECTED_VERIFY_ERROR, "The chain cannot be asked at the moment: nothing was decided."
            )
        self._journal.record(Event.PAYMENT_VERIFIED, payment=payment, seller=seller.name)
        return VerifyResponse(payer)

    def _check(self, seller: Seller, business: Business) -> None:
        check_accepted(business)
        seller.check(business.requirements)
        asset = check_business(business, self._assets)
        check_time(business, int(self._clock()))
        chain = self._chains.get(business.requirements.network)
        if chain is None:
            raise Refusal(Reason.INVALID_NETWORK, "This facilitator does not settle on this network.")
        authorization = business.payload.authorization
        check = chain.check(asset, authorization, business.payload.signature, _RPC_SECONDS)
        if check.nonce_used:
            raise Refusal(Reason.NONCE_ALREADY_USED, "This authorization was used already.")
        if check.balance < authorization.value:
            raise Refusal(Reason.INSUFFICIENT_FUNDS, "The payer's balance is below the amount.")
        if not check.would_succeed:
            raise Refusal(Reason.SIMULATION_FAILED, "The token would refuse this transfer at the moment.")
