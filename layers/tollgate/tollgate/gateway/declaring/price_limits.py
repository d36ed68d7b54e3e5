"""``limits: {min: "$0.001", max: "$10"}`` of a file: what no price in it may leave, so that a typo sells nothing."""

from dataclasses import dataclass

from tollgate.errors import ConfigurationError
from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.tree import Kind, Node, fields_of, text_of
from tollgate.gateway.pricing import format_dollars, parse_dollars
from tollgate.payment.networks import NETWORKS, Asset, network_info
from tollgate.payment.routes import Route
from tollgate.wire.models import Requirements


@dataclass(frozen=True, slots=True)
class PriceLimits:
    """Dollars as they are written; ``None`` where there is no limit. ``whose`` says who set them."""

    low: str | None = None
    high: str | None = None
    whose: str = "the file's"

    def check(self, route: Route, node: Node, findings: Findings) -> None:
        """Every price of a route that is in dollars."""
        place = node.fields.get("price", node)
        for sentence in dict.fromkeys(filter(None, map(self._outside, route.terms))):
            findings.add(place.line, place.at, sentence)
        for symbol in dict.fromkeys(_asset(r).symbol for r in route.terms if not _asset(r).dollar):
            if self != PriceLimits():
                findings.note(
                    place.line, place.at, f"is in {symbol}, which {self.whose} limits in dollars say nothing about"
                )

    def _outside(self, requirements: Requirements) -> str | None:
        asset = _asset(requirements)
        if not asset.dollar:
            return None
        said = f"asks {format_dollars(requirements.amount, asset)}, which is"
        if self.low is not None and requirements.amount < parse_dollars(self.low, asset):
            return f"{said} under {self.whose} limits.min of {self.low}"
        if self.high is not None and requirements.amount > parse_dollars(self.high, asset):
            return f"{said} over {self.whose} limits.max of {self.high}"
        return None


def read_limits(node: Node | None, findings: Findings) -> PriceLimits:
    """The file's limits; none after recording what is wrong with them."""
    if node is None:
        return PriceLimits()
    fields = fields_of(node, findings, (), ("min", "max"))
    low, high = _dollars(fields.get("min"), findings), _dollars(fields.get("max"), findings)
    if node.kind is Kind.FIELDS and not node.fields:
        findings.add(node.line, node.at, 'must say min, max or both, such as {min: "$0.001", max: "$10"}')
    usual = _finest()
    if low is not None and high is not None and parse_dollars(low, usual) > parse_dollars(high, usual):
        findings.add(node.line, node.at, "has a min over its max: no price is between them")
        return PriceLimits()
    return PriceLimits(low, high)


def _dollars(node: Node | None, findings: Findings) -> str | None:
    text = text_of(node, findings)
    if node is None or text is None:
        return None
    try:
        parse_dollars(text, _coarsest())
    except ValueError as error:
        findings.add(node.line, node.at, str(error))
        return None
    return text


def _coarsest() -> Asset:
    """The dollar token with the fewest decimals: what it can say, every one can."""
    return min(_dollar_tokens(), key=lambda asset: asset.decimals)


def _finest() -> Asset:
    return max(_dollar_tokens(), key=lambda asset: asset.decimals)


def _dollar_tokens() -> list[Asset]:
    return [asset for info in NETWORKS.values() for asset in info.assets if asset.dollar]


def _asset(requirements: Requirements) -> Asset:
    info = network_info(requirements.network)
    for asset in info.assets:
        if asset.address == requirements.asset:
            return asset
    raise ConfigurationError(f"{requirements.asset} is not a token of {info.name}")
