"""What is for sale: routes with their prices, and what is known of the networks that collect them.

These are values only; ``gateway.catalogue`` matches and merges them, ``ledger.routes`` keeps them.
Times are Unix seconds, timeouts seconds, amounts atomic units.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tollgate.payment.computed_price import ComputedPrice, FormerComputedPrice
from tollgate.payment.price_choice import FormerChoice, PriceChoice
from tollgate.payment.rate_limits import RouteLimits
from tollgate.payment.states import Flow
from tollgate.payment.terms import flow_of
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address, Network

# All of it: 100 %.
MAX_FEE_BPS = 10_000


@dataclass(frozen=True, slots=True)
class UpstreamHeader:
    """A header that a route sends to its upstream: a fixed ``value``, or that of the ``secret`` of this name."""

    name: str
    value: str = ""
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamTarget:
    """An HTTP API that a paid request goes to.

    ``url`` is an absolute URL whose path segments may be ``{param}``s of the route's pattern; ``headers`` take the
    place of the buyer's of the same name. ``webhook``: it starts a workflow, which is told its payment and tracked.
    ``health``: a path on the same origin that answers 2xx while it is well.
    """

    url: str
    timeout_seconds: float
    headers: tuple[UpstreamHeader, ...] = ()
    webhook: bool = False
    health: str = ""


@dataclass(frozen=True, slots=True)
class FunctionTarget:
    """A Lambda function that a paid request is put to; ``function`` is its name or ARN (function_names.py)."""

    function: str
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class ApiTarget:
    """A REST API that exists already: its authorizer asks for the payment, and nothing is asked of it from here.

    ``url`` is the public URL of its stage, without a trailing slash, below which the route's path stands.
    """

    url: str
    timeout_seconds: float = 0.0


Target = UpstreamTarget | FunctionTarget | ApiTarget


@dataclass(frozen=True, slots=True)
class PreviousPrice:
    """Requirements that were offered before a change and are still acceptable until ``until``, inclusive."""

    requirements: Requirements
    until: int


@dataclass(frozen=True, slots=True)
class Route:
    """One route. ``source_address_resends``: whether its address may admit a resend (rule 6).

    ``input`` and ``output`` are what its seller declares for discovery, as JSON (``wire.bazaar``); they bind nobody.
    ``choice``: what it costs depends on the request; then ``accepts`` is empty, and who forgets to ask offers nothing.
    ``former`` are choices of before that some buyer may still hold an offer of.
    ``computed``: a function is asked what it costs; the same holds, and ``former_computed`` are those of before.
    ``limits``: how often it may be bought.
    ``free``: passed through without payment; it accepts none, so there is nothing to take by mistake.
    ``owner``: whose it is; ``None`` is the operator. Who is paid is a term of each price (payTo), not this.
    ``revision``: the version of the table in which its owner last changed it; 0 for what an operator's file declares.
    ``fee_bps``: what of each payment its owner owes the operator, in hundredths of a percent; nobody withholds it.
    """

    id: str
    method: str
    pattern: str
    accepts: tuple[Requirements, ...]
    previous: tuple[PreviousPrice, ...]
    upstream: Target
    description: str = ""
    mime_type: str = ""
    source_address_resends: bool = True
    input: Mapping[str, Any] | None = None
    output: Mapping[str, Any] | None = None
    free: bool = False
    choice: PriceChoice | None = None
    former: tuple[FormerChoice, ...] = ()
    computed: ComputedPrice | None = None
    former_computed: tuple[FormerComputedPrice, ...] = ()
    limits: RouteLimits | None = None
    owner: Address | None = None
    revision: int = 0
    fee_bps: int = 0

    def base_url(self, own: str) -> str:
        """The public URL below which it is sold, without a trailing slash; ``own`` is this stack's."""
        return self.upstream.url if isinstance(self.upstream, ApiTarget) else own

    @property
    def flow(self) -> Flow:
        """What its current offers say comes first; all say the same."""
        return flow_of(self.terms[0]) if self.terms else Flow.AUTHORIZATION

    @property
    def terms(self) -> tuple[Requirements, ...]:
        """Everything that it offers now, to whatever request; of what is computed, the least and the most."""
        if self.computed is not None:
            return (*self.computed.low, *self.computed.high)
        return self.accepts if self.choice is None else self.choice.terms

    @property
    def payable_terms(self) -> tuple[Requirements, ...]:
        """Everything that somebody may pay: on offer now, or offered before."""
        return (
            *self.terms,
            *(previous.requirements for previous in self.previous),
            *(requirements for former in self.former for requirements in former.choice.terms),
            *(requirements for former in self.former_computed for requirements in former.computed.low),
        )


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """Whether a network's relayers can pay for gas, as last checked."""

    network: Network
    relayers: tuple[Address, ...]
    has_gas: bool
    checked_at: int


@dataclass(frozen=True, slots=True)
class UpstreamHealth:
    """What was seen at an URL. ``why`` is the status, or what stood in the way; times are Unix seconds.

    ``since``: when it was first seen to be so.
    """

    url: str
    up: bool
    why: str
    checked_at: int
    since: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The routes table, read at once. ``version`` is 0 while nothing was ever applied, and so is ``applied_at``."""

    routes: tuple[Route, ...]
    networks: tuple[NetworkStatus, ...] = field(default=())
    version: int = 0
    applied_at: int = 0
    health: tuple[UpstreamHealth, ...] = ()

    def status(self, network: Network) -> NetworkStatus | None:
        """What is known of a network; ``None`` before the first check."""
        return next((status for status in self.networks if status.network == network), None)
