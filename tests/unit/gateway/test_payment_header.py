"""Which header counts, and what a v1 payment accepts."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from tests.support.buyer import as_v1, encode, sign
from tollgate.errors import BadRequest, Refusal
from tollgate.gateway.payment_header import PaymentHeader
from tollgate.payment.identity import PaymentId
from tollgate.payment.networks import NETWORKS, Asset
from tollgate.payment.v1_names import V1_NAMES, network_named
from tollgate.wire.models import PaymentPayload, PaymentRequired, Requirements, Resource
from tollgate.wire.primitives import Address, Network
from tollgate.wire.reasons import Reason

NETWORK = Network(84532)
USDC = NETWORKS[NETWORK].assets[0]
EURC = Asset("EURC", Address.parse("0x" + "e0" * 20), "EURC", "2", 6)
SELLER, OTHER = Address.parse("0x" + "5e" * 20), Address.parse("0x" + "0e" * 20)
BUYER = Account.from_key("0x" + "11" * 32)


def terms(amount: int = 10_000, *, asset: Asset = USDC, pay_to: Address = SELLER, seconds: int = 60) -> Requirements:
    """One way to pay."""
    extra = {"name": asset.name, "version": asset.version}
    return Requirements("exact", NETWORK, amount, asset.address, pay_to, seconds, extra)


def signed(accepted: Requirements) -> dict[str, Any]:
    """A v2 payment for it."""
    return sign(BUYER, PaymentRequired(Resource("https://api.example/x"), (accepted,)).to_json())


def read(payment: dict[str, Any], *acceptable: Requirements) -> PaymentPayload:
    """The payment, sent by the header of its version."""
    name = "x-payment" if payment["x402Version"] == 1 else "payment-signature"
    header = PaymentHeader.of({name: encode(payment)})
    assert header is not None
    sent = header.parse()
    assert sent.version == payment["x402Version"]
    return sent.as_offered(acceptable)


def test_the_header_that_came_says_the_version() -> None:
    """Neither: an offer. An empty one is a payment that cannot be read, not none."""
    assert PaymentHeader.of({"payment": "x"}) is None
    assert PaymentHeader.of({"payment-signature": "x"}) == PaymentHeader(2, "x")
    assert PaymentHeader.of({"x-payment": ""}) == PaymentHeader(1, "")


@pytest.mark.parametrize("values", [("a", "b"), ("", "b"), ("a", ""), ("a", "a")])
def test_a11_both_headers_are_ambiguous(values: tuple[str, str]) -> None:
    """Even with one of them empty."""
    with pytest.raises(BadRequest) as caught:
        PaymentHeader.of({"x-payment": values[0], "payment-signature": values[1]})
    assert (caught.value.status, caught.value.code) == (400, "payment_header_ambiguous")


def test_a_v1_payment_is_the_same_payment_as_by_v2() -> None:
    """Identity, requirements and payload."""
    payment = signed(terms())
    by_v1, by_v2 = read(as_v1(payment), terms()), read(payment, terms())
    assert PaymentId.of(by_v1) == PaymentId.of(by_v2)
    assert (by_v1.accepted, by_v1.payload) == (by_v2.accepted, by_v2.payload)


def test_of_several_terms_those_that_were_signed_are_accepted() -> None:
    """By price and payee; the most generous lifetime that was offered for them."""
    payment = as_v1(signed(terms(20_000, pay_to=OTHER)))
    longer = terms(20_000, pay_to=OTHER, seconds=300)
    assert read(payment, terms(), terms(20_000), terms(20_000, pay_to=OTHER), longer).accepted == longer


def test_of_several_tokens_the_one_whose_domain_was_signed_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when that token is not offered: the identity names it."""
    monkeypatch.setitem(NETWORKS, NETWORK, replace(NETWORKS[NETWORK], assets=(EURC, USDC)))
    for asset, other in ((USDC, EURC), (EURC, USDC)):
        payment = signed(terms(asset=asset))
        assert read(as_v1(payment), terms(asset=other), terms(asset=asset)).accepted.asset == asset.address
        elsewhere = read(as_v1(payment), terms(asset=other))
        assert PaymentId.of(elsewhere) == PaymentId.of(read(payment))
    payment["payload"]["authorization"]["value"] = "1"
    with pytest.raises(Refusal) as refused:
        read(as_v1(payment), terms())
    assert refused.value.reason is Reason.SIGNATURE


def test_a_payment_for_no_offer_keeps_its_identity() -> None:
    """So that the books know it, whatever is offered by now."""
    payment = signed(terms())
    for offered in ((), (terms(30_000),)):
        assert PaymentId.of(read(as_v1(payment), *offered)) == PaymentId.of(read(payment))


@pytest.mark.parametrize("network", ["eip155:84532", "Base-Sepolia", "base-sepolia ", "solana", "", "84532"])
def test_a_network_is_named_as_v1_names_it(network: str) -> None:
    """A CAIP-2 id is v2's."""
    payment = as_v1(signed(terms())) | {"network": network}
    with pytest.raises(Refusal) as refused:
        read(payment, terms())
    assert refused.value.reason is Reason.INVALID_NETWORK


def test_every_v1_name_leads_back_to_its_network() -> None:
    """No two networks share one."""
    assert V1_NAMES[NETWORK] == "base-sepolia"
    assert all(network_named(name) == network for network, name in V1_NAMES.items())
