"""What a browser does with a cross-origin ``fetch``, strictly: the CORS protocol of the Fetch standard.

Preflight, CORS check, and the filter through which a script reads the answer, as in the sections
"CORS protocol", "CORS-preflight fetch" and "CORS check" of https://fetch.spec.whatwg.org/. There is no preflight
cache, and no cookie is ever sent. tests/contract/local/test_browser.py compares it with a real browser.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import urllib3

_SAFE_METHODS = {"GET", "HEAD", "POST"}
_NORMALISED = {"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"}
_FORBIDDEN_METHODS = {"CONNECT", "TRACE", "TRACK"}
_FORBIDDEN_HEADERS = {
    "accept-charset", "accept-encoding", "access-control-request-headers", "access-control-request-method",
    "connection", "content-length", "cookie", "cookie2", "date", "dnt", "expect", "host", "keep-alive", "origin",
    "referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via",
}  # fmt: skip
_REDIRECTS = {301, 302, 303, 307, 308}
_SAFE_TYPES = {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
_READABLE = {
    "cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma",
}  # fmt: skip
_NEVER_READABLE = {"set-cookie", "set-cookie2"}
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_UNSAFE_BYTES = re.compile(r'[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]')
_LANGUAGE = re.compile(r"[0-9A-Za-z *,\-.;=]*")


class NetworkError(Exception):
    """``fetch`` rejects with a TypeError; the text says why, as only the developer tools would."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the script sees: the headers are those that it may read, in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


def fetch(
    origin: str,
    url: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    credentials: bool = False,
) -> Seen:
    """``fetch(url, {mode: "cors"})`` by a page at ``origin``. Raises ``NetworkError``."""
    verb = method.upper() if method.upper() in _NORMALISED else method
    sent = {name.lower(): value.strip() for name, value in (headers or {}).items()}
    if verb.upper() in _FORBIDDEN_METHODS or any(_is_forbidden(name) for name in sent):
        raise NetworkError("a script cannot send this")
    if body is not None and "content-type" not in sent:
        sent["content-type"] = "text/plain;charset=UTF-8"
    if verb not in _SAFE_METHODS or unsafe_names(sent):
        _preflight(origin, url, verb, unsafe_names(sent), credentials)
    answer = _send(verb, url, {**sent, "origin": origin}, body)
    if answer.status in _REDIRECTS and "location" in answer.headers:
        raise NetworkError("redirects are not followed here")
    _check(origin, answer, credentials)
    return Seen(answer.status, _readable(answer, credentials), answer.data)


def unsafe_names(headers: dict[str, str]) -> list[str]:
    """The CORS-unsafe request-header names: sorted, lower-case, what a preflight asks for."""
    safe = {name for name, value in headers.items() if _is_safelisted(name.lower(), value)}
    if sum(len(headers[name].encode()) for name in safe) > 1024:
        safe = set()
    return sorted(name.lower() for name in headers if name not in safe)


def _is_forbidden(name: str) -> bool:
    return name in _FORBIDDEN_HEADERS or name.startswith(("proxy-", "sec-"))


def _is_safelisted(name: str, value: str) -> bool:
    if len(value.encode()) > 128:
        return False
    if name == "accept":
        return _UNSAFE_BYTES.search(value) is None
    if name in ("accept-language", "content-language"):
        return _LANGUAGE.fullmatch(value) is not None
    if name == "content-type":
        return _UNSAFE_BYTES.search(value) is None and value.partition(";")[0].strip().lower() in _SAFE_TYPES
    return name == "range" and re.fullmatch(r"bytes=[0-9]+-[0-9]*", value) is not None


def _preflight(origin: str, url: str, method: str, unsafe: list[str], credentials: bool) -> None:
    asked = {"accept": "*/*", "origin": origin, "access-control-request-method": method}
    if unsafe:
        asked["access-control-request-headers"] = ",".join(unsafe)
    answer = _send("OPTIONS", url, asked, None)
    _check(origin, answer, credentials)
    if not 200 <= answer.status <= 299:
        raise NetworkError(f"the preflight's status is {answer.status}")
    methods = _list(answer, "access-control-allow-methods")
    allowed = [name.lower() for name in _list(answer, "access-control-allow-headers")]
    if method not in methods and method not in _SAFE_METHODS and (credentials or "*" not in methods):
        raise NetworkError(f"the method {method} is not allowed")
    for name in unsafe:
        # A wildcard never covers Authorization, and covers nothing with credentials.
        if name not in allowed and (name == "authorization" or credentials or "*" not in allowed):
            raise NetworkError(f"the header {name} is not allowed")


def _check(origin: str, answer: urllib3.BaseHTTPResponse, credentials: bool) -> None:
    """The CORS check: one value, byte for byte; ``*`` is for requests without credentials."""
    allowed = answer.headers.getlist("access-control-allow-origin")
    if not allowed:
        raise NetworkError("no Access-Control-Allow-Origin")
    value = ", ".join(allowed)
    if value == "*" and not credentials:
        return
    if value != origin:
        raise NetworkError(f"Access-Control-Allow-Origin is {value}")
    if credentials and answer.headers.get("access-control-allow-credentials") != "true":
        raise NetworkError("credentials are not allowed")


def _readable(answer: urllib3.BaseHTTPResponse, credentials: bool) -> dict[str, str]:
    exposed = {name.lower() for name in _list(answer, "access-control-expose-headers")}
    if "*" in exposed and not credentials:
        exposed |= {name.lower() for name in answer.headers}
    return {
        name.lower(): value
        for name, value in answer.headers.items()
        if name.lower() in (_READABLE | exposed) - _NEVER_READABLE
    }


def _list(answer: urllib3.BaseHTTPResponse, name: str) -> list[str]:
    """A header's list; one that is no list of tokens spoils the whole answer."""
    values = [part.strip(" \t") for line in answer.headers.getlist(name) for part in line.split(",")]
    values = [value for value in values if value]
    if not all(_TOKEN.fullmatch(value) for value in values):
        raise NetworkError(f"{name} cannot be read")
    return values


def _send(method: str, url: str, headers: dict[str, str], body: bytes | None) -> urllib3.BaseHTTPResponse:
    split = urlsplit(url)
    with urllib3.HTTPConnectionPool(split.hostname or "", split.port, retries=False, timeout=60) as pool:
        target = split.path + (f"?{split.query}" if split.query else "")
        try:
            return pool.request(method, target, headers=headers, body=body, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise NetworkError(str(error)) from error
