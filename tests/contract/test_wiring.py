"""The composition roots on the local AWS: secrets that change, break and come back."""

import json
import secrets

import pytest

from tests.support.aws import client
from tollgate.errors import ChainUnavailable, ConfigurationError
from tollgate.payment.networks import network_info
from tollgate.settings import Settings
from tollgate.wire.primitives import Network
from tollgate.wiring.shared import ConfiguredChains, SecretReader

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


def test_a_secret_of_another_shape_says_what_it_must_be(name: str, aws_endpoint: str) -> None:
    """And does not repeat what it is."""
    client("secretsmanager", aws_endpoint).put_secret_value(SecretId=name, SecretString='{"base": "https://key"}')
    with pytest.raises(ChainUnavailable, match="must be a JSON object") as caught:
        chains_of(name, SecretReader()).get(BASE_SEPOLIA)
    assert "https://key" not in str(caught.value)
