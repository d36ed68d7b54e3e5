"""Does this payment meet the terms, the clock and the chain? The verdict is held back until the look-up.

Terms first, since they cost nothing; then one batch to the chain (threat 71). A nonce that is used
already is told apart from the rest: with no payment of ours behind it, it may be a stranger's
payment copied from the chain (rule 3, threats 113 and 115), or ours, lost with a restored table.
"""

import math
from dataclasses import dataclass

from tollgate.chain.uses import Use
from tollgate.errors import BadRequest, ChainUnavailable, Refusal
from tollgate.gateway.call import Call, Parts
from tollgate.gateway.offers import acceptable, extensions
from tollgate.payment.networks import network_info
from tollgate.payment.settlement import TransferProof
from tollgate.payment.states import Flow
from tollgate.payment.terms import (
    LIFETIME_SLACK_SECONDS,
    check_authorization,
    check_time,
    flow_of,
    match_requirements,
)
from tollgate.wire.payment_identifier import check_echo
from tollgate.wire.reasons import Reason

RPC_TIMEOUT_SECONDS = 5.0
# One URL may be several nodes: the height may come from one that is ahead of the one that looked up the
# nonce. A use between the two must not lie below what is searched later; a nonce has one use, so more is harmless.
SEEN_BLOCK_MARGIN = 30
# What settling needs after the upstream has answered: the authorization must outlive it (threat 44).
SETTLE_SECONDS = 10


class NonceUsed(Refusal):
    """The authorization's nonce was used before we ever claimed it."""

    def __init__(self) -> None:
        super().__init__(Reason.NONCE_ALREADY_USED, "This authorization was used already.")


@dataclass(frozen=True, slots=True)
class Examined:
    """What the claim needs of the check: a height at which the nonce was unused, the payer's balance, and the flow that
    the accepted offer named."""

    seen_block: int
    balance: int
    flow: Flow


@dataclass(frozen=True, slots=True)
class Examiner:
    """Checks that need nothing of our own ledger."""

    parts: Parts

    def examine(self, call: Call) -> Examined:
        """All that can be said of a payment without the ledger.

        Raises ``Refusal`` (``NonceUsed`` among them) or ``ChainUnavailable``.
        """
        now = self.parts.now()
        payment = call.payment
        authorization = payment.payload.authorization
        payable = call.catalogue.payable_networks()
        requirements = match_requirements(payment, acceptable(call.match.route, payable, now))
        check_authorization(requirements, authorization)
        self._check_resource(call)
        check_echo(extensions(), payment.extensions)
        chain = self.parts.chains.get(requirements.network)
        if chain is None:
            raise Refusal(Reason.INVALID_NETWORK, "This network is not served here.")
        check = chain.check(call.asset, authorization, payment.payload.signature, RPC_TIMEOUT_SECONDS)
        if check.nonce_used:
            raise NonceUsed
        flow = flow_of(requirements)
        # Settled first, an authorization need not outlive the upstream.
        upstream_seconds = 0 if flow is Flow.UPFRONT else math.ceil(call.match.route.upstream.timeout_seconds)
        check_time(requirements, authorization, now, upstream_seconds + SETTLE_SECONDS)
        if check.balance < authorization.value:
            raise Refusal(Reason.INSUFFICIENT_FUNDS, "The payer's balance is below the price.")
        if not check.would_succeed:
            raise Refusal(Reason.SIMULATION_FAILED, "The token would refuse this transfer at the moment.")
        return Examined(max(0, check.head.number - SEEN_BLOCK_MARGIN), check.balance, flow)

    def _check_resource(self, call: Call) -> None:
        url = call.payment.resource_url
        if url is None:
            return
        base = call.match.route.base_url(self.parts.base_url)
        path = url.removeprefix(base).partition("?")[0]
        if not url.startswith(base + "/") or not _names_route(call, path):
            raise Refusal(Reason.RESOURCE_MISMATCH, "The payment names another resource.")

    def find_use(self, call: Call, from_block: int) -> Use:
        """What became of the authorization since ``from_block``. Raises ``ChainUnavailable``."""
        chain = self.parts.chains.get(call.id.network)
        if chain is None:
            raise ChainUnavailable("this stack does not speak to the payment's network")
        return chain.find_use(call.asset, call.payment.payload.authorization, from_block, RPC_TIMEOUT_SECONDS)

    def used_by_us(self, call: Call) -> TransferProof | None:
        """The proof, if the used nonce was used by one of our own relayers; else ``None``.

        The search reaches back as far as an authorization with this deadline can have existed.
        Raises ``ChainUnavailable``.
        """
        network = call.payment.accepted.network
        chain = self.parts.chains.get(network)
        status = call.catalogue.snapshot.status(network)
        if chain is None or status is None or not status.relayers:
            return None
        authorization = call.payment.payload.authorization
        head = chain.check(call.asset, authorization, call.payment.payload.signature, RPC_TIMEOUT_SECONDS).head
        oldest = authorization.valid_before - call.payment.accepted.max_timeout_seconds - LIFETIME_SLACK_SECONDS
        blocks = math.ceil(max(0, head.timestamp - oldest) / network_info(network).block_seconds) + 10
        use = chain.find_use(call.asset, authorization, max(0, head.number - blocks), RPC_TIMEOUT_SECONDS)
        if use.proof is not None and use.proof.sender in status.relayers:
            return use.proof
        return None


def _names_route(call: Call, path: str) -> bool:
    try:
        return call.catalogue.match(call.match.route.method, path).route.id == call.match.route.id
    except BadRequest:
        return False
