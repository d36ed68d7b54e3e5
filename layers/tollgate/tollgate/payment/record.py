"""A payment as the seller's ledger holds it, and an answer as it is kept for a resend."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tollgate.payment.fees import fee_of
from tollgate.payment.identity import PaymentId
from tollgate.payment.settlement import SettleRequest
from tollgate.payment.states import Flow, State
from tollgate.wire.models import Authorization, SettleResponse
from tollgate.wire.primitives import Address, Bytes32
from tollgate.wire.reasons import Reason


@dataclass(frozen=True, slots=True)
class Claim:
    """What is written when a payment is claimed. Amounts are atomic units, times Unix seconds.

    ``owner`` is this invocation's random token; ``identifier`` the SHA-256 of the buyer's
    payment-identifier, ``identifier_secret`` whether it is long enough to prove anything (rule 6);
    ``counted`` whether the payer's row counts it (those of earlier versions it does not); ``route_owner`` whose the
    route was then, ``None`` for the operator's, and ``fee_bps`` what the owner owed the operator of it; ``grants``
    whether what it buys is let through instead of made here.
    """

    id: PaymentId
    authorization: Authorization
    signature: bytes = field(repr=False)
    seller: str
    route: str
    fingerprint: str
    resource_url: str
    max_timeout_seconds: int
    owner: str
    source: str
    identifier: str | None
    identifier_secret: bool
    seen_block: int
    claimed_at: int
    lease_until: int
    counted: bool = True
    flow: Flow = Flow.AUTHORIZATION
    route_owner: Address | None = None
    fee_bps: int = 0
    grants: bool = False

    @property
    def fee(self) -> int:
        """What the owner owes the operator once this is settled, in atomic units."""
        return 0 if self.route_owner is None else fee_of(self.authorization.value, self.fee_bps)


# In a payment's history: somebody was told 503, the outcome is not known.
ANSWERED_UNKNOWN = "ANSWERED_503"


@dataclass(frozen=True, slots=True)
class Move:
    """One line of a payment's history: a state that it moved to, or what else became of it, in capitals.

    ``at`` is Unix seconds, ``detail`` one word: a transaction's hash, a reason.
    """

    what: str
    at: int
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.at} {self.detail}".rstrip()

    @classmethod
    def parse(cls, text: str) -> "Move":
        """Read back what ``str`` wrote. Raises ``ValueError``."""
        what, at, *detail = text.split(" ", 2)
        return cls(what, int(at), *detail)


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment, read consistently. ``moves`` is its history; empty for items of the first version.

    Upfront flow: ``ran_at`` is when the one run of the upstream was begun, ``served_at`` when its answer was
    stored, ``refund_why`` a code that says why nothing was served. ``refund_begun_at``: since when the stack sends it
    back by itself; ``refund_failed``: the code of why that can never come. All of them outlive a reversal.
    ``granted_now``: this very value came of the move to GRANTED, so its caller, and no other, is let through; it is
    never read from a table.
    """

    claim: Claim
    state: State
    fence: int
    transaction: Bytes32 | None = None
    log_index: int | None = None
    block_number: int | None = None
    block_hash: Bytes32 | None = None
    ours: bool = False
    settled_at: int | None = None
    address_resends: int = 0
    attempts: int = 0
    reason: Reason | None = None
    ran_at: int | None = None
    served_at: int | None = None
    refund_why: str | None = None
    refund_begun_at: int | None = None
    refund_failed: str | None = None
    granted_now: bool = False
    moves: tuple[Move, ...] = field(default=(), compare=False)

    @property
    def id(self) -> PaymentId:
        """The payment's identity."""
        return self.claim.id

    @property
    def answered_unknown(self) -> bool:
        """Whether its history says that somebody was told 503."""
        return any(move.what == ANSWERED_UNKNOWN for move in self.moves)

    @property
    def unserved(self) -> bool:
        """Settled first, and the upstream was not asked yet: whoever may have the answer may have it run."""
        return self.state is State.SETTLED and self.claim.flow is Flow.UPFRONT and not self.ended

    @property
    def ended(self) -> bool:
        """Whether the upfront flow has come to its end before: served, owed back, or run without either."""
        return self.served_at is not None or self.refund_why is not None or self.ran_at is not None

    def alive(self, now: float) -> bool:
        """Whether its owner's lease still runs: nobody else may touch it (rule 11)."""
        return now <= self.claim.lease_until

    def settle_request(self) -> SettleRequest:
        """What to ask of the facilitator; the same every time."""
        claim = self.claim
        return SettleRequest(
            network=claim.id.network,
            asset=claim.id.asset,
            authorization=claim.authorization,
            signature=claim.signature,
            seen_block=claim.seen_block,
            seller=claim.seller,
            max_timeout_seconds=claim.max_timeout_seconds,
            resource_url=claim.resource_url,
        )

    def success(self) -> SettleResponse:
        """PAYMENT-RESPONSE of a settled payment."""
        return SettleResponse(
            success=True,
            transaction=str(self.transaction or ""),
            network=self.id.network,
            payer=self.id.payer,
            amount=self.claim.authorization.value,
        )

    def pending(self) -> SettleResponse:
        """PAYMENT-RESPONSE of one whose outcome is unknown."""
        return SettleResponse(
            success=False,
            transaction=str(self.transaction or ""),
            network=self.id.network,
            payer=self.id.payer,
            error_reason=Reason.SETTLEMENT_PENDING.value,
        )


@dataclass(frozen=True, slots=True)
class KeptBody:
    """Where a body is kept that is too big for the table. ``sha256`` is in hex, ``size`` in bytes."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The upstream's answer, encoded, as it is served now and on a resend.

    ``kept`` says where the body is kept outside the table.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    kept: KeptBody | None = None

    @property
    def size(self) -> int:
        """Bytes of status, headers and body together."""
        return 3 + sum(len(k.encode()) + len(v.encode()) + 4 for k, v in self.headers) + len(self.body)


def debt_row(payment: Payment, now: int, why: str) -> Mapping[str, Any]:
    """The row that says: the upstream ran and was not paid for."""
    return {
        "payer": payment.id.payer.lower,
        "route": payment.claim.route,
        "amount": payment.claim.authorization.value,
        "network": str(payment.id.network),
        "asset": payment.id.asset.lower,
        "why": why,
        "at": now,
    }
