"""``price: {function: NAME, min: "$0.01", max: "$1"}``: prices that a Lambda function of the seller's computes."""

import re
from collections.abc import Callable
from dataclasses import replace

from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.tree import Kind, Node, fields_of, number_of, text_of
from tollgate.gateway.declaring.upstream_functions import read_function
from tollgate.payment.computed_price import ComputedPrice
from tollgate.wire import bazaar
from tollgate.wire.models import Requirements

MAX_FIELDS = 10
LONGEST_VALID_SECONDS = 600
# Long enough to sign and send.
SHORTEST_VALID_SECONDS = 10
# Whoever asks for an offer waits for it.
LONGEST_TIMEOUT_SECONDS = 5
_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
_FIELD = re.compile(rf"{_NAME}(?:\.{_NAME}){{0,3}}")

# A price as it stands in the file, to one requirement per network; empty after recording why not.
ReadPrice = Callable[[Node], tuple[Requirements, ...]]


def is_computed(node: Node) -> bool:
    """Whether a function computes the price."""
    return node.kind is Kind.FIELDS and "function" in node.fields


def read_computed(
    node: Node, method: str, read_price: ReadPrice, facts: StackFacts, findings: Findings
) -> ComputedPrice | None:
    """The computed price; ``None`` when anything is wrong."""
    before = len(findings.problems)
    fields = fields_of(node, findings, ("function", "min", "max"), ("body", "validSeconds", "timeoutSeconds"))
    timeout = number_of(fields.get("timeoutSeconds"), findings, 0.1, LONGEST_TIMEOUT_SECONDS, 2)
    target = read_function(fields.get("function"), timeout, facts, findings)
    valid = number_of(fields.get("validSeconds"), findings, SHORTEST_VALID_SECONDS, LONGEST_VALID_SECONDS, 60)
    if valid != int(valid):
        place = fields["validSeconds"]
        findings.add(place.line, place.at, "must be whole seconds")
    selected = _fields(fields.get("body"), method, findings)
    low, high = (read_price(fields[name]) if name in fields else () for name in ("min", "max"))
    if target is None or len(findings.problems) > before or not low:
        return None
    if [replace(r, amount=0) for r in low] != [replace(r, amount=0) for r in high]:
        findings.add(node.line, node.at, "has min and max in different tokens")
    elif any(least.amount > most.amount for least, most in zip(low, high, strict=True)):
        findings.add(node.line, node.at, "has a min over its max: no price is between them")
    return ComputedPrice(target.function, low, high, selected, int(valid), timeout)


def _fields(node: Node | None, method: str, findings: Findings) -> tuple[str, ...]:
    if node is None:
        return ()
    if node.kind is not Kind.LIST or not 0 < len(node.items) <= MAX_FIELDS:
        findings.add(
            node.line, node.at, f"must be a list of 1 to {MAX_FIELDS} fields of a JSON body: [text, options.tone]"
        )
        return ()
    if method and not bazaar.takes_body(method):
        findings.add(
            node.line, node.at, f"{method} has no body that upstreams agree to read: the function sees the query"
        )
    found: list[str] = []
    for item in node.items:
        name = text_of(item, findings)
        if name is None:
            continue
        if _FIELD.fullmatch(name) is None or name in found:
            findings.add(item.line, item.at, "must be the name of a field, once, such as text or options.tone")
        found.append(name)
    return tuple(found)
