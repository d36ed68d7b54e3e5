"""The ``price``, ``networks`` and ``payTo`` of a route, to what its 402 offers."""

from dataclasses import dataclass

from tollgate.errors import ConfigurationError
from tollgate.gateway.declaring.addresses import read_address
from tollgate.gateway.declaring.computed_price import is_computed, read_computed
from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.declaring.price_choice import is_choice, read_choice
from tollgate.gateway.declaring.problems import Findings, Problem, did_you_mean
from tollgate.gateway.declaring.tree import Kind, Node, fields_of, text_of
from tollgate.gateway.pricing import parse_amount, parse_dollars
from tollgate.payment.computed_price import ComputedPrice
from tollgate.payment.networks import NETWORKS, Asset, NetworkInfo, network_info
from tollgate.payment.price_choice import PriceChoice
from tollgate.payment.states import Flow
from tollgate.payment.terms import PAYMENT_FLOW
from tollgate.wire.models import Requirements
from tollgate.wire.primitives import Address

# Revenue is summed in DynamoDB numbers, which have 38 digits: this leaves room for 10^8 payments a shard.
MAX_AMOUNT_DIGITS = 30


@dataclass(frozen=True, slots=True)
class _Price:
    """A price as it stands there: dollars when ``asset`` is ``None``, else atomic units of that asset."""

    amount: Node
    asset: Node | None


@dataclass(frozen=True, slots=True)
class Prices:
    """What a route offers: to every request the same, by ``choice``, or as ``computed``; empty when that is wrong."""

    accepts: tuple[Requirements, ...] = ()
    choice: PriceChoice | None = None
    computed: ComputedPrice | None = None

    @property
    def offers(self) -> tuple[tuple[Requirements, ...], ...]:
        """Every list of requirements that some 402 may hold."""
        if self.computed is not None:
            return (self.computed.longest,)
        if self.choice is None:
            return (self.accepts,)
        return (*(tier.accepts for tier in self.choice.tiers), self.choice.otherwise)


def read_prices(
    route: Node,
    fields: dict[str, Node],
    method: str,
    max_timeout_seconds: int,
    flow: Flow,
    facts: StackFacts,
    findings: Findings,
) -> Prices:
    """One requirement per network, for each tier where there are tiers."""
    networks = _networks(fields.get("networks"), route, facts, findings)
    pay_to = _pay_to(fields.get("payTo"), facts, findings)
    node = fields.get("price")

    def read_price(node: Node) -> tuple[Requirements, ...]:
        price = _price(node, findings)
        found: list[Requirements] = []
        for info in networks or facts.networks[:1]:
            priced = None if price is None else _amount(price, info, facts, findings)
            if priced is None or pay_to is None:
                continue
            amount, asset = priced
            if pay_to == asset.address:
                place = fields.get("payTo", node)
                _once(findings, place, f"is the token {asset.symbol} itself: money sent there is lost")
            extra = {"name": asset.name, "version": asset.version}
            if flow is not Flow.AUTHORIZATION:
                # Left out it is authorization; said or not, it is part of what the buyer accepts.
                extra[PAYMENT_FLOW] = flow.value
            found.append(Requirements("exact", info.network, amount, asset.address, pay_to, max_timeout_seconds, extra))
        return tuple(found)

    if node is None:
        return Prices()
    if is_computed(node):
        return Prices(computed=read_computed(node, method, read_price, facts, findings))
    if is_choice(node):
        return Prices(choice=read_choice(node, method, read_price, findings))
    return Prices(read_price(node))


def _once(findings: Findings, place: Node, sentence: str) -> None:
    """The same price is read for every network, and the same payTo for every tier: say the same thing once."""
    if Problem(place.line, place.at, sentence) not in findings.problems:
        findings.add(place.line, place.at, sentence)


def _networks(node: Node | None, route: Node, facts: StackFacts, findings: Findings) -> tuple[NetworkInfo, ...]:
    chosen = [(info, route) for info in facts.networks] if node is None else _listed(node, facts, findings)
    for info, place in chosen:
        if (refusal := info.refusal()) is not None:
            findings.add(place.line, place.at, refusal)
    if len({info.testnet for info, _ in chosen}) > 1:
        place = node or route
        findings.add(place.line, place.at, "mixes test and main networks: worthless tokens would pay too")
    return tuple(info for info, _ in chosen)


def _listed(node: Node, facts: StackFacts, findings: Findings) -> list[tuple[NetworkInfo, Node]]:
    if node.kind is not Kind.LIST or not node.items:
        findings.add(node.line, node.at, "must be a list of networks, such as [base-sepolia]")
        return []
    known = [name for info in NETWORKS.values() for name in (info.name, str(info.network))]
    found: list[tuple[NetworkInfo, Node]] = []
    for item in node.items:
        name = text_of(item, findings)
        if name is None:
            continue
        try:
            info = network_info(name)
        except ConfigurationError as error:
            findings.add(item.line, item.at, f"{error}{did_you_mean(name, known)}")
            continue
        if any(info == other for other, _ in found):
            findings.add(item.line, item.at, f"names {info.name} twice")
        elif facts.named and info.network not in {served.network for served in facts.networks}:
            served = ", ".join(i.name for i in facts.networks)
            findings.add(item.line, item.at, f"{info.name} is not a network of this stack; it has {served}")
        else:
            found.append((info, item))
    return found


def _pay_to(node: Node | None, facts: StackFacts, findings: Findings) -> Address | None:
    return facts.pay_to if node is None else read_address(node, findings, "money sent there is lost")


def _price(node: Node, findings: Findings) -> _Price | None:
    if node.kind is Kind.TEXT:
        return _Price(node, None)
    if node.kind is not Kind.FIELDS:
        findings.add(
            node.line,
            node.at,
            'must be a text such as "$0.01", or free, or {amount: "10000", asset: USDC},'
            ' or {by: query.size, tiers: {...}}, or {function: NAME, min: "$0.01", max: "$1"}',
        )
        return None
    fields = fields_of(node, findings, ("amount", "asset"))
    amount, asset = text_of(fields.get("amount"), findings), text_of(fields.get("asset"), findings)
    return None if amount is None or asset is None else _Price(fields["amount"], fields["asset"])


def _amount(price: _Price, info: NetworkInfo, facts: StackFacts, findings: Findings) -> tuple[int, Asset] | None:
    """Atomic units and asset on one network."""
    place = price.asset or price.amount
    try:
        asset = info.payable_asset(facts.asset if price.asset is None else price.asset.text)
        if facts.named and asset != info.asset(facts.asset):
            # Settle knows one token a network: served, but never collected.
            raise ConfigurationError(f"{asset.symbol} is not what this stack collects; its Asset is {facts.asset}")
        place = price.amount
        read = parse_amount(place.text) if price.asset is not None else parse_dollars(place.text, asset)
        if read >= 10**MAX_AMOUNT_DIGITS:
            raise ValueError(
                f"must be under 10^{MAX_AMOUNT_DIGITS} atomic units, so that the sum of many payments stays exact"
            )
    except (ValueError, ConfigurationError) as error:
        _once(findings, place, str(error))
        return None
    return read, asset
