"""What the doctor says about parts that the local stack cannot fall ill with."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from local.http_base import Handler, Server
from tollgate.chain.signer import LocalSigner
from tollgate.gateway.declaring.facts import StackFacts
from tollgate.gateway.receipt_issuer import ReceiptIssuer
from tollgate.payment.networks import network_info
from tollgate.payment.routes import NetworkStatus, Route, Snapshot, UpstreamTarget
from tollgate.wire.headers import PAYMENT_REQUIRED, encode
from tollgate.wire.models import PaymentRequired, Requirements, Resource
from tollgate.wire.primitives import Address
from tollgate_cli import doctor_chains, doctor_offer, doctor_receipts, doctor_routes, doctor_stack
from tollgate_cli.aws import FunctionFailed
from tollgate_cli.doctor_report import Level, Report
from tollgate_cli.stack import Stack

SEPOLIA = network_info("base-sepolia")
USDC = SEPOLIA.asset("USDC")
PAY_TO = Address(b"\x5e" * 20)
RELAYER = Address(b"\x0a" * 20)
NOW = 1_800_000_000
STACK = Stack(
    name="shop",
    stage="test",
    facts=StackFacts((SEPOLIA,), "USDC", PAY_TO, allow_private_upstreams=False, base_url="https://api.example.com"),
    routes_table="routes",
    payments_table="payments",
    settlements_table="settlements",
    settle_function="settle",
    reconcile_function="reconcile",
    sellers_table="sellers",
    facilitator_url="",
)
TERMS = Requirements("exact", SEPOLIA.network, 10_000, USDC.address, PAY_TO, 60, {"name": "USDC", "version": "2"})
ROUTE = Route("weather", "GET", "/weather/{city}", (TERMS,), (), UpstreamTarget("https://8.8.8.8/{city}", 10.0))
SNAPSHOT = Snapshot((ROUTE,), (NetworkStatus(SEPOLIA.network, (RELAYER,), has_gas=True, checked_at=NOW),), 1)


def mends(report: Report) -> list[str]:
    """The sentences of what must be mended; each says what to do."""
    assert all(finding.todo for finding in report.to_mend)
    return [f"{finding.check}: {finding.sentence}" for finding in report.to_mend]


def only(report: Report) -> str:
    """The one thing that must be mended."""
    (found,) = mends(report)
    return found


# What settle answers about a healthy stack.
def inside(**endpoint: Any) -> dict[str, Any]:
    """An answer of settle's, with one endpoint that differs from a good one in ``endpoint``."""
    good = {
        "problem": None,
        "headNumber": 1000,
        "headTimestamp": NOW,
        "baseFeeWei": "1000000",
        "domainMatches": True,
        "pending": True,
        "sendSync": True,
        "transferGas": 30_000,
        "logsBlocks": 9000,
        "balancesWei": [str(10**18)],
    }
    return {
        "now": float(NOW),
        "feeCapWei": str(10**9),
        "relayers": [{"address": str(RELAYER), "signs": True}],
        "networks": [{"network": "eip155:84532", "problem": None, "endpoints": [good | endpoint]}],
    }


def test_the_treasury_is_named_where_refunds_are_automatic() -> None:
    """Its address is where the token is sent; a key that cannot sign must be mended; manual needs none."""
    report = Report()
    for treasury in (None, {"address": "0x" + "7e" * 20, "signs": True}, {"problem": "KMS refuses it: AccessDenied"}):
        doctor_chains.check(STACK, inside() | {"treasury": treasury}, report)
    found = [(one.level, one.sentence) for one in report.findings if one.check == "refunds"]
    assert len(found) == 2
    assert "0x7e7e" in found[0][1]
    assert "cannot sign: KMS refuses it: AccessDenied" in found[1][1]


def test_a_good_answer_of_settles_is_all_well() -> None:
    """Nothing to mend and nothing to note."""
    report = Report()
    assert doctor_chains.check(STACK, inside(), report) == [str(RELAYER)]
    assert {finding.level for finding in report.findings} == {Level.OK}


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ({"problem": "the RPC endpoint cannot be reached"}, "rpc: base-sepolia, endpoint 1 of 1: the RPC endpoint"),
        ({"domainMatches": False}, "domain: base-sepolia: the token"),
        ({"logsBlocks": 500}, "rpc: base-sepolia, endpoint 1 of 1: eth_getLogs takes 500 blocks; finding"),
        ({"headTimestamp": NOW - 61}, "clock: base-sepolia, endpoint 1 of 1: its newest block is 61 s old"),
        ({"headTimestamp": NOW + 16}, "clock: base-sepolia, endpoint 1 of 1: its newest block is 16 s ahead"),
        ({"baseFeeWei": str(10**9 + 1)}, "fees: base-sepolia: gas costs 1.000000001 gwei now and MaxFeeGwei is 1"),
        ({"balancesWei": ["159999999999999"]}, f"gas: base-sepolia: {RELAYER} has 0.000159999999999999 ETH"),
    ],
)
def test_what_an_endpoint_lacks_is_named(endpoint: dict[str, Any], expected: str) -> None:
    """One wrong thing, one finding."""
    report = Report()
    doctor_chains.check(STACK, inside(**endpoint), report)
    assert only(report).startswith(expected)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ({"pending": False}, "no 'pending' block tag"),
        ({"sendSync": False}, "no eth_sendRawTransactionSync"),
        ({"logsBlocks": 5000}, "after a long outage 9000"),
        ({"baseFeeWei": str(6 * 10**8)}, "settlements wait as soon as it doubles"),
        ({"transferGas": 110_000}, "a settlement has 160000 and may run out"),
        ({"balancesWei": [str(199 * 160_000 * 10**9)]}, "which may last for 199 settlements only"),
    ],
)
def test_what_works_but_could_be_better_is_a_note(endpoint: dict[str, Any], expected: str) -> None:
    """No reason to fail."""
    report = Report()
    doctor_chains.check(STACK, inside(**endpoint), report)
    assert not report.to_mend
    assert expected in "".join(finding.sentence for finding in report.findings if finding.level is Level.NOTE)


def test_a58_a_main_network_with_one_endpoint_is_noted() -> None:
    """Nobody contradicts it; on a test network that is good enough."""
    answer = inside()
    answer["networks"][0]["network"] = "eip155:8453"
    for endpoints, noted in ((1, True), (2, False)):
        answer["networks"][0]["endpoints"] = answer["networks"][0]["endpoints"][:1] * endpoints
        report = Report()
        doctor_chains.check(STACK, answer, report)
        assert any("one RPC endpoint only" in finding.sentence for finding in report.findings) is noted


def test_a_secret_without_the_network_and_a_key_that_cannot_sign_are_named() -> None:
    """What settle says of them itself."""
    answer = inside()
    answer["networks"][0] = {"network": "eip155:84532", "problem": "the RPC secret must be", "endpoints": []}
    answer["relayers"] = [{"problem": "KMS refuses it: AccessDeniedException"}]
    report = Report()
    assert doctor_chains.check(STACK, answer, report) == []
    assert mends(report) == [
        "keys: relayer key 1 cannot sign: KMS refuses it: AccessDeniedException",
        "rpc: base-sepolia: the RPC secret must be",
    ]


def test_a_network_that_settle_does_not_speak_of_is_named() -> None:
    """What was not looked at is not healthy."""
    report = Report()
    doctor_chains.check(STACK, inside() | {"networks": []}, report)
    assert only(report) == "settle: the function that signs does not know base-sepolia"


def test_too_little_gas_is_a_note_where_another_facilitator_settles() -> None:
    """The proxy's payments do not need it."""
    report = Report()
    stack = replace(STACK, facilitator_url="https://facilitator.example.com")
    doctor_chains.check(stack, inside(balancesWei=["0"]), report)
    assert not report.to_mend


def test_an_answer_of_another_form_is_an_error_not_a_finding() -> None:
    """Half a check must not look like a whole one."""
    with pytest.raises(FunctionFailed, match="another form"):
        doctor_chains.check(STACK, {"now": 1, "relayers": [], "networks": [{}], "feeCapWei": "1"}, Report())


@pytest.mark.parametrize(
    ("facts", "stage", "expected"),
    [
        ({"networks": (network_info("base"),)}, "test", "main networks and stage prod go together"),
        ({"networks": (network_info("base"), SEPOLIA)}, "prod", "mixes test and main networks"),
        ({"networks": (network_info("ethereum"),)}, "prod", "over 6 s is too slow"),
        ({"networks": (network_info("local"),)}, "test", "needs stage local"),
        ({"asset": "USDT"}, "test", "asset USDT is not known on base-sepolia"),
    ],
)
def test_parameters_that_do_not_fit_are_named(facts: dict[str, Any], stage: str, expected: str) -> None:
    """As the functions themselves would refuse them."""
    report = Report()
    doctor_stack.check_parameters(replace(STACK, stage=stage, facts=replace(STACK.facts, **facts)), report)
    assert expected in only(report)


def test_the_relayers_own_address_is_nobody_to_pay_to() -> None:
    """Its key signs settlements only: what arrives there stays."""
    report = Report()
    doctor_stack.check_pay_to(STACK, [str(PAY_TO)], report)
    assert "PayTo is the relayer's own address" in only(report)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"accepts": (replace(TERMS, network=network_info("base").network),)}, "which is not a network of this stack"),
        ({"accepts": (replace(TERMS, asset=PAY_TO),)}, "but this stack collects USDC"),
        ({"accepts": (replace(TERMS, pay_to=RELAYER),)}, "pays to the relayer's own address"),
        ({"accepts": (replace(TERMS, max_timeout_seconds=24),)}, "maxTimeoutSeconds is 24; its upstream and settling"),
        ({"description": "\U0001f327" * 500}, "some clients refuse the header"),
        ({"upstream": UpstreamTarget("https://10.0.0.1/{city}", 10.0)}, "resolves to 10.0.0.1, which is not public"),
        ({"upstream": UpstreamTarget("https://localhost/{city}", 10.0)}, "the proxy refuses this name"),
        ({"upstream": UpstreamTarget("https://2130706433/{city}", 10.0)}, "the proxy refuses this name"),
    ],
)
def test_routes_that_cannot_work_are_named(change: dict[str, Any], expected: str) -> None:
    """Each was applied by an older version, or to another deployment of the stack."""
    report = Report()
    doctor_routes.check(STACK, Snapshot((replace(ROUTE, **change),)), [str(RELAYER)], report)
    assert expected in only(report)


def test_a_registered_route_that_cannot_work_is_its_owners_to_mend() -> None:
    """No file of the operator's has it."""
    report = Report()
    route = replace(ROUTE, owner=Address(b"\xaa" * 20), revision=3)
    doctor_routes.check(STACK, Snapshot((route,)), [str(terms.pay_to) for terms in route.terms], report)
    (finding,) = report.to_mend
    assert f"its owner {route.owner}" in finding.todo


def test_a87_names_are_resolved_and_every_address_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public name with one private address is refused by the proxy, at random times."""
    answers: dict[str, list[str]] = {"api.example.com": ["8.8.8.8", "10.0.0.1"], "gone.example.com": []}
    monkeypatch.setattr(doctor_routes, "system_resolver", lambda host, port: answers[host])
    for host, expected in (("api", "resolves to 10.0.0.1"), ("gone", "does not resolve")):
        report = Report()
        upstream = UpstreamTarget(f"https://{host}.example.com/", 10.0)
        doctor_routes.check(STACK, Snapshot((replace(ROUTE, upstream=upstream),)), [], report)
        assert expected in only(report)


def test_good_routes_are_well_and_none_is_a_note() -> None:
    """An address needs no resolver."""
    for snapshot, level in ((SNAPSHOT, Level.OK), (Snapshot(()), Level.NOTE)):
        report = Report()
        doctor_routes.check(STACK, snapshot, [str(RELAYER)], report)
        assert [finding.level for finding in report.findings] == [level]


Reply = tuple[int, list[tuple[str, str]], bytes]


class _Says(Handler):
    def handle_request(self) -> None:
        status, headers, body = self.server.reply  # type: ignore[attr-defined]
        self.answer(status, body, headers)

    do_GET = handle_request


@pytest.fixture
def says() -> Iterator[Callable[[Reply], str]]:
    """A server that answers the same to everything; returns its URL."""
    server = Server(_Says)
    server.start()

    def set_reply(reply: Reply) -> str:
        server.reply = reply  # type: ignore[attr-defined]
        return server.url

    yield set_reply
    server.stop()


def at(url: str) -> Stack:
    """The stack with this public URL."""
    return replace(STACK, facts=replace(STACK.facts, base_url=url), facilitator_url=url)


def offered(url: str, terms: Requirements = TERMS) -> Reply:
    """A 402 for what is sold at ``url``."""
    message = PaymentRequired(Resource(f"{url}/weather/doctor"), (terms,))
    return 402, [(PAYMENT_REQUIRED, encode(message.to_json()))], b"{}"


def test_the_public_url_must_make_this_stacks_own_offer(says: Callable[[Reply], str]) -> None:
    """Another stack, another answer, or a header that was lost on the way."""
    url = says((200, [], b"hello"))
    cases: list[tuple[Reply, str]] = [
        (offered(url), ""),
        ((200, [], b"hello"), "without payment answers 200, not 402"),
        ((402, [], b"{}"), "answers 402 without a readable offer"),
        (offered("https://other.example.com"), "makes another offer than this stack"),
        (offered(url, replace(TERMS, pay_to=RELAYER)), "makes another offer than this stack"),
        (offered(url, replace(TERMS, amount=1)), "makes another offer than this stack"),
    ]
    for reply, expected in cases:
        says(reply)
        report = Report()
        doctor_offer.check_offer(at(url), SNAPSHOT, report)
        assert expected in only(report) if expected else not report.to_mend
    report = Report()
    doctor_offer.check_offer(at("http://127.0.0.1:1"), SNAPSHOT, report)
    assert "cannot be reached" in only(report)


def test_receipts_need_a_did_document_of_this_url_and_one_key(says: Callable[[Reply], str]) -> None:
    """Another stack's, two keys, or none: nobody could verify a receipt."""
    url = says((404, [], b"{}"))
    ours, theirs = ReceiptIssuer(LocalSigner(b"\x11" * 32), url), ReceiptIssuer(LocalSigner(b"\x22" * 32), url)
    mixed = ours.document()
    mixed["verificationMethod"][1] = theirs.document()["verificationMethod"][1]
    elsewhere = ReceiptIssuer(LocalSigner(b"\x11" * 32), "https://other.example.com").document()
    cases: list[tuple[int, Any, str]] = [
        (200, ours.document(), ""),
        (404, {}, "does not say whose key"),
        (200, [], "does not say whose key"),
        (200, elsewhere, "is not the document of this URL's key"),
        (200, mixed, "is not the document of this URL's key"),
    ]
    for status, document, expected in cases:
        says((status, [], json.dumps(document).encode()))
        report = Report()
        doctor_receipts.check_receipts(at(url), report)
        assert expected in only(report) if expected else not report.to_mend
    report = Report()
    doctor_receipts.check_receipts(at("http://127.0.0.1:1"), report)
    assert "cannot be reached" in only(report)


def test_no_offer_is_expected_where_no_relayer_has_gas() -> None:
    """The gas is a finding of its own."""
    report = Report()
    status = replace(SNAPSHOT.networks[0], has_gas=False)
    doctor_offer.check_offer(at("http://127.0.0.1:1"), replace(SNAPSHOT, networks=(status,)), report)
    assert not report.findings


def test_another_facilitator_must_list_every_network(says: Callable[[Reply], str]) -> None:
    """Exact payments, version 2; one that wants its headers cannot be judged from here."""

    def kinds(*networks: str) -> Reply:
        listed = [{"x402Version": 2, "scheme": "exact", "network": network} for network in networks]
        return 200, [], json.dumps({"kinds": listed, "extensions": [], "signers": {}}).encode()

    cases: list[tuple[Reply, str]] = [
        (kinds("eip155:8453", "eip155:84532"), ""),
        ((401, [], b""), ""),
        (kinds("eip155:8453"), "does not list exact payments on base-sepolia"),
        ((500, [], b""), "answers 500"),
        ((200, [], b"<html>"), "answers something else than its kinds"),
        ((200, [], b'{"kinds": [1]}'), "answers something else than its kinds"),
    ]
    for reply, expected in cases:
        url = says(reply)
        report = Report()
        doctor_offer.check_facilitator(at(url), report)
        assert expected in only(report) if expected else not report.to_mend
    report = Report()
    doctor_offer.check_facilitator(at("http://127.0.0.1:1"), report)
    assert "cannot be reached" in only(report)


def test_a_reconcile_that_stopped_or_never_ran_is_named() -> None:
    """Three minutes: it runs every one."""
    for networks, now, expected in (
        (SNAPSHOT.networks, NOW + 180, ""),
        (SNAPSHOT.networks, NOW + 181, "last got through 181 s ago"),
        ((), NOW, "has never seen"),
    ):
        report = Report()
        doctor_stack.check_reconcile(STACK, replace(SNAPSHOT, networks=networks), now, report)
        assert expected in only(report) if expected else not report.to_mend
