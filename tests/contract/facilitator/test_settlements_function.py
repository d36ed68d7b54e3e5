"""The settle function's handler, in this process, over its real wiring: secret, KMS, table, chain."""

import json
import secrets
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from functions.settle import app
from local.chain import Chain
from local.ministack import aws_environment
from tests.support.aws import client, create_table
from tests.support.settling import PRICE, NewWorld, SettleWorld
from tollgate.payment.settlement import Confirmed, outcome_from_json
from tollgate.schemes.exact.eip3009 import TRANSFER_GAS
from tollgate.wire.primitives import Address

CONTEXT = SimpleNamespace(
    function_name="settle",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:settle",
    aws_request_id="request",
    get_remaining_time_in_millis=lambda: 10_000,
)
FEE_GWEI = "2.5"


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch, aws_endpoint: str, chain: Chain) -> Any:
    """The handler at a cold start, its relayer funded."""
    kms = client("kms", aws_endpoint)
    key = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    secret = f"rpc-{secrets.token_hex(4)}"
    network = str(chain.info.network)
    client("secretsmanager", aws_endpoint).create_secret(Name=secret, SecretString=json.dumps({network: [chain.url]}))
    settings = aws_environment(aws_endpoint) | {
        "TOLLGATE_STAGE": "local",
        "TOLLGATE_NETWORKS": network,
        "TOLLGATE_ASSET": "USDC",
        "TOLLGATE_RPC_SECRET": secret,
        "TOLLGATE_SETTLEMENTS_TABLE": create_table(client("dynamodb", aws_endpoint)),
        "TOLLGATE_RELAYER_KEYS": key,
        "TOLLGATE_MAX_FEE_GWEI": FEE_GWEI,
        "TOLLGATE_REFUNDS": "manual",
        "TOLLGATE_REFUND_PAY_TO": "0x" + "5e" * 20,
        "TOLLGATE_TREASURY_KEY": key,
        "TOLLGATE_MAX_OPEN_PER_PAYER": "50",
        "TOLLGATE_SELLERS_TABLE": "asked by sellers elsewhere only",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "POWERTOOLS_METRICS_NAMESPACE": "Tollgate",
        "POWERTOOLS_SERVICE_NAME": "settle",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(app.metrics, "namespace", "Tollgate", raising=False)
    monkeypatch.setattr(app, "_facilitator", None)
    return lambda event: app.handler(event, CONTEXT)


@pytest.fixture
def world(new_world: NewWorld) -> SettleWorld:
    """For its payers and their payments."""
    return new_world()


def fund(handler: Any, chain: Chain) -> Address:
    """Give the relayer gas; its address."""
    (network,) = handler({"op": "relayers"})["networks"]
    (relayer,) = network["relayers"]
    chain.give_gas(relayer["address"])
    return Address.parse(relayer["address"])


def test_the_function_settles_and_answers_json(handler: Any, chain: Chain, world: SettleWorld) -> None:
    """What goes in and comes out is what the proxy's settler speaks."""
    relayer = fund(handler, chain)
    request = world.request(world.payer())
    answer = json.loads(json.dumps(handler({"op": "settle", "request": request.to_json()})))
    outcome = outcome_from_json(answer)
    assert isinstance(outcome, Confirmed)
    assert outcome.proof.sender == relayer
    assert world.earned() == PRICE


def test_a39_the_function_says_refused_not_failed(handler: Any, chain: Chain, world: SettleWorld) -> None:
    """A refusal is no proof that the payment failed, so it must not read as one."""
    fund(handler, chain)
    request = world.request(world.payer())
    handler({"op": "settle", "request": request.to_json()})
    answer = handler({"op": "settle", "request": replace(request, seller="other").to_json()})
    assert answer == {"outcome": "refused", "reason": "duplicate_settlement"}
    with pytest.raises(ValueError, match="unknown outcome"):
        outcome_from_json(answer)


def test_a69_the_function_reports_gas_by_network(handler: Any, chain: Chain) -> None:
    """A relayer that cannot pay one transfer at the fee cap has no gas."""
    (before,) = handler({"op": "relayers"})["networks"]
    assert before["hasGas"] is False
    enough = int(TRANSFER_GAS * float(FEE_GWEI) * 10**9)
    chain.give_gas(before["relayers"][0]["address"], enough)
    (after,) = handler({"op": "relayers"})["networks"]
    assert after["hasGas"] is True
    assert after["relayers"][0]["balanceWei"] == str(enough)


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_an_event_that_is_not_understood_fails_the_invocation(handler: Any) -> None:
    """Loud, and nothing is answered that could be taken for an outcome."""
    for event in ({}, {"op": "transfer"}):
        with pytest.raises(ValueError, match="op must be"):
            handler(event)
    with pytest.raises(KeyError):
        handler({"op": "settle"})
