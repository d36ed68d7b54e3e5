"""One request to an upstream, and what counts as its answer."""

import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.gateway.upstream_server import (
    OK,
    UpstreamServer,
    answering,
    ask,
    make_certificate,
    private_upstream,
)
from tollgate.errors import ConfigurationError
from tollgate.gateway.upstream import MAX_ANSWER_BYTES, FailureKind, UpstreamFailed
from tollgate.payment.routes import UpstreamHeader


def test_a_request_arrives_as_it_was_meant() -> None:
    """Method, path, raw query, headers and the bytes of the body; nothing is added but what HTTP needs."""
    with UpstreamServer() as server:
        answer = ask(
            private_upstream(),
            f"http://127.0.0.1:{server.port}/v1/{{city}}",
            params={"city": "Bad Ragaz"},
            method="POST",
            raw_query="a=1&a=%32",
            headers={"content-type": "application/json", "x-name": "Zoë"},
            body=b'{"\x00": 1}',
        )
    assert (answer.status, answer.body) == (200, b"ok")
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    assert line == "POST /v1/Bad%20Ragaz?a=1&a=%32 HTTP/1.1"
    assert sorted(fields) == [
        "accept-encoding: identity",
        "connection: close",
        "content-length: 8",
        "content-type: application/json",
        f"host: 127.0.0.1:{server.port}",
        "x-name: Zoë",
    ]
    assert body == b'{"\x00": 1}'


@pytest.mark.parametrize(
    ("method", "length"), [("GET", None), ("DELETE", None), ("POST", "0"), ("PUT", "0"), ("PATCH", "0")]
)
def test_an_empty_body_has_a_length_where_one_is_expected(method: str, length: str | None) -> None:
    """Servers wait for, or refuse, a POST without one."""
    with UpstreamServer() as server:
        ask(private_upstream(), f"http://127.0.0.1:{server.port}/", method=method)
    assert (f"content-length: {length}".encode() in server.heard[0]) is (length is not None)


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        (OK, 200, b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\nt: u\r\n\r\n",
            200,
            b"abc",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\netag: 1\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone", 404, b"none"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: multipart/mixed; boundary=b\r\ncontent-length: 2\r\n\r\nok",
            200,
            b"ok",
        ),
        (b"HTTP/1.1 200 OK\r\nx_under.score: 1\r\ncontent-length: 2\r\n\r\nok, and more", 200, b"ok"),
    ],
)
def test_whole_answers_are_read(sent: bytes, status: int, body: bytes) -> None:
    """By length, by chunks and until the end; with any status."""
    with answering(sent) as (_, call):
        answer = call()
    assert (answer.status, answer.body) == (status, body)


def test_a_redirect_is_an_answer() -> None:
    """It is not followed: nobody else hears of the call."""
    with UpstreamServer() as other:
        location = f"http://127.0.0.1:{other.port}/".encode()
        with answering(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\ncontent-length: 0\r\n\r\n") as (
            _,
            call,
        ):
            answer = call()
    assert answer.status == 302
    assert answer.headers == (("location", location.decode()), ("content-length", "0"))
    assert other.heard == []


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 1\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n folded: 1\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n: 1\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x%d: y\r\n" % i for i in range(101)) + b"\r\n",
    ],
    ids=lambda sent: sent[-24:].decode("latin-1").encode("unicode_escape").decode(),
)
def test_an_answer_that_is_cut_short_or_can_be_read_in_two_ways_is_none(sent: bytes) -> None:
    """Nothing that might be half of the goods, or hide another answer, is ever charged."""
    with answering(sent) as (_, call), pytest.raises(UpstreamFailed) as caught:
        call()
    assert caught.value.kind is FailureKind.INVALID_ANSWER


def test_a_body_at_the_cap_is_read_and_one_byte_more_is_not() -> None:
    """In each of the three ways in which a body can end."""
    for extra, kind in ((0, None), (1, FailureKind.TOO_LARGE)):
        body = b"x" * (MAX_ANSWER_BYTES + extra)
        for sent in (
            b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body,
            b"HTTP/1.1 200 OK\r\n\r\n" + body,
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        ):
            with answering(sent) as (_, call):
                if kind is None:
                    assert len(call().body) == MAX_ANSWER_BYTES
                else:
                    with pytest.raises(UpstreamFailed) as caught:
                        call()
                    assert caught.value.kind is kind


def test_the_cap_can_be_set() -> None:
    """Ten bytes allowed, eleven announced: not even read."""
    announced = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n"
    with answering(announced, max_answer_bytes=10) as (_, call), pytest.raises(UpstreamFailed) as caught:
        call()
    assert caught.value.kind is FailureKind.TOO_LARGE


def test_a_secret_goes_up_under_its_header_and_replaces_the_buyers() -> None:
    """The buyer cannot send one of their own beside it."""
    with UpstreamServer() as server:
        ask(
            private_upstream(secrets={"prod/key": "s3cret"}.__getitem__),
            f"http://127.0.0.1:{server.port}/",
            headers={"x-api-key": "theirs"},
            secret_header=("X-Api-Key", "prod/key"),
        )
    assert b"x-api-key: s3cret\r\n" in server.heard[0]
    assert b"theirs" not in server.heard[0]


@pytest.mark.parametrize("theirs", ["x-tenant", "X-TENANT", "x.tenant", "X_Tenant"])
def test_a91_a_header_of_the_routes_is_never_the_buyers_in_any_spelling(theirs: str) -> None:
    """Fixed values and secrets, several of them; what some server would read as the same name stays behind."""
    headers = (UpstreamHeader("X-Tenant", value="ours"), UpstreamHeader("Accept", value="text/plain"))
    with UpstreamServer() as server:
        ask(
            private_upstream(secrets={"prod/key": "s3cret"}.__getitem__),
            f"http://127.0.0.1:{server.port}/",
            headers={theirs: "theirs", "accept": "*/*", "x-other": "kept"},
            secret_header=("X-Api-Key", "prod/key"),
            fixed_headers=headers,
        )
    (heard,) = server.heard
    for line in (b"x-tenant: ours", b"accept: text/plain", b"x-api-key: s3cret", b"x-other: kept"):
        assert heard.count(line + b"\r\n") == 1
    assert b"theirs" not in heard
    assert b"*/*" not in heard


@pytest.mark.parametrize(
    ("name", "value"), [("Host", "a"), ("X-Tenant", ""), ("X-Tenant", "a\r\nx: y"), ("X_Payment", "a")]
)
def test_a89_a_fixed_header_that_is_none_sends_nothing(name: str, value: str) -> None:
    """However it came into the table."""
    with UpstreamServer() as server, pytest.raises(UpstreamFailed) as caught:
        url = f"http://127.0.0.1:{server.port}/"
        ask(private_upstream(), url, fixed_headers=(UpstreamHeader(name, value=value),))
    assert caught.value.kind is FailureKind.INVALID_REQUEST
    assert server.heard == []


def test_secrets_that_are_slow_to_read_use_up_the_upstreams_time() -> None:
    """The request does not outlast its time for want of headers."""
    now = [0.0]

    def slow(name: str) -> str:
        now[0] += 6.0
        return "value"

    with UpstreamServer() as server, pytest.raises(UpstreamFailed) as caught:
        upstream = private_upstream(secrets=slow, clock=lambda: now[0])
        ask(upstream, f"http://127.0.0.1:{server.port}/", secret_header=("X-Api-Key", "k"))
    assert (caught.value.kind, caught.value.sent, server.heard) == (FailureKind.TIMEOUT, False, [])


@pytest.mark.parametrize("value", ["", "a\r\nx: y", "a\n", "a\0"])
def test_a_secret_that_is_no_header_value_is_not_sent(value: str) -> None:
    """A stray newline at its end is the operator's to mend; nothing goes out and nobody is charged."""
    with UpstreamServer() as server, pytest.raises(UpstreamFailed) as caught:
        ask(
            private_upstream(secrets=lambda _: value),
            f"http://127.0.0.1:{server.port}/",
            secret_header=("x-api-key", "k"),
        )
    assert caught.value.kind is FailureKind.SECRET_UNAVAILABLE
    assert server.heard == []


def test_a_secret_never_takes_the_place_of_the_connections_headers() -> None:
    """A route that says so is the operator's to mend; nothing goes out."""
    with UpstreamServer() as server, pytest.raises(UpstreamFailed) as caught:
        url = f"http://127.0.0.1:{server.port}/"
        ask(private_upstream(secrets=lambda _: "1"), url, secret_header=("Trailer", "k"))
    assert caught.value.kind is FailureKind.SECRET_UNAVAILABLE
    assert server.heard == []


def test_a_secret_that_cannot_be_read_is_a_failure_without_its_name() -> None:
    """The answer to a buyer never says what the seller's secrets are called."""

    def missing(name: str) -> str:
        raise ConfigurationError(f"the secret {name} is missing")

    with pytest.raises(UpstreamFailed) as caught:
        ask(private_upstream(secrets=missing), "http://127.0.0.1:9/", secret_header=("x-api-key", "prod/key"))
    assert caught.value.kind is FailureKind.SECRET_UNAVAILABLE
    assert "prod" not in str(caught.value)


def test_nobody_there_is_unreachable() -> None:
    """A closed port, a name that does not exist, a name without addresses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    for url, resolver in (
        (f"http://127.0.0.1:{port}/", unknown),
        ("http://nowhere.example/", unknown),
        ("http://nowhere.example/", lambda _host, _port: []),
    ):
        with pytest.raises(UpstreamFailed) as caught:
            ask(private_upstream(resolver=resolver), url)
        assert caught.value.kind is FailureKind.UNREACHABLE
        assert "example" not in str(caught.value)


def test_the_next_address_is_tried_only_while_nothing_was_sent() -> None:
    """An address that takes no connection is passed over; one that took the request is not."""
    with socket.create_server(("127.0.0.2", 0)) as listener:
        closed_port = listener.getsockname()[1]
    with UpstreamServer() as server:
        upstream = private_upstream(resolver=lambda _host, _port: ["127.0.0.2", "127.0.0.1"])
        assert closed_port != server.port
        assert ask(upstream, f"http://two.example:{server.port}/").status == 200
    with UpstreamServer(()) as server:
        upstream = private_upstream(resolver=lambda _host, _port: ["127.0.0.1", "127.0.0.1"])
        with pytest.raises(UpstreamFailed):
            ask(upstream, f"http://two.example:{server.port}/")
    assert len(server.heard) == 1


def test_tls_is_verified_for_the_name_of_the_template(tmp_path: Path) -> None:
    """The right name passes; another name, and an unknown authority, do not."""
    served, trusting = make_certificate(tmp_path, "api.example.com")
    strict = ssl.create_default_context()
    with UpstreamServer(tls=served) as server:
        for host, tls, passes in (
            ("api.example.com", trusting, True),
            ("other.example.com", trusting, False),
            ("api.example.com", strict, False),
        ):
            upstream = private_upstream(resolver=lambda _host, _port: ["127.0.0.1"], tls=tls)
            if passes:
                assert ask(upstream, f"https://{host}:{server.port}/").body == b"ok"
                continue
            with pytest.raises(UpstreamFailed) as caught:
                ask(upstream, f"https://{host}:{server.port}/")
            assert caught.value.kind is FailureKind.UNREACHABLE
    assert len(server.heard) == 1


def test_time_is_what_the_clock_says() -> None:
    """No time left means nothing is sent."""
    with UpstreamServer() as server:
        for timeout in (0.0, -1.0):
            with pytest.raises(UpstreamFailed) as caught:
                ask(private_upstream(), f"http://127.0.0.1:{server.port}/", timeout=timeout)
            assert caught.value.kind is FailureKind.TIMEOUT
        started = time.monotonic()
        assert ask(private_upstream(), f"http://127.0.0.1:{server.port}/").status == 200
        assert time.monotonic() - started < 5
    assert len(server.heard) == 1
