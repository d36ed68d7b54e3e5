"""One remote facilitator, as it is seen from here: it is asked to pay, and who sends for it."""

from dataclasses import dataclass
from typing import Protocol

from tollgate.facilitator.remote_http import NoAnswer, Reach
from tollgate.facilitator.remote_messages import Said, Supported, read_settled, read_supported, settle_message
from tollgate.gateway.ports import Clock
from tollgate.payment.events import Event, Journal
from tollgate.payment.networks import network_info
from tollgate.payment.settlement import SettleRequest, TransferProof
from tollgate.wire.primitives import Network
from tollgate.wire.reasons import Reason

_SUPPORTED_SECONDS = 3.0
_KEEP_SUPPORTED_SECONDS = 300.0


class Line(Protocol):
    """The facilitator's address, seen from here."""

    def post(self, path: str, message: bytes, timeout: float) -> bytes:
        """The body of a 200 to a POST, sent at most once. Raises ``NoAnswer``."""

    def get(self, path: str, timeout: float) -> bytes:
        """The body of a 200 to a GET. Raises ``NoAnswer``."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: its word, and what it may have of the payment."""

    said: Said
    reach: Reach


class RemoteFacilitator:
    """One of them. ``name`` is its host, for the log; ``clock`` gives seconds that only ever grow."""

    def __init__(self, name: str, line: Line, journal: Journal, clock: Clock) -> None:
        self.name = name
        self._line = line
        self._journal = journal
        self._clock = clock
        self._supported: tuple[float, Supported] | None = None

    def settle(self, request: SettleRequest, timeout: float) -> Asked:
        """Ask once, for ``timeout`` seconds. What it says is a hint."""
        asset = network_info(request.network).asset(request.asset.lower)
        try:
            said = read_settled(self._line.post("/settle", settle_message(request, asset), timeout), request)
            pending = said.success or said.why == Reason.SETTLEMENT_PENDING.value
            asked = Asked(said, Reach.UNCLEAR if pending else Reach.REFUSED)
        except NoAnswer as none:
            asked = Asked(Said(False, None, str(none)), none.reach)
        except ValueError as odd:
            asked = Asked(Said(False, None, str(odd)), Reach.UNCLEAR)
        if not asked.said.success:
            transaction = asked.said.transaction
            self._journal.record(
                Event.SETTLEMENT_PENDING,
                payment=request.payment_id.digest,
                facilitator=self.name,
                transaction=None if transaction is None else str(transaction),
                why=asked.said.why,
            )
        return asked

    def sent(self, proof: TransferProof, network: Network, timeout: float) -> bool | None:
        """Whether one of its signers sent that transaction; ``None`` while it does not say who they are."""
        read_at, last = self._supported or (0.0, None)
        was_theirs = last is not None and proof.sender in last.signers_of(network)
        if was_theirs and self._clock() - read_at <= _KEEP_SUPPORTED_SECONDS:
            return True
        try:
            # Signers come and go: that it is none of them is for good, so it takes what is said now.
            supported = self.supported(min(_SUPPORTED_SECONDS, timeout))
        except NoAnswer:
            return True if was_theirs else None
        return proof.sender in supported.signers_of(network)

    def supported(self, timeout: float) -> Supported:
        """What it settles, and who sends for it. Raises ``NoAnswer``."""
        try:
            supported = read_supported(self._line.get("/supported", timeout))
        except NoAnswer as silent:
            self._journal.record(Event.RELAYER_STATUS, facilitator=self.name, why=str(silent))
            raise
        except ValueError as odd:
            self._journal.record(Event.RELAYER_STATUS, facilitator=self.name, why=str(odd))
            raise NoAnswer(str(odd)) from None
        self._supported = (self._clock(), supported)
        return supported
