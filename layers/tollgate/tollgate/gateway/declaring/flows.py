"""The ``flow`` of a route, and what it takes to be sold in the one or the other (threat 50)."""

from tollgate.gateway.declaring.problems import Findings, did_you_mean
from tollgate.gateway.declaring.tree import Kind, Node, text_of
from tollgate.gateway.own_routes import LONGEST_TIMEOUT as LONGEST_TIMEOUTS
from tollgate.gateway.own_routes import SETTLE_RESERVE_SECONDS, least_max_timeout
from tollgate.gateway.paid_run import LONGEST_RUN_SECONDS
from tollgate.payment.states import Flow

__all__ = ["LONGEST_TIMEOUT", "SETTLE_RESERVE_SECONDS", "least_max_timeout", "read_flow"]

LONGEST_TIMEOUT = LONGEST_TIMEOUTS[Flow.AUTHORIZATION]
# What a route may say of itself that calls for flow: upfront, and why.
_FIRST = {
    "irreversible": "what cannot be undone must be paid for before it runs",
    "slow": "work that outlasts a request must be paid for before its upstream answers 202 with a Location",
}


def read_flow(fields: dict[str, Node], timeout: float, timeout_at: Node, findings: Findings) -> Flow:
    """The flow; required to be ``upfront`` for what cannot be undone or outlasts a request.

    ``timeout_at`` is where a timeout is blamed.
    """
    node = fields.get("flow")
    text = text_of(node, findings)
    flow = Flow.AUTHORIZATION
    if node is not None and text is not None:
        if text in set(Flow):
            flow = Flow(text)
        else:
            known = [flow.value for flow in Flow]
            findings.add(node.line, node.at, f"must be {' or '.join(known)}{did_you_mean(text, known)}")
            return flow
    for name, why in _FIRST.items():
        _insist(name, why, fields.get(name), node, flow, findings)
    if flow is Flow.UPFRONT and timeout > LONGEST_RUN_SECONDS:
        findings.add(
            timeout_at.line,
            timeout_at.at,
            f"must be at most {LONGEST_RUN_SECONDS:g} with flow: upfront: settling comes first, in the same request",
        )
    return flow


def _insist(name: str, why: str, node: Node | None, flow_node: Node | None, flow: Flow, findings: Findings) -> None:
    """``name: true`` says something of the route that only settling first is right for."""
    if node is None:
        return
    if node.kind is not Kind.FLAG:
        findings.add(node.line, node.at, "must be true or false")
    elif node.text == "true" and flow is not Flow.UPFRONT:
        place = flow_node or node
        findings.add(place.line, place.at, f"{why}: set flow: upfront ({name}: true)")
