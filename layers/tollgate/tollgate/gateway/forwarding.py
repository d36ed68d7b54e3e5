"""What crosses the proxy: which headers go up, which come back, and the one URL that a call goes to.

Up is an allowlist, so that nothing which proves or pays anything leaves (threats 89-91). Down is a
denylist: the seller's answer is the goods, minus what belongs to a connection, to x402, to a cache
or to the seller's own machinery (threats 84, 90, 92).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

# Names that no server or CGI confuses with another: no underscore, no dot.
_PLAIN_NAME = re.compile(r"[a-z0-9-]{1,100}")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*")
_IPV6 = re.compile(r"[0-9a-f:.]{2,45}")
_VISIBLE = re.compile(r"[!-~]*")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@-]*")
_PARAM = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)\}")
_AMBIGUOUS = re.compile(r"[/\\%?#;\x00-\x1f\x7f]")

# Not Range, nor If-None-Match and its kin: what is paid for, and kept for a resend, is the whole answer (threat 34).
_FORWARDED = frozenset({"accept", "accept-language", "content-type", "user-agent", "x-request-id"})
# Custom headers travel, except those by which front doors speak to the servers behind them.
_NOT_FORWARDED_PREFIXES = (
    "x-payment", "x-forwarded", "x-http-method", "x-method-override", "x-original-", "x-rewrite-", "x-amz",
    "x-paid-by", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-remote-", "x-host", "x-proxy-",
    "x-envoy-", "x-accel-", "x-sendfile", "x-tollgate-",
)  # fmt: skip

_NOT_ALNUM = re.compile(r"[^a-z0-9]")
_HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_NOT_RETURNED = _HOP_BY_HOP | {
    # Recomputed by the front door.
    "content-length", "date",
    # The seller's sessions and machinery. A challenge could not be answered: Authorization never goes up.
    "set-cookie", "set-cookie2", "server", "x-powered-by", "via", "alt-svc", "www-authenticate",
    # Ours or the protocol's alone (threats 91 and 92).
    "settlement-overrides", "extension-responses", "sign-in-with-x", "x-paid-by",
    # A paid answer is never cached by anybody; the edge says so (threat 84).
    "cache-control", "expires", "pragma", "age", "surrogate-control",
}  # fmt: skip
# CORS lives in API Gateway alone.
_NOT_RETURNED_PREFIXES = ("payment-", "x-payment", "x-amz", "access-control-")
_NOT_RETURNED_SUFFIX = "-cache-control"

_NEVER_SET = _HOP_BY_HOP | {"host", "content-length", "expect", "accept-encoding", "cookie"}
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call goes. ``target`` is what stands in the request line: encoded path and raw query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def request_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The buyer's headers that the upstream may see, by lower-case name.

    What the Connection header names is the connection's and stays behind, and so does a header with
    line breaks or other controls.
    """
    named = _named_by_connection(headers.items())
    return {
        name: value
        for name, value in ((k.lower(), v) for k, v in headers.items())
        if name not in named and _goes_up(name) and is_field(name, value)
    }


def response_headers(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The upstream's headers that the buyer may see, by lower-case name, in their order."""
    pairs = tuple((name.lower(), value) for name, value in headers)
    named = _named_by_connection(pairs)
    return tuple((name, value) for name, value in pairs if name not in named and _comes_back(name))


def is_field(name: str, value: str) -> bool:
    """Whether this is one header and cannot be read as two: a token as name, no controls in the value."""
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None


def is_query(raw_query: str) -> bool:
    """Whether a query string can be forwarded as it is: visible ASCII without a fragment."""
    return _VISIBLE.fullmatch(raw_query) is not None and "#" not in raw_query


def may_be_set(name: str) -> bool:
    """Whether a route may send a header of this name: not the connection's, the host's, x402's, or a session's."""
    plain = confusable(name)
    return plain not in _NEVER_SET and not plain.startswith(("payment-", "x-payment"))


def confusable(name: str) -> str:
    """The same for all header names that some server takes for one another: case, and what CGI makes an underscore."""
    return _NOT_ALNUM.sub("-", name.lower())


def destination(template: str, params: Mapping[str, str], raw_query: str) -> Destination:
    """Fill an upstream's URL template: each ``{param}`` is one segment, the buyer's query goes on as it is.

    The result is under the template's fixed segments by construction: a param can neither end its
    segment nor be a dot segment. Raises ``ValueError`` for a template, param or query that could
    lead anywhere else (threat 88).
    """
    if _VISIBLE.fullmatch(template) is None or _AMBIGUOUS.search(template.replace("/", "")):
        raise ValueError("an upstream's URL is visible ASCII without query, fragment or escapes")
    parts = urlsplit(template)
    if "@" in parts.netloc:
        raise ValueError("an upstream's URL has no user")
    scheme, host = parts.scheme, (parts.hostname or "").removesuffix(".")
    form = _IPV6 if ":" in host else _HOST_NAME
    if scheme not in _DEFAULT_PORTS or form.fullmatch(host) is None:
        raise ValueError("an upstream's URL is absolute, http or https, with a plain host")
    if not is_query(raw_query):
        raise ValueError("a query string is visible ASCII without a fragment")
    segments = parts.path.split("/")[1:] or [""]
    path = "".join("/" + _segment(segment, params) for segment in segments)
    if "//" in path:
        raise ValueError("an upstream's path has no empty segments")
    return Destination(
        scheme=scheme,
        host=host,
        port=parts.port or _DEFAULT_PORTS[scheme],
        target=f"{path}?{raw_query}" if raw_query else path,
    )


def _segment(segment: str, params: Mapping[str, str]) -> str:
    match = _PARAM.fullmatch(segment)
    if match is None:
        if segment in (".", "..") or _LITERAL.fullmatch(segment) is None:
            raise ValueError("an upstream's path is made of plain segments and {params}")
        return segment
    value = params.get(match.group(1), "")
    if value in ("", ".", "..") or _AMBIGUOUS.search(value):
        raise ValueError(f"the param {match.group(1)} is missing or is not one segment")
    return quote(value, safe="")


def _goes_up(name: str) -> bool:
    return name in _FORWARDED or (
        name.startswith("x-")
        and _PLAIN_NAME.fullmatch(name) is not None
        and not name.startswith(_NOT_FORWARDED_PREFIXES)
    )


def _comes_back(name: str) -> bool:
    return not (name in _NOT_RETURNED or name.startswith(_NOT_RETURNED_PREFIXES) or name.endswith(_NOT_RETURNED_SUFFIX))


def _named_by_connection(headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    return frozenset(
        token.strip().lower() for name, value in headers if name.lower() == "connection" for token in value.split(",")
    )
