"""What a seller's own function sells, as it stands in its code: the routes that a gateway can serve."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tollgate.errors import ConfigurationError
from tollgate.gateway.catalogue import METHODS
from tollgate.gateway.paid_run import LONGEST_RUN_SECONDS
from tollgate.gateway.path_pattern import PathPattern
from tollgate.gateway.pricing import parse_dollars
from tollgate.payment.networks import NetworkInfo
from tollgate.payment.routes import FunctionTarget, Route
from tollgate.payment.states import Flow
from tollgate.payment.terms import PAYMENT_FLOW
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address

FREE = "free"
# Of the invocation, the rest is for the check, settling and the answer.
LONGEST_TIMEOUT = {Flow.AUTHORIZATION: 20.0, Flow.UPFRONT: LONGEST_RUN_SECONDS}
# What settling may take after the handler has answered.
SETTLE_RESERVE_SECONDS = 15
_DOLLARS = re.compile(r"\$[0-9]+(\.[0-9]+)?")
_ROUTE = re.compile(r"([A-Z]+) (/\S*)")


def least_max_timeout(flow: Flow, timeout: float) -> float:
    """The least maxTimeoutSeconds of a route: what an authorization has to outlive, in seconds."""
    return SETTLE_RESERVE_SECONDS + (timeout if flow is Flow.AUTHORIZATION else 0)


@dataclass(frozen=True, slots=True)
class OwnTerms:
    """``prices`` by (method, pattern): dollars, or ``free``. Times are seconds."""

    prices: Mapping[tuple[str, str], str]
    pay_to: Address
    description: str
    flow: Flow
    timeout_seconds: float
    max_timeout_seconds: int
    asset: str

    @classmethod
    def of(
        cls,
        prices: Mapping[str, str],
        *,
        pay_to: str,
        description: str,
        flow: str,
        timeout_seconds: float,
        max_timeout_seconds: int,
        asset: str,
    ) -> "OwnTerms":
        """Check what needs no network. Raises ``ConfigurationError`` with a sentence."""
        try:
            address = Address.parse(pay_to)
        except ValueError as error:
            raise ConfigurationError(f"pay_to {error}") from error
        if not any(address.raw):
            raise ConfigurationError("pay_to is the zero address: money sent there is lost")
        if flow not in set(Flow):
            raise ConfigurationError(f"flow must be one of {', '.join(Flow)}")
        longest = LONGEST_TIMEOUT[Flow(flow)]
        if not 0 < timeout_seconds <= longest:
            raise ConfigurationError(f"timeout_seconds must be over 0 and at most {longest:g} with flow {flow}")
        least = least_max_timeout(Flow(flow), timeout_seconds)
        if not least <= max_timeout_seconds <= 3600:
            raise ConfigurationError(f"max_timeout_seconds must be from {least:g} to 3600: a payment has to outlive it")
        for text, price in prices.items():
            if price != FREE and _DOLLARS.fullmatch(price) is None:
                raise ConfigurationError(f"{text}: the price must be dollars such as $0.01, or {FREE}, not {price!r}")
        return cls(
            {_route(text): price for text, price in prices.items()},
            address,
            description,
            Flow(flow),
            timeout_seconds,
            max_timeout_seconds,
            asset,
        )


def own_routes(terms: OwnTerms, networks: Sequence[NetworkInfo], function: str) -> tuple[Route, ...]:
    """The routes of ``function`` on the stack's networks. Raises ``ConfigurationError`` with a sentence."""
    return tuple(
        Route(
            id=f"{function} {method} {pattern}",
            method=method,
            pattern=pattern,
            accepts=() if price == FREE else tuple(_requirements(terms, price, info) for info in networks),
            previous=(),
            upstream=FunctionTarget(function, terms.timeout_seconds),
            description=terms.description,
            free=price == FREE,
        )
        for (method, pattern), price in terms.prices.items()
    )


def _route(text: str) -> tuple[str, str]:
    match = _ROUTE.fullmatch(text)
    if match is None or match[1] not in METHODS:
        raise ConfigurationError(
            f"{text!r} must be a method ({', '.join(METHODS)}) and a path, as in GET /weather/{{city}}"
        )
    try:
        PathPattern.parse(match[2])
    except ValueError as error:
        raise ConfigurationError(f"{text}: path {error}") from error
    return match[1], match[2]


def _requirements(terms: OwnTerms, price: str, info: NetworkInfo) -> Requirements:
    try:
        asset = info.payable_asset(terms.asset)
        amount = parse_dollars(price, asset)
    except ValueError as error:
        raise ConfigurationError(f"price {price!r} on {info.name}: {error}") from error
    if terms.pay_to == asset.address:
        raise ConfigurationError(f"pay_to is the token {asset.symbol} itself: money sent there is lost")
    extra = {"name": asset.name, "version": asset.version}
    if terms.flow is not Flow.AUTHORIZATION:
        extra[PAYMENT_FLOW] = terms.flow.value
    return Requirements("exact", info.network, amount, asset.address, terms.pay_to, terms.max_timeout_seconds, extra)
