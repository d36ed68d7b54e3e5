"""Threats 87-95: what a buyer, a name server or an upstream can do to the proxy between them."""

import socket
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.gateway.upstream_server import (
    OK,
    Script,
    UpstreamServer,
    answering,
    ask,
    make_certificate,
    no_secret,
    private_upstream,
)
from tollgate.gateway import dialing
from tollgate.gateway.forwarding import destination, request_headers, response_headers
from tollgate.gateway.public_address import is_public_address
from tollgate.gateway.run_upstream import MAX_EVENT_BYTES
from tollgate.gateway.upstream import MAX_ANSWER_BYTES, FailureKind, HttpUpstream, UpstreamFailed

_PUBLIC = "93.184.215.14"


class _NoSocket(socket.socket):
    """Stands where sockets are made, and allows none."""

    def __init__(self, *_: object) -> None:
        raise AssertionError("a socket was opened")


def public_upstream(resolver: dialing.Resolver, **settings: object) -> HttpUpstream:
    """An ``HttpUpstream`` as a deployed stack has it."""
    return HttpUpstream(
        allow_private=False,
        clock=time.monotonic,
        secrets=no_secret,
        resolver=resolver,
        **settings,  # type: ignore[arg-type]
    )


def _found(addresses: Sequence[str], _host: str, _port: int) -> Sequence[str]:
    return addresses


def no_resolver(host: str, port: int) -> Sequence[str]:
    """For hosts that must be refused, or taken, without asking anybody."""
    raise AssertionError(f"{host}:{port} was resolved")


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.9",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b::169.254.169.254",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::",
        "2002:808:808::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2606:2800:21f:cb07::1%1",
        "",
        "x",
        "127.1",
        "0177.0.0.1",
        "2130706433",
        "0x7f000001",
        "8.8.8.8 ",
        "8.8.8.8\n",
        "8.8.8.8/32",
    ],
)
def test_a87_an_address_that_is_not_public_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Private, shared, multicast, reserved, translated, mapped: no socket is opened."""
    assert not is_public_address(address)
    monkeypatch.setattr(socket, "socket", _NoSocket)
    for addresses in ([address], [_PUBLIC, address], [address, _PUBLIC]):
        upstream = public_upstream(partial(_found, addresses))
        with pytest.raises(UpstreamFailed) as caught:
            ask(upstream, "https://api.example.com/")
        assert caught.value.kind is FailureKind.ADDRESS_REFUSED


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        _PUBLIC,
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "223.255.255.1",
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
        "2a00:1450:400a:801::200e",
        "2001:4860:4860::8888",
    ],
)
def test_a87_a_public_address_is_not_refused(address: str) -> None:
    """The neighbours of the refused ranges, and well-known servers."""
    assert is_public_address(address)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "api.localhost",
        "metadata.google.internal",
        "instance-data",
        "db.internal.",
        "printer.local",
        "router.lan",
        "nas.home.arpa",
        "intranet",
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[fd00:ec2::254]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "1.2.3.4.5",
        "256.256.256.256",
        "0",
        "127.0.0.1.",
        "foo.0x7f",
    ],
)
def test_a87_a_private_or_odd_host_is_refused_without_asking(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Literals in any notation and private names never get as far as a resolver or a socket."""
    monkeypatch.setattr(socket, "socket", _NoSocket)
    with pytest.raises(UpstreamFailed) as caught:
        ask(public_upstream(no_resolver), f"https://{host}/")
    assert caught.value.kind is FailureKind.ADDRESS_REFUSED


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
def test_a87_an_odd_literal_is_refused_even_where_private_is_allowed(host: str) -> None:
    """Two readers would see two addresses."""
    with pytest.raises(UpstreamFailed) as caught:
        ask(private_upstream(resolver=no_resolver), f"http://{host}/")
    assert caught.value.kind is FailureKind.ADDRESS_REFUSED


def test_a87_plain_http_is_refused_in_a_deployed_stack() -> None:
    """Whoever is on the way could read the seller's secret and change the goods."""
    with pytest.raises(UpstreamFailed) as caught:
        ask(public_upstream(no_resolver), "http://api.example.com/")
    assert caught.value.kind is FailureKind.ADDRESS_REFUSED


def test_a87_a_resolver_that_changes_its_mind_has_no_second_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is resolved once, and the socket connects to the address that was checked."""
    served, trusting = make_certificate(tmp_path, "api.example.com")
    asked: list[str] = []
    connected: list[object] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return [_PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    with UpstreamServer(tls=served) as server:

        class Diverted(socket.socket):
            """Notes where it should connect to, and goes to the test's server."""

            def connect(self, address: object) -> None:
                connected.append(address)
                super().connect(("127.0.0.1", server.port))

        upstream = public_upstream(rebinding, tls=trusting)
        with monkeypatch.context() as patched:
            patched.setattr(socket, "socket", Diverted)
            assert ask(upstream, "https://api.example.com/").body == b"ok"
        assert (asked, connected) == (["api.example.com"], [(_PUBLIC, 443)])
        with pytest.raises(UpstreamFailed) as caught:
            ask(upstream, "https://api.example.com/")
    assert caught.value.kind is FailureKind.ADDRESS_REFUSED
    assert asked == ["api.example.com"] * 2
    assert len(server.heard) == 1


def test_a87_a_redirect_to_a_private_address_is_not_followed() -> None:
    """It comes back as it is; the gateway never charges for it."""
    with UpstreamServer() as inner:
        redirect = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:%d/\r\ncontent-length: 0\r\n\r\n"
        with answering(redirect % inner.port) as (outer, call):
            assert call().status == 307
    assert len(outer.heard) == 1
    assert inner.heard == []


_TRAVERSALS = [
    "",
    ".",
    "..",
    "../admin",
    "..\\admin",
    "a/b",
    "/",
    "//evil.example",
    "%2e%2e",
    "..%2fadmin",
    "..;",
    "a;b",
    "a?b",
    "a#b",
    "a\nb",
    "a\x00b",
    "\x7f",
]


@pytest.mark.parametrize("param", _TRAVERSALS, ids=repr)
def test_a88_a_param_that_is_not_one_segment_is_refused(param: str) -> None:
    """And the call that would carry it is never made."""
    with pytest.raises(ValueError, match="param"):
        destination("https://api.example.com/v1/{id}/x", {"id": param}, "")
    with UpstreamServer() as server, pytest.raises(UpstreamFailed) as caught:
        ask(private_upstream(), f"http://127.0.0.1:{server.port}/v1/{{id}}", params={"id": param})
    assert caught.value.kind is FailureKind.INVALID_REQUEST
    assert server.heard == []


@given(st.text(min_size=1), st.text(min_size=1))
def test_a88_a_call_stays_under_the_configured_prefix(first: str, second: str) -> None:
    """Whatever the params are: refused, or two segments below the prefix, to the configured host."""
    template = "https://api.example.com/v1/{a}/fixed/{b}"
    try:
        to = destination(template, {"a": first, "b": second}, "")
    except ValueError:
        return
    assert (to.scheme, to.host, to.port) == ("https", "api.example.com", 443)
    assert to.target.isascii()
    segments = to.target.split("/")
    assert (segments[:2], segments[3], len(segments)) == (["", "v1"], "fixed", 5)
    assert not {segments[2], segments[4]} & {"", ".", ".."}
    assert unquote(to.target) == f"/v1/{first}/fixed/{second}"


@pytest.mark.parametrize(
    "template",
    [
        "https://user@api.example.com/",
        "https://user:word@api.example.com/",
        "https://@api.example.com/",
        "https://api.example.com@evil.example/",
        "https://api.example.com/#x",
        "https://api.example.com/?x=1",
        "https://api.example.com\\@evil.example/",
        "https://api.example.com/a\\b",
        "https://api.example.com/../x",
        "https://api.example.com/a/./b",
        "https://api.example.com//x",
        "https://api.example.com/%2e%2e/x",
        "https://api.example.com/a;b",
        "https://{a}.example.com/",
        "https://{a}/",
        "https:///x",
        "https://",
        "//x/y",
        "/x",
        "ftp://api.example.com/",
        "file:///etc/passwd",
        "https://api.example.com:x/",
        "https://api.example.com:99999/",
        " https://api.example.com/",
        "https://api.example.com/\n",
        "ht\ntps://api.example.com/",
        "https://ex ample.com/",
        "https://bücher.example/",
        "https://-a.example/",
        "https://a..example/",
        "https://[::1%25eth0]/",
        "https://[::1/",
        "https://api.example.com/x{a}",
        "https://api.example.com/{a}{a}",
        "https://api.example.com/{}",
    ],
)
def test_a88_a_template_that_could_lead_elsewhere_is_refused(template: str) -> None:
    """User info, fragments, queries, escapes, dot segments, params outside of whole segments."""
    with pytest.raises(ValueError, match=r"."):
        destination(template, {"a": "b"}, "")


@pytest.mark.parametrize("query", ["a b", "a\r\nx: y", "a#b", "\x00", "ü"])
def test_a88_a_query_that_could_end_the_request_line_is_refused(query: str) -> None:
    """Spaces, line breaks, fragments and raw bytes: nothing is sent."""
    with UpstreamServer() as server, pytest.raises(UpstreamFailed) as caught:
        ask(private_upstream(), f"http://127.0.0.1:{server.port}/", raw_query=query)
    assert caught.value.kind is FailureKind.INVALID_REQUEST
    assert server.heard == []


def test_a89_headers_of_the_connection_stay_behind() -> None:
    """Also those that the Connection header names, in any case, in both directions."""
    hop_by_hop = {
        "connection": "close, X-Secret ,PAYMENT-SIGNATURE",
        "keep-alive": "1",
        "proxy-authorization": "x",
        "te": "trailers",
        "trailer": "x",
        "transfer-encoding": "chunked",
        "upgrade": "h2c",
        "proxy-connection": "x",
    }
    custom = {"x-secret": "1", "x-public": "2"}
    ours = {"host": "evil.example", "content-length": "5", "expect": "100-continue", "accept-encoding": "br"}
    assert request_headers({**hop_by_hop, **custom, **ours}) == {"x-public": "2"}
    back = [*hop_by_hop.items(), *custom.items(), ("content-length", "5"), ("X-SECRET", "3")]
    assert response_headers(back) == (("x-public", "2"),)


@pytest.mark.parametrize("bad", ["a\r\nx-evil: 1", "a\nx-evil: 1", "a\rb", "a\0b", "a\x1bb", "\ud800"])
def test_a89_a_line_break_in_a_header_never_leaves(bad: str) -> None:
    """Neither in a value nor in a name, nor past the check of the headers."""
    if bad != "\ud800":
        assert request_headers({"x-a": bad, f"x-{bad}": "1", "x-b": "2"}) == {"x-b": "2"}
    for headers in ({"x-a": bad}, {bad: "x"}):
        with UpstreamServer() as server, pytest.raises(UpstreamFailed) as caught:
            ask(private_upstream(), f"http://127.0.0.1:{server.port}/", headers=headers)
        assert caught.value.kind is FailureKind.INVALID_REQUEST
        assert server.heard == []


@pytest.mark.parametrize("method", ["GET / HTTP/1.1\r\nx: y\r\n\r\nGET", "get", "", "G T"])
def test_a89_a_method_is_one_plain_word(method: str) -> None:
    """It stands in the request line."""
    with UpstreamServer() as server, pytest.raises(UpstreamFailed) as caught:
        ask(private_upstream(), f"http://127.0.0.1:{server.port}/", method=method)
    assert caught.value.kind is FailureKind.INVALID_REQUEST
    assert server.heard == []


def test_a89_the_length_is_that_of_the_body_that_is_sent() -> None:
    """Whatever the headers said: the upstream cannot be made to see a second request in the body."""
    body = b"0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n"
    lies = {
        "content-length": "3",
        "Transfer-Encoding": "chunked",
        "CONTENT-LENGTH": "1",
        "host": "evil.example",
    }
    with UpstreamServer() as server:
        ask(private_upstream(), f"http://127.0.0.1:{server.port}/", method="POST", headers=lies, body=body)
    head, _, sent = server.heard[0].partition(b"\r\n\r\n")
    names = [line.split(b":")[0] for line in head.split(b"\r\n")[1:]]
    assert sorted(names) == [b"accept-encoding", b"connection", b"content-length", b"host"]
    assert b"content-length: %d" % len(body) in head
    assert b"evil" not in head
    assert sent == body


def test_a90_payments_and_credentials_do_not_go_up() -> None:
    """Nothing that pays, proves or logs in leaves the proxy."""
    names = [
        "payment-signature",
        "PAYMENT-SIGNATURE",
        "payment-required",
        "payment-response",
        "payment-identifier",
        "X-PAYMENT",
        "x-payment-response",
        "sign-in-with-x",
        "authorization",
        "cookie",
        "x-amz-security-token",
        "X-Amzn-Trace-Id",
        "x-amz-date",
        "x_payment",
        "x-api_key",
        "x.payment",
    ]
    assert request_headers(dict.fromkeys(names, "secret")) == {}


def test_a90_the_upstreams_sessions_do_not_come_back() -> None:
    """Cookies, server software, challenges and cloud internals are the seller's own."""
    names = [
        "Set-Cookie",
        "set-cookie2",
        "Server",
        "X-Powered-By",
        "Via",
        "WWW-Authenticate",
        "x-amzn-RequestId",
        "x-amz-id-2",
        "Alt-Svc",
        "Access-Control-Allow-Origin",
    ]
    assert response_headers([(name, "secret") for name in names]) == ()


def test_a91_a_buyer_cannot_set_what_an_upstream_trusts() -> None:
    """Who paid, who is forwarded for, which method or path is meant, and what to settle."""
    names = [
        "X-Paid-By",
        "x-paid-by-wallet",
        "Settlement-Overrides",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "x-forwarded",
        "forwarded",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Real-IP",
        "X-Client-IP",
        "X-Host",
        "X-Accel-Redirect",
        "x-envoy-original-path",
        "x-forwarded_for",
    ]
    assert request_headers(dict.fromkeys(names, "me")) == {}


def test_a91_an_upstream_cannot_change_what_is_settled() -> None:
    """``Settlement-Overrides`` is honoured by some servers when it comes back from the handler."""
    assert response_headers([("Settlement-Overrides", '{"amount":"1"}'), ("X-Paid-By", "x")]) == ()


def test_a92_an_upstreams_own_payment_headers_do_not_come_back() -> None:
    """The only receipt and the only offer that a buyer sees are ours."""
    names = [
        "PAYMENT-RESPONSE",
        "Payment-Required",
        "payment-signature",
        "X-PAYMENT-RESPONSE",
        "x-payment",
        "EXTENSION-RESPONSES",
    ]
    assert response_headers([(name, "e30=") for name in names] + [("x-ok", "1")]) == (("x-ok", "1"),)


def _drip(piece: bytes) -> Script:
    return [piece, 0.05] * 200


_SLOW: dict[str, Script] = {
    "says nothing": [30.0],
    "drips the status line": [b"HTTP/1.1 200", *_drip(b" ")],
    "drips the headers": [b"HTTP/1.1 200 OK\r\n", *_drip(b"x: y\r\n")],
    "drips the body": [b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", *_drip(b"x")],
    "drips the chunks": [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        *_drip(b"1\r\nx\r\n"),
    ],
    "continues forever": _drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "never ends": [b"HTTP/1.1 200 OK\r\n\r\nx", 30.0],
}


@pytest.mark.parametrize("script", _SLOW.values(), ids=_SLOW.keys())
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a93_a_slow_upstream_is_cut_off_at_the_deadline(script: Script, encrypted: bool, tmp_path: Path) -> None:
    """A byte now and then gains no time: the deadline is one for all of the call."""
    served, trusting = make_certificate(tmp_path, "api.example.com") if encrypted else (None, None)
    upstream = private_upstream(tls=trusting, resolver=lambda _host, _port: ["127.0.0.1"])
    scheme = "https" if encrypted else "http"
    with UpstreamServer(script, tls=served) as server:
        started = time.monotonic()
        with pytest.raises(UpstreamFailed) as caught:
            ask(upstream, f"{scheme}://api.example.com:{server.port}/", timeout=0.4)
        assert 0.35 < time.monotonic() - started < 2
    assert caught.value.kind is FailureKind.TIMEOUT
    assert len(server.heard) == 1


def test_a93_a_handshake_that_never_ends_is_cut_off() -> None:
    """A port that takes the connection and says nothing, when TLS is expected."""
    with UpstreamServer([30.0], read=False) as server:
        started = time.monotonic()
        with pytest.raises(UpstreamFailed) as caught:
            ask(private_upstream(), f"https://127.0.0.1:{server.port}/", timeout=0.3)
        assert time.monotonic() - started < 2
    assert caught.value.kind is FailureKind.TIMEOUT


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a93_an_upstream_that_does_not_read_is_cut_off(encrypted: bool, tmp_path: Path) -> None:
    """Sending has the same deadline as receiving."""
    served, trusting = make_certificate(tmp_path, "api.example.com") if encrypted else (None, None)
    upstream = private_upstream(tls=trusting, resolver=lambda _host, _port: ["127.0.0.1"])
    scheme = "https" if encrypted else "http"
    with UpstreamServer([30.0], tls=served, read=False) as server:
        started = time.monotonic()
        with pytest.raises(UpstreamFailed) as caught:
            ask(
                upstream,
                f"{scheme}://api.example.com:{server.port}/",
                method="POST",
                body=bytes(32 * 1024 * 1024),
                timeout=0.4,
            )
        assert time.monotonic() - started < 3
    assert caught.value.kind is FailureKind.TIMEOUT


class _Sipping(UpstreamServer):
    """Reads a little now and then, and goes on doing so."""

    def _answer(self, connection: socket.socket) -> None:
        while not self._stop.wait(0.05) and connection.recv(65536):
            pass


def test_a93_an_upstream_that_reads_in_sips_is_cut_off() -> None:
    """Taking some of the body now and then gains no time either."""
    with _Sipping() as server:
        started = time.monotonic()
        with pytest.raises(UpstreamFailed) as caught:
            ask(
                private_upstream(),
                f"http://127.0.0.1:{server.port}/",
                method="POST",
                body=bytes(32 * 1024 * 1024),
                timeout=0.5,
            )
        assert time.monotonic() - started < 2
    assert caught.value.kind is FailureKind.TIMEOUT


def test_a93_a_resolver_that_hangs_is_cut_off() -> None:
    """The system's resolver has no timeout of its own."""
    released = threading.Event()

    def hanging(_host: str, _port: int) -> Sequence[str]:
        released.wait(30)
        return []

    started = time.monotonic()
    with pytest.raises(UpstreamFailed) as caught:
        ask(private_upstream(resolver=hanging), "http://api.example.com/", timeout=0.2)
    assert time.monotonic() - started < 2
    released.set()
    assert caught.value.kind is FailureKind.TIMEOUT


@pytest.mark.parametrize(("polite", "passes"), [(True, True), (False, False)])
def test_a93_an_encrypted_answer_that_somebody_cut_short_is_none(polite: bool, passes: bool, tmp_path: Path) -> None:
    """A body that ends with the connection ends with TLS's own farewell, or it is half of the goods."""
    served, trusting = make_certificate(tmp_path, "api.example.com")
    upstream = private_upstream(tls=trusting, resolver=partial(_found, ["127.0.0.1"]))
    with UpstreamServer([b"HTTP/1.1 200 OK\r\n\r\nhalf"], tls=served, polite=polite) as server:
        url = f"https://api.example.com:{server.port}/"
        if passes:
            assert ask(upstream, url).body == b"half"
            return
        with pytest.raises(UpstreamFailed) as caught:
            ask(upstream, url)
    assert caught.value.kind is FailureKind.UNREACHABLE


_ENDLESS: dict[str, Script] = {
    "body": [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65536] * 200],
    "announced body": [b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n", *[b"x" * 65536] * 200],
    "chunks": [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n" * 10_000] * 50],
    "trailers": [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", *[b"x: y\r\n" * 10_000] * 50],
    "continues": [b"HTTP/1.1 100 Continue\r\n\r\n" * 3000] * 50,
    "header values": [b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000 + b"\r\ncontent-length: 0\r\n\r\n"],
}


@pytest.mark.parametrize("script", _ENDLESS.values(), ids=_ENDLESS.keys())
def test_a93_an_endless_upstream_is_cut_off_at_the_cap(script: Script) -> None:
    """Memory is bounded by the caps, not by what is sent."""
    with answering(*script, max_answer_bytes=64 * 1024) as (_, call), pytest.raises(UpstreamFailed) as caught:
        call()
    assert caught.value.kind is FailureKind.TOO_LARGE


@pytest.mark.parametrize("script", [[b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000], [b"HTTP/1.1 " + b"2" * 70_000]])
def test_a93_an_endless_line_is_no_answer(script: Script) -> None:
    """A header or status line without an end."""
    with answering(*script) as (_, call), pytest.raises(UpstreamFailed) as caught:
        call()
    assert caught.value.kind is FailureKind.INVALID_ANSWER


@pytest.mark.parametrize(
    "script",
    [
        [],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"],
        [b"HTTP/1.1 503 Later\r\nretry-after: 0\r\n\r\n"],
        [OK],
    ],
)
def test_a95_an_upstream_hears_of_a_call_once(script: Script) -> None:
    """Lost, cut short, asked to retry, or fine: one attempt."""
    with answering(*script) as (server, call):
        try:
            assert call().status in (200, 503)
        except UpstreamFailed as failed:
            assert failed.kind is FailureKind.INVALID_ANSWER
        time.sleep(0.05)
    assert len(server.heard) == 1


def test_a90_a_failure_says_nothing_of_where_it_failed() -> None:
    """Neither the host nor the path nor a header is in the text that may reach a log or a buyer."""
    with answering(b"junk") as (server, _), pytest.raises(UpstreamFailed) as caught:
        ask(private_upstream(), f"http://127.0.0.1:{server.port}/hidden", headers={"x-a": "hidden"})
    assert str(caught.value) == "the upstream failed: invalid_answer"


def test_a93_a_body_at_the_cap_is_about_what_lambda_can_return() -> None:
    """In base64 it just fits; a hundred bytes more do not, whatever else the answer holds."""
    assert 4 * MAX_ANSWER_BYTES // 3 < MAX_EVENT_BYTES < 4 * (MAX_ANSWER_BYTES + 90) // 3
