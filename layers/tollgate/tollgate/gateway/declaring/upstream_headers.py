"""``headers`` of an upstream: fixed values, and secrets by their names. ``secretHeader`` says one of the latter.

headers:
  Accept: application/json
  X-Api-Key: {secret: tollgate/upstream/weather}
"""

import re

from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.tree import Kind, Node, fields_of, text_of
from tollgate.gateway.forwarding import confusable, may_be_set
from tollgate.payment.routes import UpstreamHeader

MAX_HEADERS = 10
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_SECRET = re.compile(r"[A-Za-z0-9/_+=.@:-]{1,512}")
# Without spaces at the ends, which no reader keeps.
_VALUE = re.compile(r"[!-~](?:[ -~]{0,1022}[!-~])?")
# Headers that the buyer or the proxy fills, beside those that the proxy never sends for a route.
_TAKEN_HEADERS = frozenset({"content-type", "sign-in-with-x"})
_TAKEN_PREFIXES = ("proxy-", "x-forwarded-", "x-paid-by")
# A value under such a name is a credential: it has no place in a file, a table or a plan.
_CREDENTIAL = re.compile(r"auth|key|token|secret|passw|credential|signature", re.IGNORECASE)


def read_headers(fields: dict[str, Node], facts: StackFacts, findings: Findings) -> tuple[UpstreamHeader, ...]:
    """Those of ``headers`` and ``secretHeader``; what is wrong is recorded."""
    found: list[UpstreamHeader] = []
    listed = fields.get("headers")
    if listed is not None and (listed.kind is not Kind.FIELDS or not 0 < len(listed.fields) <= MAX_HEADERS):
        findings.add(listed.line, listed.at, f"must be 1 to {MAX_HEADERS} header names with their values")
    elif listed is not None:
        for name, node in listed.fields.items():
            header = _header(name, node, facts, findings)
            if header is not None:
                _add(found, header, node, findings)
    one = fields.get("secretHeader")
    if one is not None and one.kind is not Kind.EMPTY:
        header = _secret_header(one, facts, findings)
        if header is not None:
            _add(found, header, one, findings)
    return tuple(found)


def _add(found: list[UpstreamHeader], header: UpstreamHeader, node: Node, findings: Findings) -> None:
    if any(confusable(header.name) == confusable(other.name) for other in found):
        findings.add(node.line, node.at, f"{header.name} stands there twice: servers take such names for one another")
    found.append(header)


def _header(name: str, node: Node, facts: StackFacts, findings: Findings) -> UpstreamHeader | None:
    if not _may_be_named(name, node, findings):
        return None
    if node.kind is Kind.FIELDS:
        secret = _secret(fields_of(node, findings, ("secret",)).get("secret"), facts, findings)
        return None if secret is None else UpstreamHeader(name, secret=secret)
    value = text_of(node, findings)
    if value is None:
        return None
    if _CREDENTIAL.search(name):
        findings.add(node.line, node.at, "looks like a credential: say {secret: NAME}, and keep it in Secrets Manager")
    elif _VALUE.fullmatch(value) is None:
        findings.add(node.line, node.at, "must be 1 to 1024 visible ASCII characters, with spaces only between them")
    else:
        return UpstreamHeader(name, value=value)
    return None


def _secret_header(node: Node, facts: StackFacts, findings: Findings) -> UpstreamHeader | None:
    fields = fields_of(node, findings, ("name", "secret"))
    name = text_of(fields.get("name"), findings)
    named = name is not None and _may_be_named(name, fields["name"], findings)
    secret = _secret(fields.get("secret"), facts, findings)
    return UpstreamHeader(name, secret=secret) if name is not None and named and secret is not None else None


def _may_be_named(name: str, where: Node, findings: Findings) -> bool:
    plain = confusable(name)
    if _TOKEN.fullmatch(name) is None:
        findings.add(where.line, where.at, "must be a header name")
    elif not may_be_set(name) or plain in _TAKEN_HEADERS or plain.startswith(_TAKEN_PREFIXES):
        findings.add(where.line, where.at, f"{name} belongs to the proxy: choose another header")
    else:
        return True
    return False


def _secret(where: Node | None, facts: StackFacts, findings: Findings) -> str | None:
    secret = text_of(where, findings)
    if where is None or secret is None:
        return None
    if _SECRET.fullmatch(secret) is None:
        findings.add(where.line, where.at, "must be the name of a secret in Secrets Manager, never its value")
    elif facts.secret_prefix and not secret.startswith(facts.secret_prefix):
        findings.add(where.line, where.at, f"the proxy may only read secrets that start with {facts.secret_prefix}")
    return secret
