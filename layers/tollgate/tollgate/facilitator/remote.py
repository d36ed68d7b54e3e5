"""Remote facilitators as the ``Settler``: they are asked to pay, and the chain is asked whether they did.

    look at the chain -> whose turn is it? -> POST /settle, once -> look at the chain [-> the next one]

Nothing that a facilitator answers is an outcome. ``Confirmed`` comes from the log pair, ``Failed``
from what the chain proves can never be paid; all else, whether a refusal, a redirect, a lie or
silence, is ``Pending``: the facilitator holds the signature and may use it until the deadline
(threats 73-77). Each POST comes after a look that found the nonce unused, so none is sent twice
without one.
"""

from collections.abc import Sequence
from typing import Any

from tollgate.chain.uses import Use
from tollgate.errors import ChainUnavailable
from tollgate.facilitator.remote_http import HeadersMissing, NoAnswer, Reach
from tollgate.facilitator.remote_messages import NOTHING, Said, Supported
from tollgate.facilitator.remote_one import Asked, RemoteFacilitator
from tollgate.facilitator.remote_turns import HOLD_SECONDS, Turns
from tollgate.facilitator.verdicts import budget
from tollgate.gateway.ports import Chains, Clock, Sleep
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import network_info
from tollgate.payment.settlement import Confirmed, Pending, SettleOutcome, SettleRequest, TransferProof
from tollgate.wire.primitives import Address, Bytes32, Network

POST_SECONDS = 20.0
# Kept back of the caller's time for the look that follows a POST (rule 12).
LOOK_RESERVE_SECONDS = 2.0
_LEAST_POST_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.5
# How long an answer that is no success is given to turn out settled, before it is asked again.
_PATIENCE_SECONDS = 3.0


class RemoteSettler:
    """Settles through ``facilitators``, the first one first. ``networks`` are those of this stack.

    ``clock`` gives seconds that only ever grow.
    """

    def __init__(
        self,
        facilitators: Sequence[RemoteFacilitator],
        chains: Chains,
        networks: Sequence[Network],
        journal: Journal,
        *,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._facilitators = tuple(facilitators)
        self._turns = Turns([one.name for one in facilitators], journal, clock)
        self._chains = chains
        self._networks = tuple(networks)
        self._journal = journal
        self._clock = clock
        self._sleep = sleep

    def settle(self, request: SettleRequest, timeout: float) -> SettleOutcome:
        """Ask for settlement; idempotent. ``timeout`` in seconds."""
        until = self._clock() + timeout
        try:
            use = self._look(request, until)
            outcome = self._outcome(request, use, NOTHING, until)
        except ChainUnavailable as down:
            self._chain_down(request, down)
            return Pending()
        if outcome is not None:
            return self._ended(request, outcome)
        return self._ask_in_turn(request, use, until)

    def relayers(self, timeout: float) -> dict[str, Any] | None:
        """Whether this stack's networks can be settled on, and by which signers, as ``relayer_status`` says it.

        ``hasGas`` is true when one facilitator settles there; ``None`` when none does that says so, and one does
        not answer. One that keeps refusing there, or cannot be asked at all because its headers are not to be had,
        does not settle. ``timeout`` is seconds, for all of them.
        """
        until = self._clock() + timeout
        answers: list[Supported | bool | None] = []
        for index, one in enumerate(self._facilitators):
            # One that is slow leaves the others their share.
            share = (until - self._clock()) / (len(self._facilitators) - index)
            try:
                answers.append(one.supported(share))
            except HeadersMissing:
                answers.append(False)
            except NoAnswer:
                answers.append(None)
        return {"networks": [self._status(network, answers) for network in self._networks]}

    def _status(self, network: Network, answers: Sequence[Supported | bool | None]) -> dict[str, Any]:
        payable: list[bool | None] = []
        signers: dict[Address, None] = {}
        for index, answer in enumerate(answers):
            if isinstance(answer, Supported):
                signers |= dict.fromkeys(answer.signers_of(network))
            listed = network in answer.networks if isinstance(answer, Supported) else answer
            payable.append(False if self._turns.skipped(index, network) else listed)
        return {
            "network": str(network),
            "relayers": [{"address": str(signer), "balanceWei": None} for signer in signers],
            "hasGas": True if True in payable else None if None in payable else False,
        }

    def _ask_in_turn(self, request: SettleRequest, use: Use, until: float) -> SettleOutcome:
        """Ask whoever's turn it is; the next one when that one has nothing of it, or turned it down for no reason.

        Only after a look that found the authorization unused is anybody asked.
        """
        payment, a = request.payment_id, request.authorization
        # Then another process has asked before this one, and whoever may be at work has had its time.
        old = use.head.timestamp > a.valid_before - request.max_timeout_seconds + HOLD_SECONDS
        named = self._turns.named(payment)
        tried: list[int] = []
        while True:
            left = until - self._clock() - LOOK_RESERVE_SECONDS
            if use.head.timestamp >= a.valid_before or left < _LEAST_POST_SECONDS:
                return Pending(named)
            index = self._turns.next(payment, tried=tried, old=old)
            if index is None:
                return Pending(named)
            tried.append(index)
            asked = self._facilitators[index].settle(request, min(left, POST_SECONDS))
            self._turns.asked(index, payment, asked.reach, asked.said.transaction)
            named = asked.said.transaction or named
            if asked.reach is not Reach.NOWHERE:
                another = self._turns.next(payment, tried=tried, old=old) is not None
                outcome = self._watch(request, asked, until, another)
                if not isinstance(outcome, Pending):
                    return self._ended(request, outcome)
                named = outcome.transaction or named
                if not self._is_good(request, until):
                    return Pending(named)
            if asked.reach is not Reach.UNCLEAR or old:
                self._turns.failed(index, payment)
            if asked.reach is Reach.UNCLEAR:
                return Pending(named)

    def _ended(self, request: SettleRequest, outcome: SettleOutcome) -> SettleOutcome:
        if not isinstance(outcome, Pending):
            self._turns.ended(request.payment_id, settled=isinstance(outcome, Confirmed) and outcome.ours)
        return outcome

    def _is_good(self, request: SettleRequest, until: float) -> bool:
        """Whether the chain would take the payment now: then it is not for the payer that it was not settled."""
        chain = self._chains.get(request.network)
        asset = network_info(request.network).asset(request.asset.lower)
        try:
            left = budget(until, self._clock())
            check = None if chain is None else chain.check(asset, request.authorization, request.signature, left)
        except ChainUnavailable as down:
            self._chain_down(request, down)
            return False
        return check is not None and check.would_succeed and not check.nonce_used

    def _watch(self, request: SettleRequest, asked: Asked, until: float, another: bool) -> SettleOutcome:
        """Look until the chain has spoken; a node may lag behind the one that the facilitator asked.

        ``another``: somebody else waits to be asked, if this one has refused.
        """
        said = asked.said
        patience = until if said.success else min(until, self._clock() + _PATIENCE_SECONDS)
        if another and asked.reach is Reach.REFUSED:
            patience = self._clock()
        while True:
            try:
                outcome = self._outcome(request, self._look(request, until), said, until)
                if outcome is not None:
                    return outcome
            except ChainUnavailable as down:
                self._chain_down(request, down)
            if self._clock() + _LOOK_AGAIN_SECONDS >= patience:
                return Pending(said.transaction)
            self._sleep(_LOOK_AGAIN_SECONDS)

    def _look(self, request: SettleRequest, until: float) -> Use:
        chain = self._chains.get(request.network)
        if chain is None:
            raise ChainUnavailable("this stack does not speak to the payment's network")
        asset = network_info(request.network).asset(request.asset.lower)
        left = budget(until, self._clock())
        return chain.find_use(asset, request.authorization, request.seen_block, left)

    def _outcome(self, request: SettleRequest, use: Use, said: Said, until: float) -> SettleOutcome | None:
        """What the chain proves; ``None`` while it proves nothing."""
        if use.proof is None:
            return use.failure
        ours = self._sent_by_them(request, use.proof, said.transaction if said.success else None, until)
        # Paid, but for whom? It must not be booked as a stranger's only because nobody answers just now.
        return Pending(use.proof.transaction) if ours is None else Confirmed(use.proof, ours)

    def _sent_by_them(
        self, request: SettleRequest, proof: TransferProof, named: Bytes32 | None, until: float
    ) -> bool | None:
        """Whether a facilitator's own transaction paid: the one that it named, or one by its signers (threat 51).

        Whichever of them it was: they are trusted alike, and another process may have asked another one.
        """
        if proof.transaction == named:
            return True
        unknown = False
        for one in self._facilitators:
            theirs = one.sent(proof, request.network, until - self._clock())
            if theirs:
                return True
            unknown = unknown or theirs is None
        return None if unknown else False

    def _chain_down(self, request: SettleRequest, down: ChainUnavailable) -> None:
        self._journal.record(Event.CHAIN_UNAVAILABLE, network=str(request.network), why=str(down))
