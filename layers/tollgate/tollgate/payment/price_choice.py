"""Prices that depend on one value of the request: a query parameter, or a field of its JSON body.

Values only; ``gateway.price_selection`` reads the value from a request. Times are Unix seconds.
"""

from dataclasses import dataclass
from enum import StrEnum

from tollgate.wire.models import Requirements


class Where(StrEnum):
    """Where the value stands."""

    QUERY = "query"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Tier:
    """What requests with this value cost."""

    value: str
    accepts: tuple[Requirements, ...]


@dataclass(frozen=True, slots=True)
class PriceChoice:
    """One price for each tier.

    ``field`` is a name, or several joined by dots for what lies deeper in a body. ``absent`` is the tier that a
    request without the field belongs to, ``otherwise`` what one with any other value costs; left out, it is refused.
    """

    where: Where
    field: str
    tiers: tuple[Tier, ...]
    absent: str | None = None
    otherwise: tuple[Requirements, ...] = ()

    def of(self, value: str) -> tuple[Requirements, ...]:
        """What a request with this value costs; empty when it is refused."""
        return next((tier.accepts for tier in self.tiers if tier.value == value), self.otherwise)

    @property
    def terms(self) -> tuple[Requirements, ...]:
        """Everything that some request may be offered."""
        return (*(r for tier in self.tiers for r in tier.accepts), *self.otherwise)


@dataclass(frozen=True, slots=True)
class FormerChoice:
    """A choice that was replaced; what it offered for a request stays acceptable for that request until ``until``,
    inclusive."""

    choice: PriceChoice
    until: int
