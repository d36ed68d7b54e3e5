"""``price: {by: query.size, tiers: ...}``: prices that depend on one value of the request."""

import re
from collections.abc import Callable

from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.tree import Kind, Node, fields_of, text_of
from tollgate.gateway.price_selection import VALUE
from tollgate.payment.price_choice import PriceChoice, Tier, Where
from tollgate.wire import bazaar
from tollgate.wire.models import Requirements

REFUSE = "refuse"
MAX_TIERS = 20
_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
_BY = re.compile(rf"query\.({_NAME})|body((?:\.{_NAME}){{1,4}})")

# A price as it stands in the file, to one requirement per network; empty after recording why not.
ReadPrice = Callable[[Node], tuple[Requirements, ...]]


def is_choice(node: Node) -> bool:
    """Whether a price depends on the request."""
    return node.kind is Kind.FIELDS and bool({"by", "tiers"} & node.fields.keys())


def read_choice(node: Node, method: str, read_price: ReadPrice, findings: Findings) -> PriceChoice | None:
    """The choice; ``None`` when anything is wrong."""
    fields = fields_of(node, findings, ("by", "tiers"), ("absent", "otherwise"))
    before = len(findings.problems)
    by = _by(fields.get("by"), method, findings)
    tiers = _tiers(fields.get("tiers"), read_price, findings)
    absent = text_of(fields.get("absent"), findings)
    if absent is not None and tiers and absent not in {tier.value for tier in tiers}:
        place = fields["absent"]
        findings.add(place.line, place.at, "must be one of the tiers: what a call without the value is priced as")
    other = fields.get("otherwise")
    refused = other is None or (other.kind is Kind.TEXT and other.text == REFUSE)
    otherwise = () if other is None or refused else read_price(other)
    if by is None or not tiers or len(findings.problems) > before or not (refused or otherwise):
        return None
    choice = PriceChoice(*by, tiers, absent, otherwise)
    _comparable(choice, node, other, findings)
    return choice


def _by(node: Node | None, method: str, findings: Findings) -> tuple[Where, str] | None:
    text = text_of(node, findings)
    if node is None or text is None:
        return None
    match = _BY.fullmatch(text)
    if match is None:
        findings.add(node.line, node.at, "must be query.NAME, or body.NAME for a field of a JSON body")
        return None
    if match[1] is not None:
        return Where.QUERY, match[1]
    if method and not bazaar.takes_body(method):
        findings.add(node.line, node.at, f"{method} has no body that upstreams agree to read: price by query.NAME")
        return None
    return Where.BODY, match[2].removeprefix(".")


def _tiers(node: Node | None, read_price: ReadPrice, findings: Findings) -> tuple[Tier, ...]:
    if node is None:
        return ()
    if node.kind is not Kind.FIELDS or not 0 < len(node.fields) <= MAX_TIERS:
        findings.add(node.line, node.at, f'must be 1 to {MAX_TIERS} values with their prices, such as small: "$0.01"')
        return ()
    found: list[Tier] = []
    for value, price in node.fields.items():
        if VALUE.fullmatch(value) is None:
            findings.add(price.line, price.at, "is a value of other than 1 to 64 letters, digits and ._~-")
        if any(value.casefold() == tier.value.casefold() for tier in found):
            findings.add(price.line, price.at, "is another tier in other letters: an upstream may take them for one")
        found.append(Tier(value, read_price(price)))
    return tuple(found) if all(tier.accepts for tier in found) else ()


def _comparable(choice: PriceChoice, node: Node, other: Node | None, findings: Findings) -> None:
    """One token a network, and no value that is in no tier costs less than one that is (threat 21)."""
    tokens = {(r.network, r.asset) for r in choice.terms}
    if len(tokens) > len({network for network, _ in tokens}):
        findings.add(node.line, node.at, "is in several tokens of one network: price every tier in the same one")
    elif other is not None and any(r.amount < _dearest(choice, r) for r in choice.otherwise):
        findings.add(
            other.line,
            other.at,
            "must be at least the dearest tier's price: an upstream may take LARGE for large",
        )


def _dearest(choice: PriceChoice, same: Requirements) -> int:
    return max(r.amount for tier in choice.tiers for r in tier.accepts if r.network == same.network)
