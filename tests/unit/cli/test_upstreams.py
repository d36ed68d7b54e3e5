"""What the command line accepts as an upstream, the proxy calls: the two are asked and compared."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollgate.gateway import dialing
from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.declaring.problems import Findings
from tollgate.gateway.declaring.upstreams import read_upstream
from tollgate.gateway.upstream import FailureKind, HttpUpstream, UpstreamFailed
from tollgate.payment.networks import network_info
from tollgate.payment.routes import FunctionTarget, UpstreamTarget
from tollgate.wire.primitives import Address
from tollgate_cli.yaml_tree import Kind, Node

PUBLIC = StackFacts(
    networks=(network_info("base-sepolia"),),
    asset="USDC",
    pay_to=Address(b"\x5e" * 20),
    allow_private_upstreams=False,
    base_url="https://pay.example.com",
)
LOCAL = replace(PUBLIC, allow_private_upstreams=True)
PARAMS = ("city",)

_HOSTS = (
    "api.example.com", "API.Example.COM", "api.example.com.", "api.example.com..", "api..example.com", "-a.example.com",
    "a_b.example.com", "xn--bcher-kva.example", "bücher.example", f"{'a' * 64}.example", ".".join(["a" * 60] * 5),
    "example", "localhost", "localhost.", "db.localhost", "db.local", "db.internal", "db.intranet", "db.lan",
    "db.home", "db.corp", "db.private", "db.home.arpa", "db.test", "db.invalid", "db.onion", "DB.Internal", "db.lan.",
    "8.8.8.8", "8.8.8.8.", "10.0.0.1", "10.0.0.1.", "127.0.0.1", "169.254.169.254", "100.64.0.1", "192.88.99.1",
    "198.51.100.7", "224.0.0.1", "255.255.255.255", "127.1", "2130706433", "0x7f.1", "0X7F.1", "0177.0.0.1",
    "1.2.3.4.5", "[2606:2800:21f:cb07::1]", "[::1]", "[::ffff:8.8.8.8]", "[::FFFF:10.0.0.1]", "[64:ff9b::808:808]",
    "[2002:808:808::1]", "[2001::1]", "[3fff::1]", "[fd00::1]", "[fe80::1%25eth0]", "[8.8.8.8]", "[1:2]", "",
    "a b.example", "user@a.example",
)  # fmt: skip
_PATHS = (
    "", "/", "/v1/{city}", "/v1/{city}/", "/v1/{town}", "/{city}.json", "/a//b", "//a", "/../a", "/a;b", "/a%2fb", "/ä",
    "/a b", "/a\\b", "/a?b=1", "/a#b", "/{}", "/@:!$&'()*+,=", "/{city}{city}",
)  # fmt: skip
_PORTS = ("", ":", ":0", ":443", ":8443", ":65536", ":99999", ":-1")
_SCHEMES = ("https://", "http://", "HTTPS://", "ftp://", "//", " https://", "https:/", "\thttps://")
_HEADERS = (
    "X-Api-Key", "Authorization", "Cookie", "Accept-Encoding", "Host", "Connection", "TE", "Expect", "Content-Length",
    "Payment-Anything", "PAYMENT-SIGNATURE", "X-Payment", "X-PAYMENT-RESPONSE", "Proxy-Authorization", "x key", "x:key",
    "Keep-Alive", "Upgrade", "Trailer", "Transfer-Encoding", "Sign-In-With-X", "Content-Type", "a" * 101, "X.Y_z|~!",
    "Content_Length", "TRANSFER_ENCODING", "X_Payment", "Payment.Signature", "X-Tenant",
)  # fmt: skip
_REFUSED = {FailureKind.ADDRESS_REFUSED, FailureKind.INVALID_REQUEST, FailureKind.SECRET_UNAVAILABLE}


def accepted(url: str, facts: StackFacts, header: str | None = None, *, fixed: bool = False) -> UpstreamTarget | None:
    """The upstream as the command line reads it, ``None`` when it has a problem with it."""
    fields = {"url": Node(1, "url", Kind.TEXT, text=url)}
    if header is not None:
        value = Node(1, header, Kind.FIELDS, fields={"secret": Node(1, "secret", Kind.TEXT, text="s")})
        if fixed:
            value = Node(1, header, Kind.TEXT, text="value")
        fields["headers"] = Node(1, "headers", Kind.FIELDS, fields={header: value})
    findings = Findings()
    target = read_upstream(Node(1, "", Kind.FIELDS, fields=fields), PARAMS, facts, findings)
    assert not isinstance(target, FunctionTarget)
    return None if findings.problems else target


def refused_by_the_proxy(target: UpstreamTarget, facts: StackFacts) -> FailureKind | None:
    """Why the proxy would not even connect, when every name resolves to a public address."""

    def nobody_is_there(addresses: Sequence[str], port: int, deadline: dialing.Deadline) -> None:
        raise ConnectionRefusedError

    upstream = HttpUpstream(
        allow_private=facts.allow_private_upstreams,
        clock=lambda: 0.0,
        secrets=lambda name: "value",
        resolver=lambda host, port: ["8.8.8.8"],
    )
    with pytest.MonkeyPatch.context() as patch, pytest.raises(UpstreamFailed) as failed:
        patch.setattr(dialing, "_connect", nobody_is_there)
        upstream.fetch(target, {"city": "oslo"}, "GET", "", {}, b"", 5.0)
    return failed.value.kind if failed.value.kind in _REFUSED else None


@given(
    scheme=st.sampled_from(_SCHEMES[:3]),
    host=st.sampled_from(_HOSTS) | st.from_regex(r"[a-z0-9.:x\[\]-]{1,12}", fullmatch=True),
    port=st.sampled_from(_PORTS),
    path=st.sampled_from(_PATHS) | st.from_regex(r"/[ -~]{0,6}", fullmatch=True),
    facts=st.sampled_from((PUBLIC, LOCAL)),
)
@example("https://", "10.0.0.1.", "", "/", PUBLIC)
@example(" https://", "api.example.com", "", "/", PUBLIC)
def test_a88_what_the_command_line_accepts_the_proxy_does_not_refuse(
    scheme: str, host: str, port: str, path: str, facts: StackFacts
) -> None:
    """Otherwise a route would be sold that can only answer 502."""
    target = accepted(scheme + host + port + path, facts)
    if target is not None:
        assert refused_by_the_proxy(target, facts) is None


@pytest.mark.parametrize("facts", [PUBLIC, LOCAL])
def test_a87_every_listed_host_and_part_is_compared(facts: StackFacts) -> None:
    """Each one alone, so that none depends on chance; and what the two agree on is not nothing."""
    urls = [
        *(f"https://{host}/v1" for host in _HOSTS),
        *(f"http://{host}/v1" for host in _HOSTS),
        *(f"https://api.example.com{port}/v1" for port in _PORTS),
        *(f"https://api.example.com{path}" for path in _PATHS),
        *(f"{scheme}api.example.com/v1" for scheme in _SCHEMES),
    ]
    targets = [target for url in urls if (target := accepted(url, facts)) is not None]
    assert {t.url: why for t in targets if (why := refused_by_the_proxy(t, facts)) is not None} == {}
    assert len(targets) > (60 if facts is LOCAL else 12)


@pytest.mark.parametrize("name", _HEADERS)
def test_a90_a_secret_header_that_is_accepted_is_sent(name: str) -> None:
    """The proxy refuses to send a secret in what belongs to the connection, to x402 or to a session."""
    target = accepted("https://api.example.com/v1", PUBLIC, name)
    assert (target is not None) is (name in ("X-Api-Key", "Authorization", "X.Y_z|~!", "X-Tenant"))
    if target is not None:
        assert refused_by_the_proxy(target, PUBLIC) is None


@pytest.mark.parametrize("name", _HEADERS)
def test_a89_a_fixed_header_that_is_accepted_is_sent(name: str) -> None:
    """The same names, less those whose values belong into Secrets Manager."""
    target = accepted("https://api.example.com/v1", PUBLIC, name, fixed=True)
    assert (target is not None) is (name in ("X.Y_z|~!", "X-Tenant"))
    if target is not None:
        assert refused_by_the_proxy(target, PUBLIC) is None


@pytest.mark.parametrize(
    "host", ["db.private", "db.home.arpa", "db.test", "a.onion", "192.88.99.1", "10.0.0.1.", "[2001::1]"]
)
def test_a87_the_proxys_own_lists_decide(host: str) -> None:
    """Names and addresses that only the proxy's lists know."""
    assert accepted(f"https://{host}/v1", PUBLIC) is None
    assert accepted(f"https://{host}/v1", LOCAL) is not None
