"""A remote facilitator as the ``Settler``: it is asked to pay, and the chain is asked whether it did.

    look at the chain -> POST /settle, once -> look at the chain

Nothing that the facilitator answers is an outcome. ``Confirmed`` comes from the log pair, ``Failed``
from what the chain proves can never be paid; all else, whether a refusal, a redirect, a lie or
silence, is ``Pending``: the facilitator holds the signature and may use it until the deadline
(threats 73-77). Each POST comes after a look that found the nonce unused, so none is sent twice
without one.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from tollgate.chain.uses import Use
from tollgate.errors import ChainUnavailable
from tollgate.facilitator.remote_http import HeadersMissing, NoAnswer
from tollgate.facilitator.remote_messages import (
    NOTHING,
    Said,
    Supported,
    read_settled,
    read_supported,
    settle_message,
)
from tollgate.facilitator.verdicts import budget
from tollgate.gateway.ports import Chains, Clock, Sleep
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import network_info
from tollgate.payment.settlement import Confirmed, Pending, SettleOutcome, SettleRequest, TransferProof
from tollgate.wire.primitives import Bytes32, Network

POST_SECONDS = 20.0
# Kept back of the caller's time for the look that follows a POST (rule 12).
LOOK_RESERVE_SECONDS = 2.0
_LEAST_POST_SECONDS = 1.0
_SUPPORTED_SECONDS = 3.0
_KEEP_SUPPORTED_SECONDS = 300.0
_LOOK_AGAIN_SECONDS = 0.5
# How long an answer that is no success is given to turn out settled, before it is asked again.
_PATIENCE_SECONDS = 3.0


class Line(Protocol):
    """The facilitator's address, seen from here."""

    def post(self, path: str, message: bytes, timeout: float) -> bytes:
        """The body of a 200 to a POST, sent at most once. Raises ``NoAnswer``."""

    def get(self, path: str, timeout: float) -> bytes:
        """The body of a 200 to a GET. Raises ``NoAnswer``."""


class RemoteSettler:
    """Settles through ``line``. ``networks`` are those of this stack; ``clock`` gives seconds that only ever grow."""

    def __init__(
        self, line: Line, chains: Chains, networks: Sequence[Network], journal: Journal, *, clock: Clock, sleep: Sleep
    ) -> None:
        self._line = line
        self._chains = chains
        self._networks = tuple(networks)
        self._journal = journal
        self._clock = clock
        self._sleep = sleep
        self._supported: tuple[float, Supported] | None = None

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
            return outcome
        left = until - self._clock() - LOOK_RESERVE_SECONDS
        if use.head.timestamp >= request.authorization.valid_before or left < _LEAST_POST_SECONDS:
            return Pending()
        said = self._ask(request, min(left, POST_SECONDS))
        return self._watch(request, said, until)

    def relayers(self, timeout: float) -> dict[str, Any] | None:
        """Whether the facilitator settles this stack's networks, and its signers, as ``relayer_status`` says it.

        ``hasGas`` is ``None`` when it does not answer, and ``False`` when it cannot be asked to settle
        at all: its headers are not to be had.
        """
        try:
            supported = self._fetch_supported(timeout)
        except HeadersMissing:
            return {"networks": [_status(network, None, payable=False) for network in self._networks]}
        except NoAnswer:
            supported = None
        return {
            "networks": [
                _status(network, supported, payable=None if supported is None else network in supported.networks)
                for network in self._networks
            ]
        }

    def _ask(self, request: SettleRequest, timeout: float) -> Said:
        asset = network_info(request.network).asset(request.asset.lower)
        try:
            said = read_settled(self._line.post("/settle", settle_message(request, asset), timeout), request)
        except (NoAnswer, ValueError) as odd:
            said = Said(False, None, str(odd))
        if not said.success:
            self._journal.record(
                Event.SETTLEMENT_PENDING,
                payment=request.payment_id.digest,
                transaction=None if said.transaction is None else str(said.transaction),
                why=said.why,
            )
        return said

    def _watch(self, request: SettleRequest, said: Said, until: float) -> SettleOutcome:
        """Look until the chain has spoken; a node may lag behind the one that the facilitator asked."""
        patience = until if said.success else min(until, self._clock() + _PATIENCE_SECONDS)
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
        """Whether the facilitator's own transaction paid: the one that it named, or one by its signers (threat 51)."""
        if proof.transaction == named:
            return True
        read_at, last = self._supported or (0.0, None)
        was_theirs = last is not None and proof.sender in last.signers_of(request.network)
        if was_theirs and self._clock() - read_at <= _KEEP_SUPPORTED_SECONDS:
            return True
        try:
            # Signers come and go: that it is none of them is for good, so it takes what is said now.
            supported = self._fetch_supported(min(_SUPPORTED_SECONDS, until - self._clock()))
        except NoAnswer:
            return True if was_theirs else None
        return proof.sender in supported.signers_of(request.network)

    def _fetch_supported(self, timeout: float) -> Supported:
        try:
            supported = read_supported(self._line.get("/supported", timeout))
        except NoAnswer as silent:
            self._journal.record(Event.RELAYER_STATUS, why=str(silent))
            raise
        except ValueError as odd:
            self._journal.record(Event.RELAYER_STATUS, why=str(odd))
            raise NoAnswer(str(odd)) from None
        self._supported = (self._clock(), supported)
        return supported

    def _chain_down(self, request: SettleRequest, down: ChainUnavailable) -> None:
        self._journal.record(Event.CHAIN_UNAVAILABLE, network=str(request.network), why=str(down))


def _status(network: Network, supported: Supported | None, *, payable: bool | None) -> dict[str, Any]:
    signers = () if supported is None else supported.signers_of(network)
    return {
        "network": str(network),
        "relayers": [{"address": str(signer), "balanceWei": None} for signer in signers],
        "hasGas": payable,
    }
