"""The ``upstream`` of a route: where a paid request goes, checked before anything is written.

Addresses that a name resolves to are checked by the proxy, on every connection (threat 87); here what
can be seen from the text alone is refused early, by the proxy's own functions, so that no route is
taken which the proxy would then refuse to call (threat 88).
"""

import re
from urllib.parse import SplitResult, urlsplit

from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.declaring.problems import Findings, did_you_mean
from tollgate.gateway.declaring.tree import Node, fields_of, number_of, text_of
from tollgate.gateway.declaring.upstream_functions import read_function
from tollgate.gateway.declaring.upstream_headers import read_headers
from tollgate.gateway.forwarding import destination
from tollgate.gateway.public_address import is_address, is_odd_literal, is_public_address, is_public_name
from tollgate.payment.routes import ApiTarget, Target, UpstreamTarget

DEFAULT_TIMEOUT = 10.0
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NETLOC = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@-]*")


def read_upstream(
    node: Node | None, params: tuple[str, ...] | None, facts: StackFacts, findings: Findings
) -> Target | None:
    """The upstream; ``params`` are the pattern's, or ``None`` when the pattern itself is wrong."""
    if node is None:
        return None
    if "api" in node.fields:
        return _api(fields_of(node, findings, ("api",)).get("api"), facts, findings)
    if "function" in node.fields:
        fields = fields_of(node, findings, ("function",), ("timeoutSeconds",))
        timeout = number_of(fields.get("timeoutSeconds"), findings, 0.1, 20, DEFAULT_TIMEOUT)
        return read_function(fields.get("function"), timeout, facts, findings)
    place = "webhook" if "webhook" in node.fields else "url"
    fields = fields_of(node, findings, (place,), ("timeoutSeconds", "headers", "health", "secretHeader"))
    timeout = number_of(fields.get("timeoutSeconds"), findings, 0.1, 20, DEFAULT_TIMEOUT)
    headers = read_headers(fields, facts, findings)
    url = text_of(fields.get(place), findings)
    if url is None:
        return None
    _check_url(fields[place], url, params, facts, findings)
    return UpstreamTarget(
        url, timeout, headers, webhook=place == "webhook", health=_health(fields.get("health"), findings)
    )


def _health(node: Node | None, findings: Findings) -> str:
    """A path on the upstream's own origin, which reconcile may look at without knowing anything else."""
    path = text_of(node, findings)
    if node is None or path is None:
        return ""
    segments = path.split("/")
    whole = path.startswith("/") and all(_LITERAL.fullmatch(s) and s not in (".", "..") for s in segments)
    if not whole or "//" in path:
        findings.add(node.line, node.at, "must be a path on the upstream's own origin, such as /healthz")
    return path


def _api(node: Node | None, facts: StackFacts, findings: Findings) -> ApiTarget | None:
    """The public URL of a REST API's stage: it stands in offers, and nothing is asked of it from here."""
    url = text_of(node, findings)
    if node is None or url is None:
        return None
    parts = _split(url)
    local = facts.named and facts.allow_private_upstreams
    if parts is None or not parts.hostname or parts.scheme not in (("https", "http") if local else ("https",)):
        findings.add(node.line, node.at, "must be the public https URL of the API's stage, as buyers call it")
    elif "@" in parts.netloc or "?" in url or "#" in url or url.endswith("/") or "//" in parts.path or "{" in url:
        findings.add(node.line, node.at, "must be an URL without user, query, fragment, params and trailing slash")
    return ApiTarget(url)


def _check_url(node: Node, url: str, params: tuple[str, ...] | None, facts: StackFacts, findings: Findings) -> None:
    before = len(findings.problems)
    parts = _split(url)
    if parts is None or parts.hostname is None or not _NETLOC.fullmatch(parts.netloc.rpartition("@")[2]):
        findings.add(node.line, node.at, "must be an absolute URL such as https://api.example.com/v1/{city}")
        return
    if "@" in parts.netloc:
        findings.add(node.line, node.at, "must not hold a user or password: use headers with {secret: NAME}")
    if "?" in url or "#" in url:
        findings.add(node.line, node.at, "must not hold a query or fragment: the buyer's query is passed on")
    private = _private_host(parts.hostname)
    if private == "":
        findings.add(node.line, node.at, f"has the host {parts.hostname!r}, which is no host name")
    for reason in (private, "is http://, not https://" if parts.scheme == "http" else None):
        if reason and not facts.named:
            findings.note(node.line, node.at, f"{reason}: only a stack with AllowPrivateUpstreams=true takes it")
        elif reason and not facts.allow_private_upstreams:
            findings.add(node.line, node.at, f"{reason}: this stack takes public https upstreams only")
    for segment in parts.path.split("/")[1:]:
        _check_segment(node, segment, params, findings)
    if "//" in parts.path:
        findings.add(node.line, node.at, "must not hold an empty segment (//)")
    if params is not None and len(findings.problems) == before:
        _check_destination(node, url, params, findings)


def _check_destination(node: Node, url: str, params: tuple[str, ...], findings: Findings) -> None:
    """The proxy's own reading of the URL has the last word."""
    try:
        destination(url, dict.fromkeys(params, "x"), "")
    except ValueError as error:
        findings.add(node.line, node.at, f"cannot be called: {error}")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and parts.scheme in ("https", "http")
    except ValueError:
        return None
    return parts if usable else None


def _check_segment(node: Node, segment: str, params: tuple[str, ...] | None, findings: Findings) -> None:
    if segment.startswith("{") and segment.endswith("}"):
        name = segment[1:-1]
        if params is not None and name not in params:
            hint = did_you_mean(name, params)
            findings.add(node.line, node.at, f"uses {{{name}}}, which is not a param of the route's path{hint}")
    elif "{" in segment or "}" in segment:
        findings.add(node.line, node.at, f"has the segment {segment!r}: a {{param}} is a whole segment")
    elif segment in (".", "..") or _LITERAL.fullmatch(segment) is None:
        findings.add(node.line, node.at, f"has the segment {segment!r}: no dot segments, nothing encoded")


def _private_host(host: str) -> str | None:
    """Why a lower-case host is private, ``None`` when it may be public, "" when it is no host at all."""
    name = host.removesuffix(".")
    if is_address(name):
        return None if is_public_address(name) else f"goes to the private address {host}"
    if is_odd_literal(name) or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        return ""
    return None if is_public_name(name) else f"goes to the private name {host}"
