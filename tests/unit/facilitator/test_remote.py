"""What is said to a remote facilitator, how its answers are read, and what is published of it."""

import json
from typing import Any

import pytest

from tests.support.payments import some_claim
from tests.support.world import Diary
from tollgate.errors import ConfigurationError
from tollgate.facilitator.remote import RemoteSettler
from tollgate.facilitator.remote_http import HeadersMissing, NoAnswer, Reach, RemoteHttp, parse_headers
from tollgate.facilitator.remote_messages import Said, read_settled, read_supported, settle_message
from tollgate.facilitator.remote_one import RemoteFacilitator
from tollgate.payment.events import Event
from tollgate.payment.networks import network_info
from tollgate.payment.routes import NetworkStatus
from tollgate.payment.settlement import SettleRequest
from tollgate.reconcile.relayers import publish_relayers
from tollgate.settings import FacilitatorSettings, read_facilitator_settings
from tollgate.wire.primitives import Address, Bytes32, Network

CLAIM = some_claim()
REQUEST = SettleRequest(
    CLAIM.id.network, CLAIM.id.asset, CLAIM.authorization, CLAIM.signature, 7, "self", 60, CLAIM.resource_url
)
SEPOLIA, BASE = Network(84532), Network(8453)
HASH = "0x" + "ab" * 32
SIGNER, OTHER = "0x" + "0a" * 20, "0x" + "0b" * 20
SUCCESS = {"success": True, "transaction": HASH, "network": "eip155:84532", "payer": str(CLAIM.id.payer)}
KIND = {"x402Version": 2, "scheme": "exact", "network": "eip155:84532"}


class Line:
    """A facilitator that answers every GET with one thing."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get(self, path: str, timeout: float) -> bytes:
        """Raise or answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return json.dumps(self.answer).encode()

    def post(self, path: str, message: bytes, timeout: float) -> bytes:
        """Nobody settles here."""
        raise AssertionError(path)


class NoChains:
    """A stack without endpoints."""

    def get(self, network: Network) -> None:
        """None."""


def settler(answer: Any, diary: Diary) -> RemoteSettler:
    """A settler for Base Sepolia and Base, through one facilitator."""
    return settler_of([answer], diary)


def settler_of(answers: list[Any], diary: Diary) -> RemoteSettler:
    """A settler through as many facilitators as there are answers."""
    seen = [RemoteFacilitator(f"f{n}", Line(answer), diary, lambda: 0.0) for n, answer in enumerate(answers)]
    return RemoteSettler(seen, NoChains(), [SEPOLIA, BASE], diary, clock=lambda: 0.0, sleep=lambda _: None)


def said(**changes: Any) -> Said:
    """How an answer of success with these changes is read."""
    return read_settled(json.dumps({**SUCCESS, **changes}).encode(), REQUEST)


def test_the_message_is_what_a_v2_client_would_have_sent() -> None:
    """Amounts and times as text, the asset's domain as its network pins it, the offer's timeout and resource."""
    message = json.loads(settle_message(REQUEST, network_info(SEPOLIA).assets[0]))
    accepted = message["paymentRequirements"]
    assert accepted == message["paymentPayload"]["accepted"]
    assert accepted == {
        "scheme": "exact",
        "network": "eip155:84532",
        "amount": "10000",
        "asset": str(CLAIM.id.asset),
        "payTo": str(CLAIM.authorization.to),
        "maxTimeoutSeconds": 60,
        "extra": {"name": "USDC", "version": "2"},
    }
    payload = message["paymentPayload"]["payload"]
    assert payload["signature"] == "0x" + "01" * 65
    assert payload["authorization"]["value"] == "10000"
    assert payload["authorization"]["nonce"] == str(CLAIM.id.nonce)
    assert message["paymentPayload"]["resource"] == {"url": CLAIM.resource_url}


def test_success_is_read_with_and_without_a_payer() -> None:
    """The payer is optional; an address has no case."""
    expected = Said(True, Bytes32.parse(HASH), "")
    assert said() == said(payer=None) == said(payer=CLAIM.id.payer.lower) == expected


def test_numbers_of_the_facilitators_own_do_not_make_its_answer_unreadable() -> None:
    """It worked once: a fee with a decimal point, and whose transaction it was could not be known."""
    assert said(fee=0.001, settledAtNanoseconds=1_800_000_000_000_000_000) == said()
    kind = {**KIND, "extra": {"fee": 0.001}}
    assert read_supported(json.dumps({"kinds": [kind], "signers": {}}).encode()).networks == {SEPOLIA}


def test_a_pending_settlement_names_its_transaction_and_other_refusals_do_not() -> None:
    """A refusal's transaction is one that failed: it is not what is being waited for."""
    pending = said(success=False, errorReason="settlement_pending")
    assert pending == Said(False, Bytes32.parse(HASH), "settlement_pending")
    assert said(success=False, errorReason="invalid_transaction_state") == Said(
        False, None, "invalid_transaction_state"
    )


@pytest.mark.parametrize("reason", [None, 5, "", "Bearer tg_secret", "x" * 65, "a\nb"])
def test_a86_a_reason_that_is_no_code_is_not_repeated(reason: Any) -> None:
    """It goes into the log, and who knows what a facilitator puts there."""
    assert said(success=False, errorReason=reason, transaction="").why == "no_reason"


def test_supported_is_read_past_what_does_not_concern_this_stack() -> None:
    """Other versions, schemes, chains and odd entries are no reason not to see our own."""
    supported = read_supported(
        json.dumps(
            {
                "kinds": [
                    KIND,
                    {**KIND, "network": "eip155:8453", "x402Version": 1},
                    {**KIND, "network": "eip155:1", "scheme": "upto"},
                    {**KIND, "network": "solana:mainnet"},
                    {**KIND, "network": "eip155:*"},
                    "kind",
                ],
                "signers": {"eip155:*": [SIGNER, "So1", 5], "eip155:84532": [OTHER], "solana:*": "So1"},
                "extensions": ["bazaar"],
            }
        ).encode()
    )
    assert supported.networks == {SEPOLIA}
    assert supported.signers_of(SEPOLIA) == (Address.parse(OTHER), Address.parse(SIGNER))
    assert supported.signers_of(BASE) == (Address.parse(SIGNER),)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"kinds":{}}', b'{"kinds":[],"signers":[]}', b"<html>"])
def test_supported_of_another_shape_is_no_answer(body: bytes) -> None:
    """A front door's page says nothing about the facilitator."""
    with pytest.raises(ValueError, match=r"^[a-z_]+$"):
        read_supported(body)


def test_a69_reconcile_publishes_what_the_facilitator_settles() -> None:
    """Listed: payable, with its signers. Not listed: out of the offers."""
    found: list[NetworkStatus] = []

    class Sink:
        def put_network_status(self, status: NetworkStatus) -> None:
            found.append(status)

    source = settler({"kinds": [KIND], "signers": {"eip155:*": [SIGNER]}}, Diary())
    publish_relayers(source, Sink(), Diary(), 100, 5)
    signers = (Address.parse(SIGNER),)
    assert found == [NetworkStatus(SEPOLIA, signers, True, 100), NetworkStatus(BASE, signers, False, 100)]


@pytest.mark.parametrize("answer", [NoAnswer("timeout"), NoAnswer("status_502"), [], {"kinds": 1}])
def test_a_facilitator_that_does_not_answer_leaves_the_last_status(answer: Any) -> None:
    """Silence is no news, and is logged."""
    diary = Diary()
    answered = settler(answer, diary).relayers(5)
    assert answered is not None
    assert [network["hasGas"] for network in answered["networks"]] == [None, None]
    assert diary.count(Event.RELAYER_STATUS) == 1


def test_a_facilitator_without_usable_headers_is_out_of_the_offers() -> None:
    """Nothing could be settled: buyers are told so before they pay."""
    answered = settler(HeadersMissing("headers_secret_unusable"), Diary()).relayers(5)
    assert answered is not None
    assert [network["hasGas"] for network in answered["networks"]] == [False, False]


LISTS = {"kinds": [KIND], "signers": {"eip155:*": [SIGNER]}}
LISTS_BASE = {"kinds": [{**KIND, "network": "eip155:8453"}], "signers": {"eip155:*": [OTHER]}}


@pytest.mark.parametrize(
    ("answers", "payable"),
    [
        ([LISTS, LISTS_BASE], [True, True]),
        ([LISTS, NoAnswer("timeout")], [True, None]),
        ([NoAnswer("timeout"), LISTS], [True, None]),
        ([HeadersMissing("headers_secret_unusable"), LISTS], [True, False]),
        ([HeadersMissing("headers_secret_unusable"), NoAnswer("timeout")], [None, None]),
    ],
)
def test_a_network_is_offered_when_one_of_several_settles_it(answers: list[Any], payable: list[bool | None]) -> None:
    """And when none says so but one is silent, what was known last stays."""
    answered = settler_of(answers, Diary()).relayers(5)
    assert answered is not None
    assert [network["hasGas"] for network in answered["networks"]] == payable


def test_the_signers_of_all_are_published() -> None:
    """Whichever of them pays, it is one of ours."""
    answered = settler_of([LISTS, LISTS_BASE], Diary()).relayers(5)
    assert answered is not None
    assert [r["address"].lower() for r in answered["networks"][0]["relayers"]] == [SIGNER, OTHER]


HERE = "https://x402.example"


def test_headers_are_taken_by_lower_case_name() -> None:
    """As they are given otherwise."""
    assert parse_headers('{"Authorization": "Bearer k", "X-Api-Key": "1"}', HERE, alone=True) == {
        "authorization": "Bearer k",
        "x-api-key": "1",
    }
    assert parse_headers("{}", HERE, alone=True) == {}


def test_a_key_of_one_facilitator_is_never_sent_to_another() -> None:
    """Several have their headers by URL; one that is not named has none; a bare object could be anybody's."""
    secret = json.dumps({HERE: {"Authorization": "Bearer k"}, "https://other.example": {"X-Api-Key": "1"}})
    assert parse_headers(secret, HERE, alone=False) == {"authorization": "Bearer k"}
    assert parse_headers(secret, HERE, alone=True) == {"authorization": "Bearer k"}
    assert parse_headers(secret, "https://third.example", alone=False) == {}
    assert parse_headers("{}", HERE, alone=False) == {}
    with pytest.raises(ConfigurationError, match="several") as refused:
        parse_headers('{"Authorization": "Bearer TOPSECRET"}', HERE, alone=False)
    assert "TOPSECRET" not in str(refused.value)


@pytest.mark.parametrize(
    "secret",
    [
        "Bearer TOPSECRET",
        "[]",
        '"TOPSECRET"',
        '{"authorization": 5}',
        '{"authorization": ""}',
        '{"authorization": null}',
        '{"authorization": "TOPSECRET\\r\\nx: y"}',
        '{"a b": "TOPSECRET"}',
        '{"": "TOPSECRET"}',
        '{"Host": "TOPSECRET"}',
        '{"Content-Length": "7"}',
        '{"transfer-encoding": "chunked"}',
        '{"Connection": "TOPSECRET"}',
        '{"content-type": "text/plain"}',
        '{"Payment-Signature": "TOPSECRET"}',
        '{"X-Key": "TOPSECRET", "x-key": "TOPSECRET"}',
    ],
)
def test_a89_headers_that_could_change_the_message_are_refused(secret: str) -> None:
    """And the sentence repeats nothing of them."""
    with pytest.raises(ConfigurationError) as refused:
        parse_headers(secret, HERE, alone=True)
    with pytest.raises(ConfigurationError):
        parse_headers(json.dumps({HERE: secret}), HERE, alone=False)
    assert "TOPSECRET" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://10.0.0.7", "https://169.254.169.254"])
def test_a87_a_facilitator_on_a_private_address_is_not_spoken_to(url: str) -> None:
    """The rules of upstreams hold for it too; only a local stack may."""
    line = RemoteHttp(url, "", secrets=lambda _: "", allow_private=False, clock=lambda: 0.0)
    with pytest.raises(NoAnswer, match="address_refused"):
        line.post("/settle", b"{}", 5)


def test_an_unreadable_secret_sends_nothing() -> None:
    """Without its key the facilitator would only learn the payment."""

    def unreadable(name: str) -> str:
        raise ConfigurationError(f"the secret {name} cannot be read")

    line = RemoteHttp("http://127.0.0.1:9", "headers", secrets=unreadable, allow_private=True, clock=lambda: 0.0)
    with pytest.raises(HeadersMissing) as missing:
        line.post("/settle", b"{}", 5)
    assert missing.value.reach is Reach.NOWHERE


def settings(url: str, secret: str = "", stage: str = "prod") -> FacilitatorSettings | None:
    """What an environment with these values means."""
    return read_facilitator_settings({"TOLLGATE_FACILITATOR_URL": url, "TOLLGATE_FACILITATOR_SECRET": secret}, stage)


def test_no_url_means_our_own_settle_function() -> None:
    """Set to nothing, or not set."""
    assert settings("") is None
    assert read_facilitator_settings({}, "prod") is None


def test_a_url_is_https_or_on_this_machine_for_a_local_stack() -> None:
    """The secret is only a name."""
    assert settings("https://x402.example/v2", "keys") == FacilitatorSettings(("https://x402.example/v2",), "keys")
    assert settings("http://127.0.0.1:8402", stage="local") == FacilitatorSettings(("http://127.0.0.1:8402",), "")
    several = settings("https://x402.example/v2, https://other.example", "keys")
    assert several == FacilitatorSettings(("https://x402.example/v2", "https://other.example"), "keys")


@pytest.mark.parametrize(
    ("url", "secret", "stage"),
    [
        ("http://x402.example", "", "prod"),
        ("http://127.0.0.1:8402", "", "test"),
        ("http://10.0.0.1", "", "local"),
        ("http://localhost.evil.example", "", "local"),
        ("https://x402.example/", "", "prod"),
        ("https://x402.example?key=1", "", "prod"),
        ("https://user@x402.example", "", "prod"),
        ("https://x402.example#a", "", "prod"),
        ("ftp://x402.example", "", "prod"),
        ("https://x402.example,http://other.example", "", "prod"),
        ("https://x402.example,https://x402.example", "", "prod"),
        ("", "keys", "prod"),
    ],
)
def test_a110_any_other_url_is_refused_at_start(url: str, secret: str, stage: str) -> None:
    """A payment is never sent in the clear, and a key in an URL would end up in logs."""
    with pytest.raises(ConfigurationError, match="TOLLGATE_FACILITATOR"):
        settings(url, secret, stage)
