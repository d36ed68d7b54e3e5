"""What an owner may declare: less than a file may, below its own path, paid to itself, with nothing of the operator's.

Refused besides: free routes (traffic on the operator's bill), and settling first (an answer that fails to come would
have to be paid back by an owner whom nobody here can make pay).
"""

import re
from dataclasses import replace

from tollgate.errors import BadRequest
from tollgate.gateway.admin.sign_in import AdminRefused
from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.declaring.json_tree import read_json
from tollgate.gateway.declaring.price_limits import PriceLimits
from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.routes import read_route
from tollgate.gateway.declaring.tree import Kind, Node
from tollgate.gateway.path_pattern import PathPattern
from tollgate.payment.owners import Owner
from tollgate.payment.routes import Route
from tollgate.payment.states import Flow

MAX_BODY_BYTES = 16_384
_MOST_PROBLEMS = 50
# No capitals: two ids are never the same but for their letters, and each is one path segment as it stands.
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")


def owners_facts(facts: StackFacts, owner: Owner) -> StackFacts:
    """What the owner's routes are checked against; ``facts`` are the stack's."""
    return replace(
        facts,
        pay_to=owner.pay_to[0],
        secret_prefix=f"{facts.secret_prefix}owners/{owner.address.lower}/",
        function_arns=owner.functions,
        function_prefix="",
    )


def read_owned(body: bytes, id: str | None, owner: Owner, facts: StackFacts) -> Route:
    """The route that a body declares; ``id`` is the one that the request is for, if it is for one.

    Raises ``AdminRefused`` 413, 422 ``invalid_route`` with every problem, and ``BadRequest`` for what is no JSON.
    """
    if len(body) > MAX_BODY_BYTES:
        raise AdminRefused(413, "body_too_large", f"A route is declared in at most {MAX_BODY_BYTES} bytes.")
    root = read_json(body, max_bytes=MAX_BODY_BYTES)
    if root.kind is not Kind.FIELDS:
        raise BadRequest(400, "invalid_json", "The body must be a JSON object: one route, as in routes.yaml.")
    findings = Findings()
    route, pattern = read_route(root, owners_facts(facts, owner), None, findings)
    _check_id(root, id, findings)
    _check_terms(root, route, owner, findings)
    if pattern is not None and not below(pattern, owner):
        _say(findings, root, "path", f"must be {owner.path} or below it: that is where your routes are")
    if not findings.problems:
        limits_of(owner).check(route, root, findings)
    if findings.problems:
        problems = [{"field": p.field, "problem": p.sentence} for p in findings.problems[:_MOST_PROBLEMS]]
        sentence = "This route cannot be sold; details.problems say what to mend. Nothing was changed."
        raise AdminRefused(422, "invalid_route", sentence, {"problems": problems})
    return replace(route, id=id or route.id, owner=owner.address, fee_bps=owner.fee_bps)


def limits_of(owner: Owner) -> PriceLimits:
    """What the owner's prices must keep to."""
    return PriceLimits(owner.least, whose="the operator's")


def _check_id(root: Node, id: str | None, findings: Findings) -> None:
    node = root.fields.get("id")
    if node is None:
        if id is None:
            _say(findings, root, "id", "is missing: it names the route in its URL")
    elif ID.fullmatch(node.text) is None:
        _say(findings, root, "id", "must be 1 to 48 lower-case letters, digits and hyphens")
    elif id is not None and node.text != id:
        _say(findings, root, "id", f"must be {id}, as in the URL: a route keeps its id")


def _check_terms(root: Node, route: Route, owner: Owner, findings: Findings) -> None:
    if route.owner is not None and route.owner != owner.address:
        _say(findings, root, "owner", "must be you: leave it out")
    if "feeBps" in root.fields and route.fee_bps != owner.fee_bps:
        _say(findings, root, "feeBps", f"is the operator's to say, and is {owner.fee_bps}: leave it out")
    if route.free:
        _say(findings, root, "price", "must not be free: only the operator's routes are")
    elif route.flow is not Flow.AUTHORIZATION:
        _say(findings, root, "flow", "must be authorization: nobody here could pay back for you what was not served")
    if any(terms.pay_to not in owner.pay_to for terms in route.payable_terms):
        known = " or ".join(map(str, owner.pay_to))
        _say(findings, root, "payTo", f"must be {known}: others are for the operator to allow")


def below(pattern: PathPattern, owner: Owner) -> bool:
    """Whether all paths of a pattern are the owner's."""
    first = pattern.segments[: len(owner.segments)]
    return first == tuple((False, segment) for segment in owner.segments)


def _say(findings: Findings, root: Node, field: str, sentence: str) -> None:
    findings.add(root.line, field, sentence)
