"""The composition roots on the local AWS: secrets that change, break and come back."""

import json
import secrets
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger, Metrics

from local.chain import Chain
from tests.support.aws import client
from tests.support.facilitator import Facilitator
from tollgate.errors import ChainUnavailable, ConfigurationError
from tollgate.facilitator.invoke import FunctionSettler
from tollgate.facilitator.remote import RemoteSettler
from tollgate.payment.events import NullJournal
from tollgate.payment.networks import network_info
from tollgate.settings import LedgerSettings, Settings
from tollgate.wire.primitives import Network
from tollgate.wiring.proxy import make_gateway
from tollgate.wiring.settler import make_settler
from tollgate.wiring.shared import ConfiguredChains, SecretReader
from tollgate.wiring.supported import make_supported

BASE_SEPOLIA = Network(84532)


@pytest.fixture
def name(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a fresh RPC secret; boto3 is pointed at the local AWS."""
    for variable, value in {
        "AWS_ENDPOINT_URL": aws_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(variable, value)
    name = f"rpc-{secrets.token_hex(6)}"
    client("secretsmanager", aws_endpoint).create_secret(
        Name=name, SecretString=json.dumps({"eip155:84532": "http://127.0.0.1:9"})
    )
    return name


def chains_of(name: str, reader: SecretReader) -> ConfiguredChains:
    """The chains of a stack on Base Sepolia."""
    return ConfiguredChains(Settings("local", (network_info(BASE_SEPOLIA),), name), reader)


def test_new_rpc_urls_are_seen_without_a_new_process(name: str, aws_endpoint: str) -> None:
    """A rotated secret makes a new client; the same one keeps it."""
    reader = SecretReader()
    reader.KEEP_SECONDS = 0
    chains = chains_of(name, reader)
    first = chains.get(BASE_SEPOLIA)
    assert chains.get(BASE_SEPOLIA) is first
    client("secretsmanager", aws_endpoint).put_secret_value(
        SecretId=name, SecretString=json.dumps({"eip155:84532": ["http://127.0.0.1:7", "http://127.0.0.1:9"]})
    )
    assert chains.get(BASE_SEPOLIA) is not first
    assert chains.get(Network(8453)) is None


def test_a_secret_that_cannot_be_read_any_more_keeps_its_last_value(name: str, aws_endpoint: str) -> None:
    """What worked a moment ago goes on working; what never worked is an outage of the chain, not a bug."""
    reader = SecretReader()
    reader.KEEP_SECONDS = 0
    held = reader.get(name)
    client("secretsmanager", aws_endpoint).delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert reader.get(name) == held
    with pytest.raises(ConfigurationError):
        SecretReader().get(name)
    with pytest.raises(ChainUnavailable):
        chains_of(name, SecretReader()).get(BASE_SEPOLIA)


def settler_of(name: str) -> FunctionSettler | RemoteSettler:
    """Who settles for a stack in this environment."""
    settings = Settings("local", (network_info(BASE_SEPOLIA),), name)
    ledger = LedgerSettings("payments", "routes", "settle", 20)
    reader = SecretReader()
    return make_settler(settings, ledger, ConfiguredChains(settings, reader), reader, NullJournal())


def test_without_a_facilitators_url_our_own_settle_function_settles(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The template sets the variable to nothing."""
    monkeypatch.setenv("TOLLGATE_FACILITATOR_URL", "")
    monkeypatch.setenv("TOLLGATE_FACILITATOR_SECRET", "")
    assert isinstance(settler_of(name), FunctionSettler)


def test_a_facilitators_url_and_secret_are_what_is_settled_through(
    name: str, aws_endpoint: str, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked under its URL, with the headers that the secret holds."""
    facilitator = Facilitator(chain)
    client("secretsmanager", aws_endpoint).create_secret(
        Name=f"{name}-headers", SecretString='{"authorization": "Bearer k"}'
    )
    monkeypatch.setenv("TOLLGATE_FACILITATOR_URL", facilitator.url)
    monkeypatch.setenv("TOLLGATE_FACILITATOR_SECRET", f"{name}-headers")
    try:
        answer = settler_of(name).relayers(5)
    finally:
        facilitator.stop()
    assert answer is not None
    (status,) = answer["networks"]
    assert (status["network"], status["hasGas"]) == (str(BASE_SEPOLIA), True)
    assert status["relayers"] == [{"address": str(facilitator.address), "balanceWei": None}]
    assert [sent["authorization"] for sent in facilitator.headers] == ["Bearer k"]


def test_a_stack_that_settles_elsewhere_is_no_facilitator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signers that reconcile writes down are then another's: they are not offered as ours."""
    for variable, value in {
        "TOLLGATE_STAGE": "local",
        "TOLLGATE_NETWORKS": "eip155:84532",
        "TOLLGATE_ASSET": "USDC",
        "TOLLGATE_RPC_SECRET": "rpc",
        "TOLLGATE_FACILITATOR_URL": "https://facilitator.example",
    }.items():
        monkeypatch.setenv(variable, value)
    assert make_supported().get() == {"kinds": [], "extensions": [], "signers": {"eip155:*": []}}


def test_a_secret_of_another_shape_says_what_it_must_be(name: str, aws_endpoint: str) -> None:
    """And does not repeat what it is."""
    client("secretsmanager", aws_endpoint).put_secret_value(SecretId=name, SecretString='{"base": "https://key"}')
    with pytest.raises(ChainUnavailable, match="must be a JSON object") as caught:
        chains_of(name, SecretReader()).get(BASE_SEPOLIA)
    assert "https://key" not in str(caught.value)


def test_a_cold_start_makes_no_s3_client(name: str, monkeypatch: pytest.MonkeyPatch, aws_endpoint: str) -> None:
    """It costs more than an offer, and most calls never need one."""
    environment = {
        "TOLLGATE_STAGE": "local",
        "TOLLGATE_NETWORKS": "eip155:84532",
        "TOLLGATE_RPC_SECRET": name,
        "TOLLGATE_PAYMENTS_TABLE": "payments",
        "TOLLGATE_ROUTES_TABLE": "routes",
        "TOLLGATE_SETTLE_FUNCTION": "settle",
        "TOLLGATE_SETTLE_TIMEOUT": "20",
        "TOLLGATE_PUBLIC_BASE_URL": aws_endpoint,
        "TOLLGATE_ALLOW_PRIVATE_UPSTREAMS": "true",
        "TOLLGATE_SOURCE_ADDRESS_RESENDS": "true",
        "TOLLGATE_MAX_OPEN_PER_PAYER": "50",
        "TOLLGATE_ANSWERS_BUCKET": "answers",
        "POWERTOOLS_METRICS_NAMESPACE": "Tollgate",
        "POWERTOOLS_SERVICE_NAME": "proxy",
    }
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    made: list[str] = []
    real = boto3.client

    def spy(service: str, **options: Any) -> Any:
        made.append(service)
        return real(service, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(boto3, "client", spy)
    gateway = make_gateway(Logger(), Metrics())
    assert "dynamodb" in made
    assert "s3" not in made
    monkeypatch.delenv("TOLLGATE_ANSWERS_BUCKET")
    with pytest.raises(ConfigurationError, match="TOLLGATE_ANSWERS_BUCKET"):
        make_gateway(Logger(), Metrics())
    assert gateway.parts.base_url == aws_endpoint
