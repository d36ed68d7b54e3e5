"""Made-up payments for ledger tests: valid values, random identities, no chain behind them."""

import secrets

from tollgate.payment.identity import PaymentId
from tollgate.payment.record import Claim, StoredAnswer
from tollgate.payment.settlement import TransferProof
from tollgate.payment.states import Flow
from tollgate.wire.models import Authorization
from tollgate.wire.primitives import Address, Bytes32, Network

NETWORK = Network(84532)
ASSET = Address.parse("0x036CbD53842c5426634e7929541eC2318f3dCF7e")
PAY_TO = Address.parse("0x" + "ab" * 20)
NOW = 1_800_000_000


def some_address() -> Address:
    """A random address."""
    return Address(secrets.token_bytes(20))


def some_word() -> Bytes32:
    """A random 32-byte word."""
    return Bytes32(secrets.token_bytes(32))


def some_claim(
    *,
    payer: Address | None = None,
    nonce: Bytes32 | None = None,
    identifier: str | None = None,
    owner: str = "me",
    fingerprint: str = "f" * 64,
    lease_until: int = NOW + 30,
    value: int = 10_000,
    flow: Flow = Flow.AUTHORIZATION,
    claimed_at: int = NOW,
    network: Network = NETWORK,
    route: str = "weather",
    route_owner: Address | None = None,
    fee_bps: int = 0,
    grants: bool = False,
) -> Claim:
    """A claim of a fresh payment."""
    id = PaymentId(network, ASSET, payer or some_address(), nonce or some_word())
    return Claim(
        id=id,
        authorization=Authorization(id.payer, PAY_TO, value, 0, NOW + 60, id.nonce),
        signature=b"\x01" * 65,
        seller="self",
        route=route,
        fingerprint=fingerprint,
        resource_url="https://api.example/weather",
        max_timeout_seconds=60,
        owner=owner,
        source="192.0.2.1",
        identifier=identifier,
        identifier_secret=identifier is not None,
        seen_block=7,
        claimed_at=claimed_at,
        lease_until=lease_until,
        flow=flow,
        route_owner=route_owner,
        fee_bps=fee_bps,
        grants=grants,
    )


def some_proof(transaction: Bytes32 | None = None, log_index: int = 1) -> TransferProof:
    """A log pair's place on some chain."""
    return TransferProof(transaction or some_word(), log_index, 9, some_word(), some_address())


ANSWER = StoredAnswer(200, (("content-type", "text/plain"),), b"sunny")
