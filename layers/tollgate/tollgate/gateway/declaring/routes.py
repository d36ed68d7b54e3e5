"""What is declared to routes: every problem at once, nothing half-read (examples/routes.yaml has the shape)."""

import re

from tollgate.gateway.canonical_path import MAX_PATH
from tollgate.gateway.catalogue import METHODS
from tollgate.gateway.declaring.addresses import read_address
from tollgate.gateway.declaring.declared import Declared, Schemas, read_declared
from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.declaring.flows import SETTLE_RESERVE_SECONDS, least_max_timeout, read_flow
from tollgate.gateway.declaring.free_routes import check_reach, is_free, without_terms
from tollgate.gateway.declaring.price_limits import read_limits
from tollgate.gateway.declaring.prices import Prices, read_prices
from tollgate.gateway.declaring.problems import Findings, did_you_mean
from tollgate.gateway.declaring.rate_limits import read_limit
from tollgate.gateway.declaring.tree import Kind, Node, fields_of, number_of, text_of
from tollgate.gateway.declaring.upstreams import DEFAULT_TIMEOUT, read_upstream
from tollgate.gateway.offers import LONGEST_DESCRIBED_PATH, extensions
from tollgate.gateway.path_pattern import SITE_DOCUMENTS, PathPattern, is_reserved
from tollgate.payment.price_choice import Where
from tollgate.payment.routes import MAX_FEE_BPS, ApiTarget, Route, UpstreamTarget
from tollgate.payment.states import Flow
from tollgate.wire import bazaar
from tollgate.wire.headers import encode
from tollgate.wire.models import PaymentRequired, Requirements, Resource

VERSION = "1"
MAX_OFFER_BYTES = 4096
MAX_TIMEOUT_SECONDS = 600
_OPTIONAL = (
    "id", "networks", "payTo", "description", "mimeType", "maxTimeoutSeconds", "flow", "irreversible",
    "limit", "slow", "sourceAddressResends", "input", "output", "owner", "feeBps",
)  # fmt: skip
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(; ?[A-Za-z0-9-]+=[A-Za-z0-9._-]+)*")

_LONGEST_ERROR = "x" * 64
_UNREAD = UpstreamTarget("", DEFAULT_TIMEOUT)


def read_routes(root: Node, facts: StackFacts, schemas: Schemas | None, findings: Findings) -> tuple[Route, ...]:
    """The routes of a whole file, whose ``root`` this is; only good while there are no problems."""
    fields = fields_of(root, findings, ("version", "routes"), ("limits",))
    version = fields.get("version")
    if version is not None and (version.kind is not Kind.NUMBER or version.text != VERSION):
        findings.add(version.line, version.at, f"must be {VERSION}")
    listed = fields.get("routes")
    if listed is None:
        return ()
    if listed.kind is not Kind.LIST:
        findings.add(listed.line, listed.at, f"must be a list of routes, not {listed.kind.value}")
        return ()
    limits = read_limits(fields.get("limits"), findings)
    routes: list[Route] = []
    seen: dict[object, str] = {}
    for node in listed.items:
        route, pattern = read_route(node, facts, schemas, findings)
        if pattern is not None:
            _unique(seen, (route.method, pattern.shape), node, node.inside("path"), findings)
            _note_documents(node, route.method, pattern, findings)
        _unique(seen, route.id, node, node.inside("id"), findings)
        limits.check(route, node, findings)
        routes.append(route)
    if not findings.problems:
        check_reach(routes, listed.items, findings)
    return tuple(routes)


def _note_documents(node: Node, method: str, pattern: PathPattern, findings: Findings) -> None:
    for path in SITE_DOCUMENTS if method == "GET" else ():
        if pattern.match(path) is not None:
            place = node.fields["path"]
            findings.note(place.line, place.at, f"takes the place of Tollgate's own {path} (docs/discovery.md)")


def _unique(seen: dict[object, str], key: object, node: Node, at: str, findings: Findings) -> None:
    if key in seen:
        line = node.key_lines.get(at.rsplit(".", 1)[1], node.line)
        findings.add(line, at, f"is the same as that of {seen[key]}: requests could not be told apart")
    else:
        seen[key] = node.at


def read_route(
    node: Node, facts: StackFacts, schemas: Schemas | None, findings: Findings
) -> tuple[Route, PathPattern | None]:
    """A route as far as it can be read; it is only used when there are no problems."""
    fields = fields_of(node, findings, ("method", "path", "price", "upstream"), _OPTIONAL)
    before = len(findings.problems)
    free = is_free(fields.get("price"))
    if free:
        fields = without_terms(fields, findings)
    method = _method(fields.get("method"), findings)
    path, pattern = _path(fields.get("path"), findings)
    upstream = read_upstream(fields.get("upstream"), None if pattern is None else pattern.params, facts, findings)
    timeout = upstream.timeout_seconds if upstream is not None else DEFAULT_TIMEOUT
    target = fields.get("upstream", node)
    flow = read_flow(fields, timeout, target.fields.get("timeoutSeconds", target), findings)
    max_timeout = _max_timeout(fields.get("maxTimeoutSeconds"), node, flow, timeout, findings)
    prices = Prices() if free else read_prices(node, fields, method, max_timeout, flow, facts, findings)
    description = text_of(fields.get("description"), findings, longest=500) or ""
    mime_type = _matching(fields.get("mimeType"), _MIME, "must be a media type such as application/json", findings)
    id = _matching(
        fields.get("id"),
        _ID,
        "must be 1 to 64 letters, digits and ._- and start with a letter or digit",
        findings,
    )
    owner = read_address(fields["owner"], findings, "nobody can sign in as it") if "owner" in fields else None
    fee = _fee(fields.get("feeBps"), "owner" in fields, flow, findings)
    resends = fields.get("sourceAddressResends")
    if resends is not None and resends.kind is not Kind.FLAG:
        findings.add(resends.line, resends.at, "must be true or false")
    taken, given = read_declared(fields.get("input"), fields.get("output"), method, pattern, schemas, findings)
    if isinstance(upstream, ApiTarget):
        _check_api(fields["upstream"], flow, prices, free=free, findings=findings)
    if len(findings.problems) == before and pattern is not None and not free:
        accepts = max(prices.offers, key=lambda offer: len(str(offer)))
        size = offer_bytes(facts.base_url, path, pattern, accepts, description, mime_type)
        if taken is not None or given is not None:
            described = described_bytes(
                facts.base_url, method, path, pattern, accepts, description, mime_type, taken, given
            )
            size = max(size, described)
        _check_offer(node, size, findings)
    route = Route(
        id=id or (f"{method} {path}" if method and path else node.at),
        method=method,
        pattern=path,
        accepts=prices.accepts,
        choice=prices.choice,
        computed=prices.computed,
        limits=read_limit(fields.get("limit"), findings),
        previous=(),
        upstream=upstream or _UNREAD,
        description=description,
        mime_type=mime_type,
        source_address_resends=resends is None or resends.text == "true",
        input=taken,
        output=given,
        free=free,
        owner=owner,
        fee_bps=fee,
    )
    return route, pattern if method else None


def _check_api(node: Node, flow: Flow, prices: Prices, *, free: bool, findings: Findings) -> None:
    """What an authorizer can sell: it settles before anything runs, and it sees no body."""
    if free:
        findings.add(node.line, node.at, "is an API whose authorizer asks for payment: a free method needs none")
    elif flow is not Flow.UPFRONT:
        findings.add(node.line, node.at, "is an API behind an authorizer, which settles first: say flow: upfront")
    elif prices.computed is not None:
        findings.add(node.line, node.at, "is an API behind an authorizer, which asks no function what it costs")
    elif prices.choice is not None and prices.choice.where is Where.BODY:
        findings.add(node.line, node.at, "is an API behind an authorizer, which sees no body: price it by the query")


def _method(node: Node | None, findings: Findings) -> str:
    method = text_of(node, findings)
    if node is None or method is None:
        return ""
    if method in METHODS:
        return method
    if method == "HEAD":
        sentence = "HEAD buys nothing and cannot be priced; HEAD of a GET route shows its offer"
    elif method == "OPTIONS":
        sentence = "OPTIONS is always free"
    else:
        sentence = f"must be one of {', '.join(METHODS)}{did_you_mean(method, METHODS)}"
    findings.add(node.line, node.at, sentence)
    return ""


def _path(node: Node | None, findings: Findings) -> tuple[str, PathPattern | None]:
    path = text_of(node, findings, longest=MAX_PATH)
    if node is None or path is None:
        return "", None
    try:
        pattern = PathPattern.parse(path)
        if is_reserved(path):
            raise ValueError("is under /discovery/, or /.well-known/x402: both are Tollgate's own")
        return path, pattern
    except ValueError as error:
        findings.add(node.line, node.at, str(error))
        return path, None


def _max_timeout(node: Node | None, route: Node, flow: Flow, upstream_timeout: float, findings: Findings) -> int:
    least = least_max_timeout(flow, upstream_timeout)
    seconds = number_of(node, findings, 1, MAX_TIMEOUT_SECONDS, 60)
    place = node or route
    if seconds != int(seconds):
        findings.add(place.line, place.at, "must be whole seconds")
    elif seconds < least:
        what = "upstream.timeoutSeconds and " if flow is Flow.AUTHORIZATION else ""
        findings.add(
            place.line,
            place.at,
            f"must be at least {least:g}: {what}{SETTLE_RESERVE_SECONDS} to settle",
        )
    return int(seconds)


def _fee(node: Node | None, owned: bool, flow: Flow, findings: Findings) -> int:
    if node is None:
        return 0
    if node.kind is not Kind.NUMBER or not node.text.isdecimal() or int(node.text) > MAX_FEE_BPS:
        findings.add(node.line, node.at, f"must be whole hundredths of a percent, from 0 to {MAX_FEE_BPS}")
        return 0
    if not owned:
        findings.add(node.line, node.at, "is what a route's owner owes you, but the route has none: say owner")
    elif flow is not Flow.AUTHORIZATION and node.text != "0":
        findings.add(node.line, node.at, "is not for flow: upfront: what is paid back would owe a fee all the same")
    return int(node.text)


def _matching(node: Node | None, pattern: re.Pattern[str], sentence: str, findings: Findings) -> str:
    text = text_of(node, findings)
    if node is None or text is None:
        return ""
    if pattern.fullmatch(text) is None:
        findings.add(node.line, node.at, sentence)
    return text


def _check_offer(node: Node, size: int, findings: Findings) -> None:
    """No header that some client or proxy on the way would refuse (threat 10)."""
    if size > MAX_OFFER_BYTES:
        findings.add(
            node.line,
            node.at,
            f"makes an offer of {size} bytes, over {MAX_OFFER_BYTES}: shorten it, or name fewer networks",
        )


def offer_bytes(
    base_url: str, path: str, pattern: PathPattern, accepts: tuple[Requirements, ...], description: str, mime_type: str
) -> int:
    """The 402's header at its longest: a path with params can be as long as ``MAX_PATH``."""
    url = base_url + (path.ljust(MAX_PATH, "x") if pattern.params else path)
    return _bytes(PaymentRequired(Resource(url, description, mime_type), accepts, _LONGEST_ERROR, extensions()))


def described_bytes(
    base_url: str,
    method: str,
    path: str,
    pattern: PathPattern,
    accepts: tuple[Requirements, ...],
    description: str,
    mime_type: str,
    taken: Declared,
    given: Declared,
) -> int:
    """The same of an offer that says what its route takes and gives: a shorter path, whose params stand there twice."""
    longest = path.ljust(LONGEST_DESCRIBED_PATH, "x") if pattern.params else path
    # Together they are at most as long as the path.
    params = dict.fromkeys(pattern.params, "") | dict.fromkeys(pattern.params[:1], longest)
    declared = bazaar.declaration(method, path, params, taken, given)
    offered = extensions() | {bazaar.EXTENSION: declared}
    return _bytes(
        PaymentRequired(Resource(base_url + longest, description, mime_type), accepts, _LONGEST_ERROR, offered)
    )


def _bytes(offer: PaymentRequired) -> int:
    return len(encode(offer.to_json()))
