"""Has a payment's outcome been decided on chain? Only proof is written down; "not found" is unknown."""

from tollgate.chain.evm import Use
from tollgate.errors import ChainUnavailable, Refusal
from tollgate.facilitator.ports import Clock, Lane, SettlementLedger, Sleep
from tollgate.facilitator.relayers import Relayers
from tollgate.ledger.settlement_items import Settlement, terms_of
from tollgate.payment.events import Event, Journal
from tollgate.payment.settlement import (
    Confirmed,
    Failed,
    Pending,
    SettleOutcome,
    SettleRequest,
    TransferProof,
)
from tollgate.payment.states import SettlementState
from tollgate.wire.reasons import Reason

# The longest that one question to the chain may take.
RPC_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.5


def budget(until: float, now: float) -> float:
    """Seconds for one call to the chain. Raises ``ChainUnavailable`` when there is no time left to ask."""
    left = until - now
    if left <= 0:
        raise ChainUnavailable("no time left to ask the chain")
    return min(left, RPC_SECONDS)


def same_business(known: Settlement, request: SettleRequest) -> Settlement:
    """The settlement, if it is this seller's on these terms. Raises ``Refusal`` (threat 39)."""
    theirs, asked = ((r.seller, r.max_timeout_seconds, terms_of(r)) for r in (known.request, request))
    if theirs != asked:
        raise Refusal(
            Reason.DUPLICATE_SETTLEMENT,
            "this authorization is settled for another seller or on other terms",
        )
    return known


class Verdicts:
    """Asks the chain, and stores what it proves."""

    def __init__(
        self, relayers: Relayers, ledger: SettlementLedger, journal: Journal, clock: Clock, sleep: Sleep
    ) -> None:
        self._relayers = relayers
        self._ledger = ledger
        self._journal = journal
        self._clock = clock
        self._sleep = sleep

    def confirm(self, request: SettleRequest, known: Settlement | None, proof: TransferProof) -> SettleOutcome:
        """Paid: store it and answer what then stands."""
        own = known.signed if known else None
        own_bytes = own is not None and proof.transaction in own.transactions
        ours = own_bytes or self._relayers.find(proof.sender) is not None
        return self._store(request, known, Confirmed(proof, ours))

    def stands(self, lane: Lane, proof: TransferProof, until: float) -> bool:
        """Whether the proof's block is still on chain; a node that has not come so far does not deny it."""
        left = budget(until, self._clock())
        found = lane.chain.block_hash_at(proof.block_number, left, proof.block_hash)
        return found is None or found == proof.block_hash

    def judge(
        self, lane: Lane, request: SettleRequest, known: Settlement | None, until: float, *, expect_use: bool
    ) -> SettleOutcome:
        """Look for any use of the authorization, ours or not (threats 51, 52, 56, 58).

        ``expect_use``: somebody's use is mined or about to be, but this node may lag: look again
        until it shows or ``until`` comes.
        """
        seen_block = min(request.seen_block, known.request.seen_block) if known else request.seen_block
        while True:
            use = self._look(lane, request, seen_block, until)
            if use is not None:
                if use.proof is not None:
                    return self.confirm(request, known, use.proof)
                if use.failure is not None:
                    return self._store(request, known, use.failure)
            if not expect_use or self._clock() + _LOOK_AGAIN_SECONDS >= until:
                return known.outcome if known else Pending()
            self._sleep(_LOOK_AGAIN_SECONDS)

    def _look(self, lane: Lane, request: SettleRequest, seen_block: int, until: float) -> Use | None:
        try:
            left = budget(until, self._clock())
            return lane.chain.find_use(lane.asset, request.authorization, seen_block, left)
        except ChainUnavailable as down:
            self._journal.record(Event.CHAIN_UNAVAILABLE, network=str(request.network), why=str(down))
            return None

    def _store(self, request: SettleRequest, known: Settlement | None, outcome: Confirmed | Failed) -> SettleOutcome:
        now = int(self._clock())
        if known is None:
            return same_business(self._ledger.record(request, outcome, now), request).outcome
        if known.state is SettlementState.RESERVED:
            # It cannot be signed just now; the nonce it holds keeps it open in the ledger.
            return outcome
        return self._ledger.conclude(known, outcome, now).outcome
