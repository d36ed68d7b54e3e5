"""What settle refuses before it asks anybody anything."""

import secrets
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from tollgate.chain.signer import LocalSigner
from tollgate.errors import Refusal
from tollgate.facilitator.ports import Lane
from tollgate.facilitator.relayers import Relayers
from tollgate.facilitator.settle import SettleService
from tollgate.payment.events import NullJournal
from tollgate.payment.networks import network_info
from tollgate.payment.settlement import SettleRequest
from tollgate.schemes.exact import eip3009
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32, Network
from tollgate.wire.reasons import Reason

INFO = network_info("base-sepolia")
ASSET = INFO.asset("USDC")


class Untouchable:
    """A port that must not be used."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"{name} was used")


@pytest.fixture
def service() -> SettleService:
    """A service whose every port is out of bounds."""
    nobody: Any = Untouchable()
    return SettleService(
        {INFO.network: Lane(INFO, ASSET, nobody)},
        Relayers([nobody]),
        nobody,
        NullJournal(),
        fee_cap=1,
        most_open=1,
        clock=lambda: 1_800_000_000.0,
        sleep=nobody,
        jitter=nobody,
        new_owner=nobody,
    )


@pytest.fixture
def request_() -> SettleRequest:
    """A well-signed payment."""
    payer = LocalSigner(secrets.token_bytes(32))
    a = Authorization(payer.address(), Address(b"\x01" * 20), 10_000, 0, 1_800_000_060, Bytes32(b"\x02" * 32))
    signature = payer.sign(eip3009.digest(ASSET, INFO.network, a))
    return SettleRequest(INFO.network, ASSET.address, a, signature, 7, "self", 60, "https://api.example/x")


def test_a_forged_signature_is_refused_before_any_port_is_used(service: SettleService, request_: SettleRequest) -> None:
    """Rule 1: the signature comes first and is pure."""
    forged = replace(request_, authorization=replace(request_.authorization, value=20_000))
    with pytest.raises(Refusal) as refused:
        service.settle(forged, 1_800_000_020)
    assert refused.value.reason is Reason.SIGNATURE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"network": Network(8453)}, Reason.INVALID_NETWORK),
        ({"asset": Address(b"\x09" * 20)}, Reason.INVALID_REQUIREMENTS),
    ],
)
def test_a61_only_the_configured_networks_and_assets_are_settled(
    service: SettleService, request_: SettleRequest, change: dict[str, Any], reason: Reason
) -> None:
    """Default deny: gas is not spent on somebody's own token or chain."""
    with pytest.raises(Refusal) as refused:
        service.settle(replace(request_, **change), 1_800_000_020)
    assert refused.value.reason is reason


def test_a_valid_payment_gets_past_the_refusals(service: SettleService, request_: SettleRequest) -> None:
    """The control: the same service does reach for its ports when nothing is wrong."""
    with pytest.raises(AssertionError, match="was used"):
        service.settle(request_, 1_800_000_020)
